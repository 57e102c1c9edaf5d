"""Mining a library."""

import itertools
import weakref

import pytest

from molgfn.errors import VocabularyError
from molgfn.fragments.cut_library import CutLibrary
from molgfn.fragments.cutting import decompose, is_sound_pair
from molgfn.fragments.lint import lint
from molgfn.fragments.mining import (
    MAX_REASONS,
    Coverage,
    LibraryReport,
    MiningOptions,
    is_held_out,
    measure_coverage,
    mine,
    read_library,
)
from molgfn.fragments.parsing import Parser

RINGS = (
    "c1ccc({})cc1",
    "c1ccc({})nc1",
    "C1CCC({})CC1",
    "c1cc({})cs1",
    "C1CCN({})CC1",
    "c1ccn({})c1",
)
GROUPS = ("C", "CC", "OC", "C(N)=O", "S(C)(=O)=O", "C(F)(F)F", "Nc1ccccc1", "c1ccncc1", "F", "Cl")


def library():
    return [ring.format(group) for ring, group in itertools.product(RINGS, GROUPS)]


@pytest.fixture
def molecules():
    return list(read_library(enumerate(library(), 1), LibraryReport()))


def test_rows_are_told_apart():
    report = LibraryReport()
    rows = ["CCO", "OCC", "C(", "C[N+](C)(C)C", "CB(O)O", "F/C=C/F", "F/C=C\\F", ""]
    molecules = list(read_library(enumerate(rows, 1), report))
    assert [m.smiles for m in molecules] == ["CCO", "FC=CF"]
    assert report.n_rows == 8
    assert report.n_duplicates == 2
    assert [row for row, _ in report.unreadable] == [3, 8]
    assert report.unsuitable["net charge"] == 1
    assert report.unsuitable["element B"] == 1


def test_no_molecule_is_kept():
    report = LibraryReport()
    rows = enumerate(["C(", *library(), *library(), *["C("] * 20], 1)
    alive = [weakref.ref(molecule) for molecule in read_library(rows, report)]
    assert len(alive) == report.n_molecules == report.n_duplicates == len(library())
    assert not any(molecule() for molecule in alive)
    assert (report.n_unreadable, len(report.unreadable)) == (21, MAX_REASONS)
    assert report.unreadable[0][0] == 1


def test_cut_molecules_come_back_as_they_were(molecules):
    cuts = [decompose(molecule.mol) for molecule in molecules]
    kept = CutLibrary()
    for cut in cuts:
        kept.append(cut)
    assert (list(kept), list(kept), len(kept)) == (cuts, cuts, len(cuts))


def test_what_is_too_large_or_too_symmetric_for_a_fragment_is_left_out(molecules):
    tree = "C"
    for _ in range(3):
        tree = f"C({tree})({tree}){tree}"
    odd = [f"c1ccccc1{tree}", "c1ccccc1" + "C" * 1900]
    options = MiningOptions(min_count=1, min_pair_count=1, max_heavy_atoms=50)
    plain = mine(molecules, "v", options)
    with_odd = [*molecules, *read_library(enumerate(odd), LibraryReport())]
    result = mine(with_odd, "v", options)
    assert result.vocabulary.index.keys() == plain.vocabulary.index.keys()
    assert result.library.n_rebuilt == plain.library.n_rebuilt


def test_about_a_tenth_is_held_out_whatever_the_order(molecules):
    held = {m.smiles for m in molecules if is_held_out(m)}
    again = {m.smiles for m in reversed(molecules) if is_held_out(m)}
    assert held == again
    assert 0 < len(held) < len(molecules) / 4


def test_everything_frequent_is_rebuilt(molecules):
    options = MiningOptions(size=50, min_count=1, min_pair_count=1)
    result = mine(molecules, "all", options)
    assert {("C=", "n"), ("F", "n"), ("C@", "Cl")} <= set(result.dropped_pairs)
    assert not any(is_sound_pair(*pair) for pair in result.dropped_pairs)
    # No molecule here has two junctions that are left out.
    lost = sum(result.dropped_pairs.values()) + result.library.n_single
    assert result.library.n_rebuilt == result.library.n_molecules - lost
    assert not lint(result.vocabulary).faults
    assert "unique" in dict(lint(result.vocabulary).facts)["decoding"]


def test_coverage_agrees_with_the_parser(molecules):
    result = mine(molecules, "small", MiningOptions(size=8, min_count=2, min_pair_count=2))
    assert len(result.vocabulary) <= 8
    parser = Parser(result.vocabulary)
    for molecule in molecules:
        counted = measure_coverage([decompose(molecule.mol)], result.vocabulary, 9).n_rebuilt
        assert counted == len(parser.trees(molecule.mol))


def test_fragments_come_most_frequent_first_with_what_was_seen(molecules):
    result = mine(molecules, "all", MiningOptions(min_count=1, min_pair_count=1))
    counts = [f.count for f in result.vocabulary.fragments]
    assert counts == sorted(counts, reverse=True)
    by_smiles = {f.smiles: f for f in result.vocabulary.fragments}
    # Piperidine was only ever substituted at nitrogen.
    assert by_smiles["C1CCNCC1"].site_types == ("N@",)
    assert dict(by_smiles["F"].capacities) == {0: 1}


def test_the_same_library_gives_the_same_vocabulary_in_any_order(molecules):
    options = MiningOptions(size=8, min_count=2, min_pair_count=2)
    forward = mine(molecules, "v", options).vocabulary
    assert mine(molecules[::-1], "v", options).vocabulary == forward


def test_excluded_and_large_templates_stay_out(molecules):
    options = MiningOptions(min_count=1, min_pair_count=1, max_heavy_atoms=5)
    result = mine(molecules, "v", options, excluded=lambda mol: mol.GetNumAtoms() == 2)
    sizes = {f.n_heavy_atoms for f in result.vocabulary.fragments}
    assert max(sizes) <= 5
    assert 2 not in sizes


def test_nothing_frequent_is_an_error(molecules):
    with pytest.raises(VocabularyError, match="smaller --min-count"):
        mine(molecules[:2], "v", MiningOptions())


def test_coverage_of_nothing_is_no_number():
    nothing = Coverage(0, 0, 0, 0)
    assert nothing.share != nothing.share
