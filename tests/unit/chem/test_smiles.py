"""The short way from SMILES to a molecule gives what RDKit's own gives."""

import pandas as pd
import pytest
from rdkit import Chem, rdBase

from molgfn.chem.smiles import parse_smiles
from molgfn.config.resources import shipped_path

CASES = [
    *("C", "[CH4]", "[13CH4]", "[CH3]", "[H]C", "[2H]C", "[H][H]", "[He]", "[nH]1cccc1", "C1CC1.O"),
    *("C[C@H](F)Cl", "F/C=C/F", "FC=CF", "CC(F)Cl", "OC1CC(F)C1", "C[S@](=O)CC", "O=S(C)CC"),
    *("CC(=O)[O-].[Na+]", "C[N+](=O)[O-]", "[O-][n+]1ccccc1", "C[Hg]C", "CP(=O)(O)O", "*C"),
    *("c1ccc2c(c1)[nH]c1ccccc12", "O=c1cc[nH]c2ccccc12", "C=[N+]=[N-]", "C%10CC%10", "[CH2:1]C"),
]


def described(mol):
    """All that distinguishes two molecules read from one text."""
    atoms = [
        (
            *(atom.GetAtomicNum(), atom.GetTotalNumHs(), atom.GetFormalCharge()),
            *(atom.GetNumExplicitHs(), atom.GetNoImplicit(), atom.GetNumRadicalElectrons()),
            *(atom.GetHybridization(), atom.GetIsAromatic(), atom.GetIsotope()),
            *(atom.GetChiralTag(), atom.GetAtomMapNum()),
        )
        for atom in mol.GetAtoms()
    ]
    bonds = [
        (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), bond.GetBondType(), bond.GetStereo())
        for bond in mol.GetBonds()
    ]
    rings = [tuple(ring) for ring in mol.GetRingInfo().AtomRings()]
    return Chem.MolToSmiles(mol), Chem.MolToInchiKey(mol), atoms, bonds, rings


@pytest.mark.parametrize("text", CASES)
def test_the_molecule_is_that_of_rdkit(text):
    assert described(parse_smiles(text)) == described(Chem.MolFromSmiles(text))


def test_shipped_molecules_are_those_of_rdkit():
    table = pd.read_csv(shipped_path("data", "parp1", "docked.csv"))
    for text in table.groupby("source")["SMILES"].head(60):
        assert described(parse_smiles(text)) == described(Chem.MolFromSmiles(text))


@pytest.mark.parametrize("text", ["c1cccc1", "C(C)(C)(C)(C)C", "C1CC", "nonsense", "C("])
def test_what_rdkit_refuses_is_refused_with_its_reason(text):
    with rdBase.CaptureErrorLog() as own:
        assert parse_smiles(text) is None
    with rdBase.CaptureErrorLog() as theirs:
        assert Chem.MolFromSmiles(text) is None
    reason = theirs.messages.splitlines()[-1].split("] ", 1)[-1]
    assert reason
    assert reason in own.messages
