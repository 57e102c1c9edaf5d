import csv

import pytest
from rdkit import Chem

from molgfn.chem import molecule
from molgfn.chem.molecule import (
    MAX_SMILES_LENGTH,
    Molecule,
    Unreadable,
    read_mol,
    read_molecule,
    read_or_reason,
)
from molgfn.config.resources import shipped_path
from molgfn.errors import MoleculeError


@pytest.mark.parametrize(
    ("given", "standard"),
    [
        ("OCC", "CCO"),
        (" CCO ", "CCO"),
        ("C1=CC=CC=C1", "c1ccccc1"),
        ("CC(=O)[O-].[Na+]", "CC(=O)O"),
        ("C[NH3+].[Cl-]", "CN"),
        ("[O-][n+]1ccccc1", "[O-][n+]1ccccc1"),
        ("CN(=O)=O", "C[N+](=O)[O-]"),
        ("[H]C([H])([H])O", "CO"),
        ("C[C@H](N)O", "C[C@H](N)O"),
        ("Br[Mg]n1cccc1", "c1cc[nH]c1"),
    ],
)
def test_standard_form(given, standard):
    assert read_molecule(given).smiles == standard


def test_stereo_can_be_left_out():
    assert read_molecule("F/C=C/[C@H](N)O", keep_stereo=False).smiles == "NC(O)C=CF"


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("CC ethane", "blank"),
        ("*CC", "wildcard"),
        ("CC[*:1]", "wildcard"),
        ("C1CC", "unclosed ring"),
        ("C(C)(C)(C)(C)C", "valence"),
        ("c1cccc1", "kekulize"),
        ("CCO,1.2", "RDKit cannot read"),
        ("nan", "RDKit cannot read"),
        ("Ｃ", "holds 'Ｃ', which no SMILES does"),
        ("C\u00e9C", "holds '\u00e9', which no SMILES does"),
        ("C" * (MAX_SMILES_LENGTH + 1), "2001 characters"),
    ],
)
def test_unusable_smiles_say_why_on_one_line(smiles, message, capfd):
    with pytest.raises(MoleculeError) as caught:
        read_mol(smiles)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_identity_is_the_smiles():
    first, second = read_molecule("OCC"), read_molecule("CCO")
    assert first == second
    assert len({first, second}) == 1
    assert first != "CCO"
    assert Molecule(read_mol("OCC")) == first


def test_derived_values():
    molecule = read_molecule("Cc1ccccc1")
    assert molecule.inchikey == "YXFVVABEGXRONW-UHFFFAOYSA-N"
    assert molecule.scaffold == "c1ccccc1"
    assert molecule.n_heavy_atoms == 7
    assert read_molecule("CCO").scaffold == ""


@pytest.mark.parametrize(
    ("smiles", "metal"),
    [("C[Fe]C", "Fe"), ("N[Pt](N)(Cl)Cl", "Pt"), ("O=C(O[Hg]c1ccccc1)C", "Hg")],
)
def test_a_metal_is_not_taken_off_its_ligands(smiles, metal):
    with pytest.raises(MoleculeError, match=f"holds {metal} in a bond"):
        read_molecule(smiles)


@pytest.mark.parametrize(
    "salt", ["CC(=O)[O-].[Zn+2].[O-]C(C)=O", "CC(=O)O[Na]", "CC(=O)O[Ca]OC(C)=O"]
)
def test_metals_of_salts_are_counter_ions(salt):
    assert read_molecule(salt).smiles == "CC(=O)O"


@pytest.mark.parametrize("smiles", ["[H][H]", "[H+]"])
def test_hydrogen_alone_is_no_molecule_to_score(smiles):
    with pytest.raises(MoleculeError, match="no atoms but hydrogen"):
        read_molecule(smiles)


TRICKY = [
    *("CS(C)=O", "C[S+](C)[O-]", "CS(=O)(=O)C", "CS(C)(=O)=N", "C=S=O", "CSO", "C1=CS(=O)C=C1"),
    *("CN(=O)=O", "C[N+](=O)[O-]", "CN=[N+]=[N-]", "CP(=O)(O)O", "[H]C", "[2H]C", "[Na]OC"),
    *("CC(=O)[O-].[Na+]", "C[B](O)O", "[CH3]", "C/C=C/C", "C[C@H](O)F", "CI(=O)=O", "c1cc[nH+]cc1"),
]


def test_leaving_the_clean_up_out_changes_no_molecule(monkeypatch):
    with shipped_path("data", "parp1", "docked.csv").open() as file:
        shipped = [row["SMILES"] for row in csv.DictReader(file)][::5]
    smiles = TRICKY + shipped
    left_out = [molecule._is_clean(Chem.MolFromSmiles(s)) for s in smiles]
    assert 0.4 < sum(left_out) / len(smiles) < 1
    assert not any(molecule._is_clean(Chem.MolFromSmiles(s)) for s in ("CS(C)=O", "CP(=O)(O)O"))
    fast = [read_molecule(s).smiles for s in smiles]
    monkeypatch.setattr(molecule, "_is_clean", lambda mol: False)
    assert fast == [read_molecule(s).smiles for s in smiles]


def test_a_molecule_or_its_reason():
    assert read_or_reason("F/C=C/F", keep_stereo=False) == read_molecule("FC=CF")
    with pytest.raises(MoleculeError) as caught:
        read_molecule("C(")
    assert read_or_reason("C(") == Unreadable(str(caught.value))
