import csv
import io

import pytest


@pytest.fixture(autouse=True)
def own_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("MOLGFN_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def receptor(tmp_path):
    line = "ATOM  {0:5d}  CA  GLY A{0:4d}    {0:8.3f}   0.000   0.000  1.00  0.00    +0.000 C "
    path = tmp_path / "r.pdbqt"
    path.write_text("\n".join(line.format(n) for n in range(12)))
    return path


def test_list_is_a_table(cli, tmp_path):
    result = cli("targets", "list")
    assert result.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(rows) == 58
    (parp1,) = [row for row in rows if row["target"] == "PARP1"]
    assert list(parp1) == [
        *("target", "center_x", "center_y", "center_z", "size_x", "size_y", "size_z", "source"),
    ]
    assert (parp1["center_x"], parp1["size_x"]) == ("26.835", "24")
    assert cli("targets", "list", "-o", tmp_path / "t.csv").exit_code == 0
    assert (tmp_path / "t.csv").read_text() == result.stdout


def test_show(cli):
    result = cli("targets", "show", "kit")
    assert result.exit_code == 0
    assert result.stdout.startswith("target: KIT\nreceptor: /")
    assert "size: [30, 30, 30]  # Å\n" in result.stdout
    result = cli("targets", "show", "KITT")
    assert result.exit_code == 3
    assert "no target 'KITT'; `molgfn targets list` shows all; did you mean KIT?" in result.stderr


def test_add_then_list_and_show(cli, receptor):
    options = ("--receptor", receptor, "--center", -1, 0, 0, "--size", 20, 21, 22)
    result = cli("targets", "add", "mine", *options)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith("`molgfn dock FILE --target mine` docks to it\n")
    shown = cli("targets", "show", "mine").stdout
    assert "center: [-1, 0, 0]  # Å\nsize: [20, 21, 22]  # Å\n" in shown
    assert "\nmine,-1,0,0,20,21,22,own: r.pdbqt\n" in cli("targets", "list").stdout
    again = cli("targets", "add", "mine", *options)
    assert again.exit_code == 3
    assert "there is a target mine already; choose another name, or remove" in again.stderr


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ([], 2, "give the box either with --ligand or with --center and --size"),
        (["--ligand", "l.sdf", "--center", "0", "0", "0"], 2, "give the box either"),
        (["--ligand", "nowhere.sdf"], 3, "nowhere.sdf: no such file"),
        (["--center", "0", "90", "0"], 3, "holds 0 receptor atoms, too few for a pocket"),
        (["--center", "0", "0", "0", "--size", "1", "1", "1"], 3, "must lie in 5 to 60 Å"),
    ],
)
def test_targets_that_cannot_be(cli, receptor, options, code, message):
    result = cli("targets", "add", "mine", "--receptor", receptor, *options)
    assert result.exit_code == code
    assert message in result.stderr
    assert cli("targets", "show", "mine").exit_code == 3


def test_without_the_package_the_list_tells_of_it(cli, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = cli("targets", "list")
    assert result.exit_code == 0
    assert result.stdout.startswith("target,center_x")
    assert "58 more come with the package dockstring; install them with `pip" in result.stderr
