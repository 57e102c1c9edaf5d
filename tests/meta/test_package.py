"""Laws about the package itself."""

import ast
import importlib
import pkgutil
import re
from importlib.metadata import PackageNotFoundError, distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import molgfn

MODULES = ["molgfn"] + [
    m.name for m in pkgutil.walk_packages(molgfn.__path__, "molgfn.") if m.name != "molgfn.__main__"
]


@pytest.mark.parametrize("name", MODULES)
def test_every_module_imports_and_says_what_it_is_for(name):
    module = importlib.import_module(name)
    assert module.__doc__
    assert module.__doc__.strip()


def python_files(root):
    for folder in ("molgfn", "scripts", "tests"):
        yield from sorted((root / folder).rglob("*.py"))


def test_no_file_is_too_long(repository):
    long = {
        str(p.relative_to(repository)): n
        for p in python_files(repository)
        if (n := len(p.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


def test_only_chem_reads_smiles(repository):
    readers = [
        p.relative_to(repository / "molgfn").parts[0]
        for p in sorted((repository / "molgfn").rglob("*.py"))
        if "MolFromSmiles(" in p.read_text(encoding="utf-8")
    ]
    assert set(readers) <= {"chem"}


def test_nobody_imports_click(repository):
    for path in python_files(repository):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [node.module]
                if isinstance(node, ast.ImportFrom) and node.module
                else []
            )
            assert not any(n.split(".")[0] == "click" for n in names), path


def test_the_changelog_begins_with_this_version(repository):
    text = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.search(r"^## (\S+)", text, re.MULTILINE)
    assert first is not None
    assert first[1] == molgfn.__version__


def test_everything_that_is_installed_for_molgfn_is_pinned(repository):
    pins = {
        canonicalize_name(line.partition("==")[0])
        for line in (repository / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    }
    needed = {Requirement(r).name for r in distribution("molgfn").requires or []}
    seen: set[str] = set()
    while needed:
        name = canonicalize_name(needed.pop())
        try:
            found = distribution(name)
        except PackageNotFoundError:  # for another platform
            continue
        # The GPU build of torch pins the libraries that come with it.
        if name not in seen and not name.startswith(("nvidia-", "cuda-", "triton")):
            seen.add(name)
            needed |= {
                r.name
                for r in map(Requirement, found.requires or [])
                if r.marker is None or r.marker.evaluate({"extra": ""})
            }
    assert seen - pins == set()


def values_in_commands(text):
    """Values put into a command between backticks of an f-string, as source text."""
    inside = False
    for part in text.values:
        if isinstance(part, ast.Constant):
            pieces = str(part.value).split("`")
            if len(pieces) > 1:
                inside = pieces[-1].startswith("molgfn ")
        elif inside:
            yield ast.unparse(part.value)


def test_what_a_message_puts_into_a_command_is_quoted_for_the_shell(repository):
    found = [
        value
        for path in sorted((repository / "molgfn").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.JoinedStr)
        for value in values_in_commands(node)
    ]
    assert len(found) >= 9
    assert [value for value in found if not value.startswith("shell_quoted(")] == []
