import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from molgfn.chem.molecule import Molecule, read_molecule
from molgfn.chem.properties import logp
from molgfn.chem.properties.atom_arrays import KINDS, N_BOND_TYPES, AtomArrays
from molgfn.chem.properties.batch import MoleculeBatch
from molgfn.chem.properties.by_name import BATCH_PROPERTIES, PROPERTIES


@pytest.mark.parametrize("name", BATCH_PROPERTIES)
def test_a_batch_has_the_very_numbers_of_rdkit(name, diverse):
    found = BATCH_PROPERTIES[name](diverse)
    # Copies, because RDKit remembers what it computed.
    expected = [PROPERTIES[name](Chem.Mol(mol.ToBinary())) for mol in diverse.mols]
    wrong = [
        (molecule.smiles, ours, theirs)
        for molecule, ours, theirs in zip(diverse, found.tolist(), expected, strict=True)
        if ours != theirs
    ]
    assert wrong == []


@pytest.mark.parametrize("name", BATCH_PROPERTIES)
def test_no_molecules_have_no_properties(name):
    assert BATCH_PROPERTIES[name](MoleculeBatch([])).shape == (0,)


def test_what_was_learned_of_log_p_is_bounded(monkeypatch, diverse):
    expected = diverse.logp
    monkeypatch.setattr(logp, "CAPACITY", 30)
    logp._known.clear()
    for start in range(0, 100, 5):
        assert np.array_equal(diverse[start : start + 5].logp, expected[start : start + 5])
        assert len(logp._known) < 250


def test_a_batch_of_a_batch_is_itself():
    batch = MoleculeBatch([read_molecule("CC"), read_molecule("CO")])
    assert MoleculeBatch.of(batch) is batch
    assert [molecule.smiles for molecule in batch[1:]] == ["CO"]
    assert batch[0].smiles == "CC"


def test_folded_morgan_counts_are_the_fingerprint_of_2048_bits(diverse):
    morgan = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    for mol, counts in zip(diverse.mols, diverse.morgan_counts, strict=True):
        on = sorted({number % 2048 for number in counts})
        assert on == list(morgan.GetFingerprint(mol).GetOnBits())


def test_atoms_and_bonds_of_propene_and_biphenyl():
    mols = [Chem.MolFromSmiles(s) for s in ("C=CC", "c1ccccc1-c1ccccc1", "[Na+]")]
    atoms = AtomArrays.of(mols)
    assert atoms.sizes.tolist() == [3, 12, 1]
    assert atoms.offsets.tolist() == [0, 3, 15]
    bonds = atoms.bonds
    assert bonds.sources[:4].tolist() == [0, 1, 1, 2]
    assert bonds.targets[:4].tolist() == [1, 0, 2, 1]
    assert bonds.codes[:4].tolist() == [1, 1, 0, 0]
    assert sorted(bonds.codes[4:].tolist()) == [0] * 2 + [8] * 24
    assert bonds.degrees[-1] == 0
    assert atoms.count(bonds.degrees == 3).tolist() == [0, 2, 0]


def test_a_bond_between_rings_lies_in_none_even_without_an_order():
    links = ("C1CC1C1CC1", "C1CC1~C1CC1", "C1CC1->[Mg]1CC1", "[C-]1(C2CC2)CC1->[Mg]1CC1", "C1CC1C")
    for mol in map(Chem.MolFromSmiles, links):
        bonds = AtomArrays.of([mol, mol]).bonds
        n_atoms = mol.GetNumAtoms()
        for source, target, code in zip(bonds.sources, bonds.targets, bonds.codes, strict=True):
            bond = mol.GetBondBetweenAtoms(int(source % n_atoms), int(target % n_atoms))
            assert (code >= N_BOND_TYPES) == bond.IsInRing()


def test_kinds_tell_the_properties_of_every_atom(diverse):
    table = KINDS.table[diverse.atoms.kinds]
    atoms = [atom for mol in diverse.mols for atom in mol.GetAtoms()]
    usual = table[:, KINDS.COLUMNS.index("odd")] == 0
    for row, atom, plain in zip(table.tolist(), atoms, usual, strict=True):
        expected = [
            *(atom.GetAtomicNum(), atom.GetDegree(), atom.GetTotalNumHs()),
            *(atom.GetFormalCharge(), int(atom.GetHybridization()), int(atom.GetIsAromatic())),
            atom.GetOwningMol().GetRingInfo().NumAtomRings(atom.GetIdx()),
        ]
        assert not plain or row[:7] == expected


def test_neighbourhoods_do_not_depend_on_the_order_of_the_atoms():
    forth, back = (
        AtomArrays.of([Molecule(Chem.MolFromSmiles(s)).mol])
        for s in ("CC(=O)Nc1ccccc1", "c1ccccc1NC(C)=O")
    )
    assert sorted(forth.neighbourhoods.tolist()) == sorted(back.neighbourhoods.tolist())
    # Meta and para atoms look alike from one bond away.
    assert len(set(forth.neighbourhoods.tolist())) == 7
