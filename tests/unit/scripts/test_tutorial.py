"""The tutorial and the README use the public face alone, and do what they say."""

import ast
import importlib.util
import re
import subprocess
import sys

import pytest
import torch

import molgfn


@pytest.fixture(scope="module")
def path(repository):
    return repository / "scripts" / "tutorial_own_environment.py"


@pytest.fixture(scope="module")
def tutorial(path):
    spec = importlib.util.spec_from_file_location("tutorial_own_environment", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names_of(source):
    """Attributes of molgfn that a program uses, and modules of it that it imports."""
    nodes = list(ast.walk(ast.parse(source)))
    modules = [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names]
    modules += [n.module for n in nodes if isinstance(n, ast.ImportFrom)]
    assert not [m for m in modules if m.startswith("molgfn.")]
    return {
        n.attr
        for n in nodes
        if isinstance(n, ast.Attribute) and getattr(n.value, "id", "") == "molgfn"
    }


def readme_program(repository):
    (program,) = re.findall(r"```python\n(.*?)```", (repository / "README.md").read_text(), re.S)
    return program


def test_every_public_name_resolves_to_what_it_says():
    for name in molgfn.__all__:
        assert getattr(molgfn, name).__name__ == name
        assert name in dir(molgfn)
    with pytest.raises(AttributeError, match="nothing"):
        molgfn.nothing  # noqa: B018


def test_the_public_face_loads_nothing_by_itself():
    code = "import molgfn, sys; print({'torch', 'rdkit', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_an_environment_of_ones_own_is_trained_and_verified(tutorial):
    assert tutorial.main(400) < 0.15
    assert tutorial.main(1) > 0.8  # the control: a policy that has learned nothing


def test_the_tutorial_is_short_and_uses_the_public_face(path):
    source = path.read_text()
    assert len(source.splitlines()) <= 40
    assert names_of(source) <= set(molgfn.__all__)


def test_a_wrong_way_back_is_found_out(tutorial, monkeypatch):
    monkeypatch.setattr(tutorial.Subsets, "backward_mask", staticmethod(lambda values: values >= 0))
    with pytest.raises(ValueError, match=r"0 steps lead to row \[0, .*, but backward_mask has 8"):
        tutorial.Subsets(8, 2, 8, 9).space()


def test_actions_that_are_the_same_step_are_found_out(tutorial, monkeypatch):
    """The second action does what the first does: a symmetry that nothing corrects."""
    as_first = torch.tensor([0, 0, 2, 3, 4, 5, 6, 7])
    apply = tutorial.Subsets.apply
    for name, wrong in (
        ("apply", lambda values, actions: apply(values, as_first[actions])),
        ("forward_mask", lambda values: values[:, as_first] == 0),
        ("backward_mask", lambda values: values[:, as_first] == 1),
    ):
        monkeypatch.setattr(tutorial.Subsets, name, staticmethod(wrong))
    with pytest.raises(ValueError, match="several actions lead from row"):
        tutorial.Subsets(8, 2, 8, 9).space()


def test_trajectories_without_end_are_found_out(tutorial, monkeypatch):
    monkeypatch.setattr(tutorial.Subsets, "forward_mask", staticmethod(lambda values: values >= 0))
    with pytest.raises(ValueError, match="max_steps, 9"):
        tutorial.Subsets(8, 2, 8, 9).space()


def test_the_program_of_the_readme_runs(repository, capsys):
    program = readme_program(repository)
    assert names_of(program) <= set(molgfn.__all__)
    exec(compile(program, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 21
    assert len(set(lines[:20])) == 20
