import csv
import io
from pathlib import Path

import pytest
from rdkit import Chem
from rdkit.Chem.rdDistGeom import EmbedMolecule


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


@pytest.fixture
def peptide():
    """Lines of a PDB file of a short peptide."""
    mol = Chem.AddHs(Chem.MolFromSequence("GASHG"))
    EmbedMolecule(mol, randomSeed=1)
    lines = Chem.MolToPDBBlock(Chem.RemoveHs(mol)).splitlines()
    return [line for line in lines if line.startswith("ATOM")]


def test_what_is_chosen_kept_or_left_out_of_a_complex_is_said(cli, tmp_path, peptide):
    def atom(residue, element, number, x):
        return (
            f"HETATM 1000 {element:<4} {residue:>3} A{number:4d}    {x:8.3f}{3:8.3f}{1:8.3f}"
            f"  1.00  0.00          {element.strip():>2}"
        )

    ligand = [atom("LIG", " C", 301, 8.0), atom("LIG", " O", 301, 9.4)]
    others = [atom("CU", "CU", 302, 12.0), atom("RU", "RU", 303, 15.0), atom("HOH", " O", 304, 18)]
    altered = [f"{li[:16]}B{li[17:66]}" if int(li[22:26]) == 3 else li for li in peptide]
    lines = [*(line.replace("HIS", "HSD") for line in altered), *ligand, *others, "END"]
    (tmp_path / "c.pdb").write_text("\n".join(lines))
    options = ("--receptor", tmp_path / "c.pdb", "--ligand", tmp_path / "c.pdb")
    result = cli("targets", "add", "mine", *options)
    assert result.exit_code == 0, result.stderr
    assert result.stderr.split("target: mine")[0].splitlines() == [
        "chosen: alternate location B of SER A3",
        f"chosen: LIG A301 of c.pdb as the ligand; left out: {len(peptide) + 3} other heavy atoms",
        "left out: LIG A301, the ligand itself",
        "read as HID: HSD A4",
        "left out: 1 water",
        "left out: RU A303; vina has no atom type for Ru",
    ]
    receptor = cli("targets", "show", "mine").stdout.split("receptor: ")[1].split("\n")[0]
    assert Path(receptor).read_text().splitlines()[-1].endswith(" Cu")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("r.pdb", lambda lines: [*lines[:5], lines[5][:50]], "r.pdb line 6: no coordinates in col"),
        (
            "r.pdb",
            lambda lines: lines[:-3],
            "r.pdb: meeko cannot prepare GLY A5 in or near the box",
        ),
        ("r.pdb", lambda lines: ["<html>", "404"], "r.pdb holds no protein or nucleic acid"),
        ("r.pdbqt", lambda lines: lines, "r.pdbqt line 1: no partial charge in columns 69 to 76"),
        (
            "r.pdbqt",
            lambda lines: ["HEADER", *lines],
            "a PDB file is prepared when its name ends in",
        ),
        (
            "r.pdbqt",
            lambda lines: [f"{line[:66]}     0.000 ZN" for line in lines],
            "r.pdbqt line 1: vina has no atom type 'ZN'; did you mean Zn?",
        ),
    ],
)
def test_structures_that_cannot_be_used_say_where_on_one_line(
    cli, tmp_path, peptide, name, change, message
):
    (tmp_path / name).write_text("\n".join(change(peptide)))
    result = cli("targets", "add", "mine", "--receptor", tmp_path / name, "--center", 0, 0, 0)
    assert (result.exit_code, result.stdout) == (3, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
