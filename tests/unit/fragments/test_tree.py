"""What is assembled is what RDKit would perceive of it."""

import random

import pytest
from rdkit import Chem

from molgfn.fragments.probing import _random_tree
from molgfn.fragments.tree import assemble
from molgfn.fragments.vocabulary_file import find_vocabulary, load_vocabulary

N_TREES = 1000


@pytest.fixture(params=["default", "odd", "blocks of 2021"])
def vocabulary(request):
    if request.param == "default":
        return find_vocabulary("default")
    if request.param == "odd":
        return request.getfixturevalue("odd_vocabulary")
    shared_data = request.getfixturevalue("shared_data")
    return load_vocabulary(shared_data / "seh" / "blocks_PDB_105.json")


def perceived(mol):
    """All that sanitising finds out about a molecule."""
    rings = mol.GetRingInfo()
    atoms = [
        (
            *(atom.GetIsAromatic(), atom.GetHybridization(), atom.GetNoImplicit()),
            *(atom.GetTotalNumHs(), atom.GetNumExplicitHs(), atom.GetTotalValence()),
            *(atom.GetFormalCharge(), atom.GetNumRadicalElectrons(), atom.GetChiralTag()),
        )
        for atom in mol.GetAtoms()
    ]
    bonds = [
        (bond.GetBondType(), bond.GetIsAromatic(), bond.GetIsConjugated())
        for bond in mol.GetBonds()
    ]
    of_atoms, of_bonds = (sorted(map(sorted, x)) for x in (rings.AtomRings(), rings.BondRings()))
    matrix = Chem.GetAdjacencyMatrix(mol, useBO=True).tolist()
    return atoms, bonds, of_atoms, of_bonds, matrix, Chem.MolToSmiles(mol)


def test_assembled_molecules_need_no_sanitising(vocabulary):
    generator = random.Random(0)
    for fragment in vocabulary.fragments:
        perceived(fragment.mol)  # what a template remembers of that must stay its own
    for _ in range(N_TREES):
        tree = _random_tree(vocabulary, generator.randint(1, 8), generator)
        mol = assemble(tree, vocabulary)
        again = Chem.Mol(mol)
        Chem.SanitizeMol(again)
        assert perceived(mol) == perceived(again), Chem.MolToSmiles(mol)
