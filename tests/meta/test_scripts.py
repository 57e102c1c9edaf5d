"""Scripts keep up with the package: nothing else runs most of them."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "scripts").rglob("*.py"))


def imports(path: Path) -> list[tuple[str, str | None]]:
    """(module, name) of every import, those inside functions included."""
    found: list[tuple[str, str | None]] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found += [(node.module or "", alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
    return found


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_name_that_a_script_imports_exists(script):
    path = ROOT / script
    for module, name in imports(path):
        if module.split(".")[0] == "molgfn":
            thing = importlib.import_module(module)
            assert name is None or hasattr(thing, name), f"{module} has no {name}"
        elif (sibling := path.parent / f"{module}.py").exists() and name is not None:
            assert name in _defined(sibling), f"{sibling.name} has no {name}"


def test_an_import_that_is_gone_is_noticed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("def main():\n    from molgfn.errors import Gone\n")
    assert imports(script) == [("molgfn.errors", "Gone")]


@pytest.mark.parametrize("page", ["README.md", "scripts/bench/README.md", "Makefile"])
def test_files_that_a_page_names_are_there(page):
    named = set(re.findall(r"\b(?:scripts|tests|molgfn)/[\w/]+\.\w+", (ROOT / page).read_text()))
    assert named
    assert not [name for name in sorted(named) if not (ROOT / name).exists()]


def test_every_reproduction_stands_in_the_readme():
    page = (ROOT / "README.md").read_text()
    reproductions = [script for script in SCRIPTS if script.startswith("scripts/reproduce/")]
    assert reproductions
    assert not [script for script in reproductions if script not in page]


def _defined(path: Path) -> set[str]:
    return set(re.findall(r"^(?:def |class |from .* import )?(\w+)", path.read_text(), re.M))
