"""The rule that cuts molecules."""

import pytest

from molgfn.chem.molecule import read_mol
from molgfn.fragments.cutting import check_composition, decompose, is_sound_pair


def pieces(smiles):
    return sorted((p.smiles, [n for _, n in p.cuts]) for p in decompose(read_mol(smiles)).pieces)


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        # Toluene falls into methane and benzene, hydrogens on both sides of the cut.
        ("Cc1ccccc1", [("C", [1]), ("c1ccccc1", [1])]),
        # A bond between two chain atoms is never cut.
        ("CCCOC", [("CCCOC", [])]),
        ("CCOc1ccccc1", [("CCO", [1]), ("c1ccccc1", [1])]),
        # The nitrogen of N-methylpyrrole gets its hydrogen back.
        ("Cn1cccc1", [("C", [1]), ("c1cc[nH]c1", [1])]),
        # A bond between two rings is cut, a double bond at a ring is not.
        ("O=C1CCCCC1c1ccccc1", [("O=C1CCCCC1", [1]), ("c1ccccc1", [1])]),
        # Sulfone and nitro keep valence and charges.
        ("O=S(=O)(c1ccccc1)c1ccccc1", [("O=[SH2]=O", [2])] + [("c1ccccc1", [1])] * 2),
        ("O=[N+]([O-])c1ccccc1", [("O=[NH+][O-]", [1]), ("c1ccccc1", [1])]),
        # The N-oxide bond is no cut: its halves would be ions.
        ("[O-][n+]1ccccc1", [("[O-][n+]1ccccc1", [])]),
        # Two bonds at one atom are two cuts of one site.
        ("CC1(C)CCCCC1", [("C", [1]), ("C", [1]), ("C1CCCCC1", [2])]),
    ],
)
def test_pieces(smiles, expected):
    assert pieces(smiles) == sorted(expected)


def test_junctions_are_typed_on_the_templates():
    assert decompose(read_mol("CC(=O)Nc1ccncc1")).junctions == (("N", "c"),)
    assert sorted(decompose(read_mol("Fc1ccc(N2CCOCC2)cc1")).junctions) == [("F", "c"), ("N@", "c")]


@pytest.mark.parametrize(
    ("first", "second", "sound"),
    [
        ("C", "c", True),
        ("c", "c", True),
        ("N", "C@", True),
        ("N@", "S=", True),
        ("S=", "c", True),
        ("Cl", "c", True),
        ("Cl", "C@=", True),
        ("F", "C@", True),
        ("C", "C", False),  # touches no ring
        ("N", "N@", False),
        ("n", "n", False),
        ("O", "N@", False),
        ("O", "n", False),
        ("S", "N@", False),
        ("S+", "N@", False),
        ("O", "S@=", False),
        ("F", "N@", False),
        ("Cl", "N@", False),
        ("Cl", "C@", False),
        ("C=", "n", False),
        ("S=", "n", False),
        ("O", "P@=", True),
    ],
)
def test_sound_pairs(first, second, sound):
    assert is_sound_pair(first, second) is sound
    assert is_sound_pair(second, first) is sound


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("CCO", ""),
        ("O=[N+]([O-])c1ccccc1", ""),
        ("C[N+](C)(C)C", "net charge"),
        ("C[Si](C)C", "element Si"),
        ("[13CH4]", "isotope label"),
        ("C[CH2]", "radical"),
    ],
)
def test_composition(smiles, reason):
    assert check_composition(read_mol(smiles)) == reason
