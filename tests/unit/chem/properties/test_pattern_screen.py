import csv
from pathlib import Path

import pytest
from rdkit import Chem, RDConfig
from rdkit.Chem import QED

from molgfn.chem.properties import pattern_screen
from molgfn.chem.properties.alerts import DEFAULT_ALERTS, count_alerts, structural_alerts
from molgfn.chem.properties.atom_arrays import AtomArrays
from molgfn.chem.properties.pattern_screen import PatternScreen


def plain_search(patterns, mol):
    queries = [Chem.MergeQueryHs(Chem.MolFromSmarts(smarts)) for _, smarts in patterns]
    return [i for i, query in enumerate(queries) if mol.HasSubstructMatch(query)]


@pytest.fixture(scope="module")
def patterns():
    path = Path(RDConfig.RDDataDir) / "Pains" / "wehi_pains.csv"
    with path.open(newline="", encoding="utf-8") as file:
        pains = [(label, smarts) for smarts, label in csv.reader(file)]
    # Every PAINS pattern in turn would take a minute; each of the others is searched.
    return [*DEFAULT_ALERTS, *pains[::8], *((s, s) for s in QED.StructuralAlertSmarts)]


def test_the_screen_finds_what_a_search_one_by_one_finds(patterns, diverse):
    found = PatternScreen(patterns).find(diverse.mols, diverse.atoms)
    queries = [Chem.MergeQueryHs(Chem.MolFromSmarts(smarts)) for _, smarts in patterns]
    assert sum(map(len, found)) > 500
    for mol, numbers in zip(diverse.mols, found, strict=True):
        expected = [i for i, query in enumerate(queries) if mol.HasSubstructMatch(query)]
        assert numbers == expected, Chem.MolToSmiles(mol)


@pytest.mark.parametrize(
    ("smarts", "smiles", "matches"),
    [
        ("[13C]", "[13CH4]", True),
        ("[13C]", "C", False),
        ("C(=O)O.C(=O)O", "OC(=O)CC(=O)O", True),
        ("C(=O)O.C(=O)O", "OC(=O)CC", False),
        ("[r9]", "C1CCCCCCCC1", True),
        ("[O;!$(O=*)]", "CC=O", False),
        ("[$(CO),$(CN)]Cl", "ClCN", True),
        ("[#6]-[#8]-[H]", "CO", True),
        ("S(F)(F)(F)(F)(F)F", "FS(F)(F)(F)(F)F", True),
        ("[D4]", "CN(C)(C)->O", True),
    ],
)
def test_patterns_whose_atoms_ask_for_more_than_their_kind(smarts, smiles, matches):
    mol = Chem.MolFromSmiles(smiles)
    assert (PatternScreen([("it", smarts)]).matches(mol) == ["it"]) is matches


def test_neighbourhoods_are_forgotten_when_there_are_too_many(monkeypatch, patterns, diverse):
    monkeypatch.setattr(pattern_screen, "CAPACITY", 40)
    screen = PatternScreen(patterns[:60])
    for mol in diverse.mols[:60]:
        found = screen.find([mol], AtomArrays.of([mol]))[0]
        assert found == plain_search(patterns[:60], mol)


def test_alerts_are_counted_as_they_are_named(diverse):
    few = diverse[:50]
    assert count_alerts(few).tolist() == [len(structural_alerts(mol)) for mol in few.mols]


def test_no_molecules_have_no_patterns():
    assert PatternScreen([("it", "CC")]).find([], AtomArrays.of([])) == []


def test_a_pattern_that_cannot_be_read_is_named():
    with pytest.raises(ValueError, match="pattern 'bad'"):
        PatternScreen([("bad", "[C")])
