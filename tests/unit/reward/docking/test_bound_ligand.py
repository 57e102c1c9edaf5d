"""Ligands in files with more than a ligand in them."""

import random

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.rdDistGeom import EmbedMolecule

from molgfn.errors import TargetError
from molgfn.reward.docking.bound_ligand import read_bound_ligand


def _embedded(mol):
    mol = Chem.AddHs(mol)
    EmbedMolecule(mol, randomSeed=1)
    return mol


def _lines(mol, residue=None, number=1, chain="A", shift=0.0):
    """Lines of a PDB file, moved along x, Å."""
    found = []
    for line in Chem.MolToPDBBlock(mol).splitlines():
        if line.startswith(("ATOM", "HETATM")):
            x = float(line[30:38]) + shift
            if residue:
                line = f"HETATM{line[6:17]}{residue:>3} {chain}{number:4d}{line[26:]}"
            found.append(f"{line[:30]}{x:8.3f}{line[38:]}")
    return found


LIGAND = _embedded(Chem.MolFromSmiles("OCc1ccncc1"))
OTHER = _embedded(Chem.MolFromSmiles("Clc1ccccc1"))
PROTEIN = _lines(Chem.RemoveHs(_embedded(Chem.MolFromSequence("GASG"))))
WATER = ["HETATM  900  O   HOH A 900      40.000   0.000   0.000  1.00  0.00           O"]
ZINC = ["HETATM  901 ZN    ZN A 901      44.000   0.000   0.000  1.00  0.00          ZN"]
GLYCEROL = _lines(_embedded(Chem.MolFromSmiles("OCC(O)CO")), "GOL", 902, shift=60.0)
BOUND = _lines(LIGAND, "LIG", 301, shift=2.0)
POINTS = np.array([[float(li[30:38]), float(li[38:46]), float(li[46:54])] for li in BOUND[:8]])


@pytest.fixture
def read(tmp_path):
    def write_and_read(lines, name="l.pdb"):
        path = tmp_path / name
        path.write_text("\n".join([*lines, "END", ""]) if isinstance(lines, list) else lines)
        return read_bound_ligand(path)

    return write_and_read


@pytest.mark.parametrize(
    ("lines", "notes"),
    [
        (BOUND, ()),
        (
            [*PROTEIN, "TER", *BOUND],
            ("chosen: LIG A301 of l.pdb as the ligand; left out: 20 other",),
        ),
        ([*BOUND, *WATER], ("chosen: LIG A301 of l.pdb as the ligand; left out: 1 other",)),
        ([*ZINC, *BOUND, *GLYCEROL], ("chosen: LIG A301 of l.pdb as the ligand; left out: 7",)),
        (
            [*BOUND, *_lines(LIGAND, "LIG", 301, "B", 50.0)],
            ("chosen: LIG A301 of l.pdb as the ligand, the first of 2 copies; left out: 8 other",),
        ),
        (
            [*BOUND, *(line[:54] for line in _lines(LIGAND, "LIG", 301, "A", 50.0))],
            ("chosen: LIG A301 of l.pdb as the ligand, the first of 2 copies; left out: 8 other",),
        ),
        ([f"{li[:16]}B{li[17:]}" for li in BOUND], ("chosen: alternate location B of LIG A301",)),
    ],
)
def test_the_ligand_is_found_and_what_is_left_out_said(read, lines, notes):
    found = read(lines)
    assert np.allclose(found.points, POINTS)
    assert len(found.notes) == len(notes)
    assert all(a.startswith(b) for a, b in zip(found.notes, notes, strict=True))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([*BOUND, *_lines(OTHER, "INH", 302, shift=40.0)], "holds LIG A301, INH A302; keep the"),
        ([*PROTEIN, *WATER, *GLYCEROL], "holds a protein or nucleic acid, and no ligand beside"),
        (WATER, "holds no heavy atoms"),
        (["REMARK"], "holds no molecule"),
        ([BOUND[0][:45]], "line 1: no coordinates"),
    ],
)
def test_no_ligand_is_guessed(read, lines, message):
    with pytest.raises(TargetError, match=message):
        read(lines)


def test_a_peptide_and_an_ion_alone_are_ligands(read):
    assert len(read(PROTEIN).points) == 20
    assert len(read(ZINC).points) == 1
    assert len(read(GLYCEROL).points) == 6


def block(*mols):
    return "".join(f"{Chem.MolToMolBlock(mol)}$$$$\n" for mol in mols)


def test_records_of_an_sd_file(read):
    first = read(block(LIGAND), "l.sdf")
    assert (len(first.points), first.notes) == (8, ())
    several = read(block(LIGAND, OTHER), "l.sdf")
    assert np.array_equal(several.points, first.points)
    assert several.notes == ("chosen: the first of 2 molecules in l.sdf",)
    copies = Chem.CombineMols(LIGAND, LIGAND)
    assert np.array_equal(read(block(copies), "l.sdf").points, first.points)
    with pytest.raises(TargetError, match="holds component 1, component 2; keep the lines"):
        read(block(Chem.CombineMols(LIGAND, OTHER)), "l.sdf")


@pytest.mark.parametrize("name", ["l.pdb", "l.sdf"])
def test_a_storm_of_mutilated_ligands_gives_atoms_or_one_line(read, name):
    text = "\n".join([*PROTEIN, *BOUND]) if name == "l.pdb" else block(LIGAND)
    n_read = 0
    for seed in range(150):
        rng = random.Random(seed)
        place = rng.randrange(len(text))
        middle = rng.choice(["", " ", "\n", "\t", "\0", "é", "9", "M  END\n", "$$$$\n", "nan", "-"])
        try:
            found = read(text[:place] + middle + text[place + rng.randrange(3) :], name)
        except TargetError as error:
            assert "\n" not in str(error), f"seed {seed}"  # noqa: PT017
        else:
            n_read += 1
            assert np.isfinite(found.points).all(), f"seed {seed}"
    assert n_read > 20
