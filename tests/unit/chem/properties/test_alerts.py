import csv
from itertools import islice
from pathlib import Path

import pytest
from rdkit import RDConfig
from rdkit.Chem import FilterCatalog

from molgfn.chem.molecule import read_mol
from molgfn.chem.properties.alerts import DEFAULT_ALERTS, structural_alerts


@pytest.mark.parametrize(
    ("smiles", "alert"),
    [
        ("CCC(=O)Cl", "acyl halide"),
        ("CCCBr", "alkyl halide"),
        ("CC=O", "aldehyde"),
        ("CCS", "thiol"),
        ("CC1CO1", "three-membered heterocycle"),
        ("CC(=O)C=C", "vinyl ketone"),
        ("CCOOC", "peroxide"),
        ("Cc1ccccc1[N+](=O)[O-]", "nitro"),
        ("CC(=S)NC", "thiocarbonyl"),
        ("O=C1C=CC(=O)C=C1", "quinone"),
        ("CN=C=O", "isocyanate or isothiocyanate"),
        ("COCNC", "acyclic hemiaminal or aminal"),
    ],
)
def test_reactive_groups_are_alerts(smiles, alert):
    assert alert in structural_alerts(read_mol(smiles))


@pytest.mark.parametrize(
    "smiles",
    [
        "CCOC(=O)c1ccccc1",  # an ester
        "CC(=O)Oc1ccccc1C(=O)O",  # aspirin
        "O=C1NN=C(Cc2ccc(F)c(C(=O)N3CCN(C(=O)C4CC4)CC3)c2)c2ccccc12",  # olaparib
        "C=CC(=O)Nc1ccccc1",  # an acrylamide
        "CC(C)Cc1ccc(cc1)C(C)C(=O)O",  # ibuprofen
        "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",  # caffeine
        "CS(=O)(=O)c1ccc(Cl)cc1C#N",
        "FC(F)(F)c1ccncc1",
    ],
)
def test_what_drugs_are_made_of_is_no_alert(smiles):
    assert structural_alerts(read_mol(smiles)) == []


def test_the_screened_search_finds_the_same_pains_as_rdkits_catalogue():
    parameters = FilterCatalog.FilterCatalogParams()
    parameters.AddCatalog(FilterCatalog.FilterCatalogParams.FilterCatalogs.PAINS)
    catalogue = FilterCatalog.FilterCatalog(parameters)
    path = Path(RDConfig.RDDataDir) / "Pains" / "test_data" / "wehi_mols.csv"
    n_found = 0
    with path.open() as file:
        for row in islice(csv.reader(file), 0, None, 25):
            mol = read_mol(row[0])
            expected = sorted(match.GetDescription() for match in catalogue.GetMatches(mol))
            found = [a for a in structural_alerts(mol) if a.startswith("PAINS ")]
            assert sorted(a.removeprefix("PAINS ").lower() for a in found) == [
                e.lower() for e in expected
            ]
            n_found += len(found)
    assert n_found > 10


def test_every_alert_has_a_name_of_its_own():
    names = [name for name, _ in DEFAULT_ALERTS]
    assert len(set(names)) == len(names)
