"""Fragments: canonical form, closure under symmetry, junction types."""

import pytest
from rdkit import Chem
from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers

from molgfn.errors import VocabularyError
from molgfn.fragments.fragment import Fragment, automorphisms, is_ring_type, junction_type


def test_two_descriptions_of_a_fragment_are_equal():
    toluene = Fragment.build("Cc1ccccc1", {0: 1, 4: 1})
    assert toluene == Fragment.build("c1ccc(C)cc1", {4: 1, 0: 1})


def test_count_is_kept_beside_the_identity():
    assert Fragment.build("CO", {1: 1}, count=7).count == 7


def test_open_sites_are_refused_with_the_cure():
    with pytest.raises(VocabularyError, match=r"use sites \{0: 1, 3: 1, 5: 1\}|use sites"):
        Fragment.build("C1CCNCC1", {0: 1, 1: 1, 3: 1})


def test_closing_gives_every_atom_of_an_orbit_the_largest_capacity():
    piperidine = Fragment.build("C1CCNCC1", {1: 2, 3: 1}, frozenset({1}), close=True)
    carbons = [
        a for a in piperidine.site_atoms if piperidine.mol.GetAtomWithIdx(a).GetSymbol() == "C"
    ]
    assert [piperidine.capacities[a] for a in carbons] == [2, 2]
    assert piperidine.entries == frozenset(carbons)
    assert len(piperidine.entry_sites) == 1


@pytest.mark.parametrize(
    ("smiles", "sites", "entries", "message"),
    [
        ("CO", {2: 1}, None, "no atom of it"),
        ("CO", {1: 2}, None, "1 hydrogens to replace"),
        ("CO", {0: 0}, None, "capacity 0"),
        ("CO", {1: 1}, frozenset({0}), "not among its sites"),
        ("C.O", {0: 1}, None, "several components"),
        ("C(", {0: 1}, None, "RDKit cannot read"),
    ],
)
def test_wrong_sites_are_refused(smiles, sites, entries, message):
    with pytest.raises(VocabularyError, match=message):
        Fragment.build(smiles, sites, entries)


#: Tetrahedral, E/Z, both, pseudo-asymmetric, in and between rings, with hydrogens written.
FLAT = [
    "CC(O)C(C)O",
    "CC=CC",
    "CC=CC(N)O",
    "OC(C(F)Cl)C(F)Cl",
    "CC1CCC(N)CC1",
    "C1CC2CCC1C2O",
    "CC([NH3+])C(=O)[O-]",
]


@pytest.mark.parametrize("flat", FLAT)
def test_stereo_is_refused_with_the_cure(flat):
    isomers = [Chem.MolToSmiles(mol) for mol in EnumerateStereoisomers(Chem.MolFromSmiles(flat))]
    assert len(isomers) > 1
    for isomer in isomers:
        with pytest.raises(VocabularyError) as caught:
            Fragment.build(isomer, {})
        named, cure = str(caught.value).split(" has stereo; write it without stereo marks: ")
        assert named == isomer
        assert Fragment.build(cure, {}) == Fragment.build(flat, {})
        symbols = [
            [atom.GetSymbol() for atom in Chem.MolFromSmiles(each).GetAtoms()]
            for each in (isomer, cure)
        ]
        assert symbols[0] == symbols[1]


@pytest.mark.parametrize(
    ("smiles", "flat"),
    [
        # Marks that RDKit drops, or does not read as tetrahedral.
        ("C[C@H](C)O", "C[CH](C)O"),
        ("C/C=C(/C)C", "CC=C(C)C"),
        ("CC=[C@AL1]=CC", "CC=[C]=CC"),
        ("F[P@TB12](F)(Cl)(Cl)N", "F[P](F)(Cl)(Cl)N"),
        ("F[P@OH2H](F)(Cl)(Cl)N", "F[PH](F)(Cl)(Cl)N"),
        ("O[C@TH1H](C)F", "O[CH](C)F"),
    ],
)
def test_marks_without_a_meaning_are_refused_too(smiles, flat):
    with pytest.raises(VocabularyError, match="write it without stereo marks") as caught:
        Fragment.build(smiles, {})
    assert str(caught.value).endswith(f": {flat}")


@pytest.mark.parametrize(
    ("smiles", "order"),
    [
        ("c1ccccc1", 12),
        ("C1CCNCC1", 2),
        ("C", 1),
        ("FC(F)F", 6),
        ("CC(C)(C)C", 24),
        # The hydrogen of pyrazole sits on one nitrogen: no mirror.
        ("c1cn[nH]c1", 1),
        ("O=[NH+][O-]", 1),
    ],
)
def test_order_of_the_symmetry_group(smiles, order):
    assert len(automorphisms(Chem.MolFromSmiles(smiles))) == order


def test_orbits_and_stabilisers_of_benzene():
    benzene = Fragment.build("c1ccccc1", dict.fromkeys(range(6), 1))
    assert benzene.site_orbits == (0,) * 6
    assert benzene.entry_sites == (0,)
    assert benzene.stabiliser_order(0) == 2
    assert benzene.kernel_order == 1
    assert len(benzene.site_group) == 12


def test_automorphisms_that_move_no_site_are_the_kernel():
    # The three methyls of isobutane permute while the only site stays where it is.
    isobutane = Fragment.build("CC(C)C", {1: 1})
    assert isobutane.order == 6
    assert isobutane.kernel_order == 6
    assert isobutane.site_group == ((0,),)


@pytest.mark.parametrize(
    ("smiles", "atom", "kind", "ring"),
    [
        ("c1ccccc1", 0, "c", True),
        ("c1cc[nH]c1", 3, "n", True),
        ("C1CCNCC1", 3, "N@", True),
        ("C1=CCCCC1", 0, "C@=", True),
        ("C", 0, "C", False),
        ("C=O", 0, "C=", False),
        ("C#N", 0, "C=", False),
        ("O=[NH+][O-]", 1, "N+=", False),
        ("Cl", 0, "Cl", False),
    ],
)
def test_junction_types(smiles, atom, kind, ring):
    found = junction_type(Chem.MolFromSmiles(smiles).GetAtomWithIdx(atom))
    assert found == kind
    assert is_ring_type(found) is ring


def test_weight_and_size_count_all_hydrogens():
    methane = Fragment.build("C", {0: 4})
    assert methane.n_heavy_atoms == 1
    assert methane.weight_g_per_mol == pytest.approx(16.043, abs=1e-3)


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("[CH3]", "an open valence (a radical) at atom 0; give it its hydrogens"),
        ("C[N]C", "an open valence (a radical) at atom 1; give it its hydrogens"),
        ("[CH3:1][NH2:2]", "an atom map at atom 0; take the number off"),
        ("C[13CH3]", "an isotope label at atom 1; take it off"),
        ("[2H]C", "an isotope label at atom 0; take it off"),
    ],
)
def test_atoms_that_no_molecule_should_end_with_are_refused(smiles, message):
    with pytest.raises(VocabularyError) as caught:
        Fragment.build(smiles, {1: 1})
    assert str(caught.value) == f"{smiles} has {message}"
