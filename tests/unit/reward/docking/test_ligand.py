import pytest

from molgfn.chem.molecule import read_mol
from molgfn.errors import MoleculeError
from molgfn.reward.docking.ligand import LigandError, check_ligand, read_ligand


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("C" * 51, "51 heavy atoms; docking takes up to 50"),
        ("C" * 20, "17 rotatable bonds; docking takes up to 15"),
        ("C1CCCCCCCC1", "a ring of 9 atoms; docking takes up to 8"),
        ("OB(O)c1ccccc1", "vina has no parameters for B"),
        ("C[Se]C", "vina has no parameters for Se"),
        ("[Na]Cl", "vina has no parameters for Na"),
        ("CC.CC", "2 components; docking takes one"),
        ("C[CH2]", r"a radical at atom 2 \(C\)"),
    ],
)
def test_limits(smiles, reason):
    with pytest.raises(LigandError, match=reason):
        check_ligand(read_mol(smiles))


@pytest.mark.parametrize(
    "smiles", ["C" * 18, "C1CCCCCCC1", "C[Si](C)(C)C", "CP(C)C", "CI", "CBr", "C[N+](C)(C)C"]
)
def test_what_vina_can_dock(smiles):
    check_ligand(read_mol(smiles))


@pytest.mark.parametrize(
    ("written", "docked"),
    [
        ("OC(=O)c1ccccc1", "O=C(O)c1ccccc1"),
        ("[Na+].[O-]C(=O)c1ccccc1", "O=C(O)c1ccccc1"),
        ("C[NH3+].[Cl-]", "CN"),
        ("CC(N)Cc1ccccc1.CC(N)Cc1ccccc1.OS(=O)(=O)O", "CC(N)Cc1ccccc1"),
    ],
)
def test_counter_ions_are_left_out_as_in_score(written, docked):
    assert read_ligand(written).smiles == docked


def test_of_a_mixture_no_part_is_chosen():
    with pytest.raises(LigandError, match="2 components other than counter-ions; dock them one by"):
        read_ligand("c1ccccc1CC.c1ccncc1CC")


@pytest.mark.parametrize("smiles", ["[Pt](Cl)(Cl)(N)N", "CC[Zn]CC"])
def test_a_metal_is_not_stripped_from_its_ligands(smiles):
    with pytest.raises(MoleculeError, match="in a bond; without it"):
        read_ligand(smiles)


def test_what_is_no_molecule():
    with pytest.raises(MoleculeError, match="RDKit cannot read"):
        read_ligand("nonsense")
