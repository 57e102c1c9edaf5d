import json
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.rdDistGeom import EmbedMolecule

from molgfn.errors import OutputError, TargetError
from molgfn.reward.docking.bound_ligand import read_bound_ligand
from molgfn.reward.docking.catalogue import find_target, own_targets_directory
from molgfn.reward.docking.own_targets import add_target, ligand_box

BOX = ((0.0, 0.0, 0.0), (20.0, 20.0, 20.0))


def pdbqt_line(serial, x, y, z, kind="C"):
    return (
        f"ATOM  {serial:5d}  CA  GLY A{serial:4d}    {x:8.3f}{y:8.3f}{z:8.3f}"
        f"  1.00  0.00    +0.000 {kind:<2}"
    )


@pytest.fixture(autouse=True)
def own_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("MOLGFN_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def receptor(tmp_path):
    """Twelve atoms around the origin."""
    points = [(x, y, z) for x in (-4, 4) for y in (-4, 4) for z in (-4, 0, 4)]
    path = tmp_path / "r.pdbqt"
    path.write_text("\n".join(pdbqt_line(i, *p) for i, p in enumerate(points, 1)) + "\n")
    return path


@pytest.fixture
def ligand(tmp_path):
    mol = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    EmbedMolecule(mol, randomSeed=1)
    path = tmp_path / "l.sdf"
    path.write_text(Chem.MolToMolBlock(mol) + "$$$$\n")
    return path


def test_a_target_is_kept_with_its_receptor(receptor):
    target, notes = add_target("mine", receptor, *BOX)
    assert notes == []
    assert target == find_target("MINE")
    assert target.receptor.read_bytes() == receptor.read_bytes()
    assert target.source == "own: r.pdbqt"
    assert [p.name for p in own_targets_directory().iterdir()] == ["mine"]


def test_a_box_around_a_ligand(ligand, receptor):
    points = read_bound_ligand(ligand).points
    assert points.shape == (3, 3)
    center, size = ligand_box(ligand, padding=10.0)
    middle, sides = (points.min(0) + points.max(0)) / 2, np.ptp(points, axis=0) + 20.0
    assert np.allclose(center, middle, atol=1e-3)
    assert np.allclose(size, sides, atol=1e-3)
    assert ligand_box(ligand, padding=0.0)[1] == (18.0, 18.0, 18.0)
    target, _ = add_target("mine", receptor, center, size, ligand)
    assert target.source == "own: r.pdbqt with l.sdf"


def test_a_ligand_as_pdb(tmp_path, ligand):
    mol = Chem.MolFromMolFile(str(ligand), removeHs=False)
    (tmp_path / "l.pdb").write_text(Chem.MolToPDBBlock(mol))
    assert np.allclose(
        read_bound_ligand(tmp_path / "l.pdb").points, read_bound_ligand(ligand).points, atol=2e-3
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("PARP1", "there is a target PARP1 already; choose another name"),
        ("parp1", "there is a target PARP1 already"),
        ("a b", "cannot be called 'a b'"),
        ("../up", "cannot be called"),
        ("", "cannot be called ''"),
    ],
)
def test_names_that_cannot_be(receptor, name, message):
    with pytest.raises(TargetError, match=message):
        add_target(name, receptor, *BOX)


def test_an_own_name_is_taken_too_and_how_to_free_it(receptor):
    add_target("mine", receptor, *BOX)
    with pytest.raises(TargetError, match=r"target mine already; .* or remove .*mine to replace"):
        add_target("Mine", receptor, *BOX)


@pytest.mark.parametrize(
    ("center", "size", "message"),
    [
        ((40, 0, 0), (20, 20, 20), r"around \(40, 0, 0\) holds 0 receptor atoms.*= -4 to 4"),
        ((0, 0, 9), (20, 20, 10), "holds 4 receptor atoms, too few for a pocket"),
        ((0, 0, 0), (20, 20, 3), "must lie in 5 to 60 Å, got 20 x 20 x 3"),
        ((0, 0, 0), (20, 61, 20), "must lie in 5 to 60"),
        ((float("nan"), 0, 0), (20, 20, 20), "needs finite numbers"),
    ],
)
def test_a_box_that_is_no_pocket(receptor, center, size, message):
    with pytest.raises(TargetError, match=message):
        add_target("mine", receptor, center, size)
    assert not own_targets_directory().exists()


