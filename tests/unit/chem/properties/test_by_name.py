import pytest

from molgfn.chem.molecule import read_mol
from molgfn.chem.properties.by_name import PROPERTIES


def test_properties_of_aspirin():
    mol = read_mol("CC(=O)Oc1ccccc1C(=O)O")
    found = {name: function(mol) for name, function in PROPERTIES.items()}
    assert found == pytest.approx(
        {
            "MW": 180.159,
            "logP": 1.3101,
            "TPSA": 63.6,
            "QED": 0.5501,
            "SA": 1.58,
            "heavy_atoms": 13,
            "rotatable_bonds": 2,
            "HBD": 1,
            "HBA": 3,
            "rings": 1,
            "aromatic_rings": 1,
            "fraction_sp3": 1 / 9,
            "stereo_centres": 0,
        },
        abs=5e-4,
    )
    assert all(isinstance(value, float) for value in found.values())


def test_stereo_centres_count_unassigned_ones():
    assert PROPERTIES["stereo_centres"](read_mol("CC(F)Cl")) == 1
