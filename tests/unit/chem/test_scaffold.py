import csv

import pytest
from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold

from molgfn.chem.molecule import read_molecule
from molgfn.chem.scaffold import murcko_scaffold

ODD = [
    "CCO",
    "C=C1CCCCC1=O",
    "CC(=C1CCCC1)C(C)=C1CC1",
    "O=S1(=O)CCN(C)CC1",
    "Cn1cccc1C",
    "C[n+]1ccccc1",
    "C[c+]1cccccc1",
    "C[C@H]1CC[C@@H](c2ccc[nH]2)CC1",
    "C[C@]1(F)CCC[P@](=O)(O)C1",
    "c1ccc(CCC(CC2CC2)CCC3CCC3)cc1",
    "C1CC1C(=NC)C1CC1",
    "C1CC1C(C)=C(C)C1CC1",
    "[2H]c1ccccc1[N+](=O)[O-]",
    "CC[Si]1(C)CCCC1",
    "C1CC1.CCO.c1ccccc1C",
    "OB1OCc2ccccc21",
    "CC1=CC=CC=[N+]1[O-]",
]


def rdkit(mol):
    return MurckoScaffold.MurckoScaffoldSmiles(mol=mol)


def test_scaffolds_are_those_of_rdkit(repository):
    with (repository / "tests" / "golden" / "sampled.csv").open() as file:
        sampled = [row["SMILES"] for row in csv.DictReader(file)]
    for smiles in (*ODD, *sampled):
        mol = Chem.MolFromSmiles(smiles)
        before = mol.ToBinary()
        assert murcko_scaffold(mol) == rdkit(mol), smiles
        assert mol.ToBinary() == before


@pytest.mark.parametrize(
    ("smiles", "scaffold"),
    [
        ("C" * 2000, ""),
        ("C1CC1" + "C" * 1990 + "C", "C1CC1"),
        ("C1CC1" + "C" * 1900 + "C1CC1", "C(" + "C" * 1899 + "C1CC1)C1CC1"),
        ("C1" + "C" * 1990 + "C1", "C1" + "C" * 1990 + "C1"),
    ],
)
def test_the_longest_chains_take_no_minutes(smiles, scaffold):
    found = read_molecule(smiles).scaffold
    assert found == Chem.CanonSmiles(scaffold)