def test_a_ligand_of_another_structure(receptor, ligand, tmp_path):
    away = receptor.read_text().replace("   4.000", "  50.000").replace("  -4.000", "  50.000")
    (tmp_path / "away.pdbqt").write_text(away)
    with pytest.raises(TargetError, match=r"l.sdf lies \d\d.\d Å away from the receptor"):
        add_target("mine", tmp_path / "away.pdbqt", *BOX, ligand)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("r.pdbqt", "", "holds no atoms; expected a receptor"),
        ("r.pdbqt", pdbqt_line(1, 0, 0, 0).replace(" C ", "   "), "line 1: no AutoDock atom type"),
        ("r.pdbqt", pdbqt_line(1, 0, 0, float("nan")), "line 1: the coordinates .* are not finite"),
        ("r.pdbqt", "ATOM      1  CA  GLY A   1     x", "line 1: no coordinates in columns"),
        ("r.pdbqt", "ROOT\n", "line 1: ROOT belongs to a ligand"),
        ("r.mol2", "x", "name ends in .pdbqt or .pdb"),
    ],
)
def test_a_receptor_that_cannot_be_read(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(TargetError, match=message):
        add_target("mine", tmp_path / name, *BOX)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.sdf", "nonsense", "holds no molecule"),
        ("l.xyz", "x", "name ends in .sdf, .mol or .pdb"),
        ("l.pdb", "HEADER\n", "holds no molecule"),
        ("l.mol", Chem.MolToMolBlock(Chem.MolFromSmiles("CCO")), "is a flat drawing"),
    ],
)
def test_a_ligand_that_cannot_be_read(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(TargetError, match=message):
        ligand_box(tmp_path / name)


def test_files_that_are_not_there(tmp_path):
    for call in (ligand_box, lambda path: add_target("mine", path, *BOX)):
        with pytest.raises(TargetError, match="nowhere.pdb: no such file"):
            call(tmp_path / "nowhere.pdb")


def test_a_directory_that_cannot_be_written(receptor, tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(OutputError, match=r"cannot write .*mine: Not a directory"):
        add_target("mine", receptor, *BOX)


def peptide(drop=()):
    """A PDB file of a short peptide, in the box."""
    mol = Chem.AddHs(Chem.MolFromSequence("GASG"))
    EmbedMolecule(mol, randomSeed=1)
    lines = Chem.MolToPDBBlock(Chem.RemoveHs(mol)).splitlines()
    return [
        line
        for line in lines
        if line.startswith("ATOM") and (int(line[22:26]), line[12:16].strip()) not in drop
    ]


@pytest.fixture
def pdb(tmp_path):
    def write(lines):
        path = tmp_path / "r.pdb"
        path.write_text("\n".join([*lines, "END", ""]))
        return path

    return write


def test_a_pdb_file_is_prepared_with_hydrogens_charges_and_types(pdb):
    target, notes = add_target("mine", pdb(peptide()), *BOX)
    kinds = [line[77:].strip() for line in target.receptor.read_text().splitlines()]
    assert notes == []
    assert {"C", "OA", "N", "HD"} <= set(kinds)
    assert target.source == "own: r.pdb"
    stored = json.loads((target.receptor.parent / "target.json").read_text())
    assert stored["center"] == [0, 0, 0]


def hetero(residue, number, name="C1", x=0.0):
    return (
        f"HETATM 9000  {name:<3} {residue:<3} A{number:4d}    {x:8.3f}{0:8.3f}{0:8.3f}"
        f"  1.00  0.00           {name[0]}"
    )


def test_water_and_ligands_are_left_out_and_the_latter_told_of(pdb):
    lines = [*peptide(), hetero("HOH", 100, "O", 30.0), hetero("1LF", 101)]
    _, notes = add_target("mine", pdb(lines), *BOX)
    assert notes == [
        "left out: 1 water",
        "left out: 1LF A101, no part of the protein, in or near the box; to keep a cofactor, give "
        "a receptor as PDBQT",
    ]


def test_a_residue_of_the_chain_that_meeko_does_not_know_is_named(pdb):
    lines = [line.replace("ALA", "XYZ") for line in peptide()]
    with pytest.raises(TargetError, match="no template for XYZ A2 in the chain, in or near the"):
        add_target("mine", pdb(lines), *BOX)


def test_a_residue_with_missing_atoms_is_named_where_it_matters(pdb):
    lines = peptide(drop={(3, "OG")})
    with pytest.raises(TargetError, match="cannot prepare SER A3 in or near the box: atoms are"):
        add_target("mine", pdb(lines), *BOX)


def test_hydrogens_that_do_not_fit_are_placed_anew(pdb):
    lines = peptide()
    oxygen = next(line for line in lines if line[12:26].split() == ["O", "ALA", "A", "2"])
    x = float(oxygen[30:38]) + 0.9
    extra = f"{oxygen[:12]} HX  {oxygen[17:30]}{x:8.3f}{oxygen[38:76]} H"
    lines.insert(lines.index(oxygen) + 1, extra)
    target, notes = add_target("mine", pdb(lines), *BOX)
    plain, _ = add_target("plain", pdb(peptide()), *BOX)
    assert notes == ["left out: its hydrogens, which do not fit the residues; new ones were placed"]
    assert target.receptor.read_text() == plain.receptor.read_text()


def test_a_pdb_file_without_a_protein(pdb):
    with pytest.raises(TargetError, match="holds no protein or nucleic acid"):
        add_target("mine", pdb([hetero("1LF", 1)]), *BOX)


def test_only_the_first_model_counts(pdb):
    lines = ["MODEL        1", *peptide(), "ENDMDL", "MODEL        2", *peptide(), "ENDMDL"]
    one, _ = add_target("one", pdb(lines), *BOX)
    two, _ = add_target("two", pdb(peptide()), *BOX)
    assert Path(one.receptor).read_text() == Path(two.receptor).read_text()
