"""Vocabulary files: round trip and strict reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from molgfn.errors import VocabularyError
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.fragments.vocabulary_file import (
    dump_vocabulary,
    find_vocabulary,
    load_vocabulary,
    save_vocabulary,
)

POOL = (
    ("c1ccccc1", dict.fromkeys(range(6), 1)),
    ("C", {0: 4}),
    ("Cl", {0: 1}),
    ("C#N", {0: 1}),
    ("O=[SH2]=O", {1: 2}),
    ("O=[NH+][O-]", {1: 1}),
    ("c1cn[nH]c1", {0: 1, 3: 1}),
    ("CCO", {0: 2, 2: 1}),
    ("N", {0: 3}),
)
GOOD = """format: 1
name: tiny
pairs:
- ["C", "c", 12]
fragments:
- {smiles: "c1ccccc1", sites: {0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1}, count: 9}
- {smiles: "C", sites: {0: 4}}
- {smiles: "CO", sites: {0: 3, 1: 1}, entries: [1]}
"""
# Blanks that are not ASCII, and marks of YAML, are where writers of YAML go wrong.
AWKWARD = st.text(" \xa0\u2003:-#'\"{[]},&*!|>%@~?no01e\\", max_size=6)
TEXT = AWKWARD | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)


@st.composite
def vocabularies(draw):
    chosen = draw(st.lists(st.sampled_from(POOL), min_size=1, unique_by=lambda row: row[0]))
    fragments = []
    for smiles, sites in chosen:
        doors = draw(st.none() | st.just(frozenset(list(sites)[:1])))
        count = draw(st.integers(0, 10**6))
        fragments.append(Fragment.build(smiles, sites, doors, count, close=True))
    kinds = st.sampled_from(["C", "C=", "N", "c", "n", "Cl", "N+="])
    pair = st.tuples(kinds, kinds).map(lambda p: tuple(sorted(p)))
    pairs = draw(st.none() | st.frozensets(pair))
    plain = st.none() | st.booleans() | st.integers() | TEXT
    provenance = draw(st.dictionaries(TEXT, plain | st.lists(plain, max_size=3), max_size=3))
    return Vocabulary(draw(TEXT.filter(bool)), tuple(fragments), pairs, provenance)


@given(vocabularies())
def test_a_saved_vocabulary_comes_back_equal(tmp_path_factory, vocabulary):
    path = tmp_path_factory.mktemp("round") / "v.yaml"
    counts = dict.fromkeys(vocabulary.pairs or (), 3)
    save_vocabulary(vocabulary, path, counts)
    back = load_vocabulary(path)
    assert back == vocabulary
    assert back.digest == vocabulary.digest


def test_one_line_per_fragment(tmp_path):
    path = tmp_path / "v.yaml"
    path.write_text(GOOD)
    vocabulary = load_vocabulary(path)
    assert vocabulary.fragments[2].entries == frozenset({1})
    assert dump_vocabulary(vocabulary, {("C", "c"): 12}) == GOOD


def test_the_shipped_vocabulary_is_found_by_name_and_by_path(repository):
    by_name = find_vocabulary("default")
    assert 200 <= len(by_name) <= 300
    assert max(f.n_heavy_atoms for f in by_name.fragments) <= 18
    assert find_vocabulary(str(repository / "fragments" / "default.yaml")) == by_name


@pytest.mark.parametrize("name", ["nonesuch", "nonesuch.yaml", "no/such/file.yaml"])
def test_an_unknown_vocabulary_is_one_clear_line(name):
    with pytest.raises(VocabularyError) as caught:
        find_vocabulary(name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (GOOD, "", "an empty file"),
        (GOOD, "- 1\n", "got a list"),
        (GOOD, "a: [", "line"),
        (GOOD, "\0", "not readable|YAML"),
        ("format: 1", "format: 9", "format is 9"),
        ("format: 1\n", "", "format is nothing"),
        ("name: tiny", "name: 3", "'name' must be"),
        ("name: tiny", "name: tiny\nname: tiny", "twice"),
        ("name: tiny", "name: tiny\nprovenance: x", "'provenance' must be"),
        ("name: tiny", "title: tiny", "the key 'title' is not known"),
        ("count: 9", "counts: 9", r"fragment 1 \(c1ccccc1\): the key 'counts'"),
        ("count: 9", "count: -9", "fragment 1 .*'count' must be"),
        ("{0: 4}", "{0: 5}", r"fragment 2 \(C\): site 0 of C has capacity 5"),
        ("{0: 4}", "{7: 1}", r"fragment 2 \(C\): site 7 of C is no atom"),
        ("{0: 4}", "{0: yes}", "fragment 2 .*'sites' must map"),
        ("{0: 4}", "[0]", "fragment 2 .*'sites' must map"),
        ("{0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1}", "{0: 1}", "fragment 1 .*not closed"),
        ("entries: [1]", "entries: 1", "fragment 3 .*'entries' must be"),
        ("entries: [1]", "entries: [2]", "fragment 3 .*not among its sites"),
        ('smiles: "C",', 'smiles: "C(",', "fragment 2 .*RDKit cannot read"),
        ('smiles: "C",', 'smiles: "*",', "fragment 2 .*wildcard"),
        ('smiles: "C",', "smiles: 4,", "fragment 2: expected a mapping"),
        ('{smiles: "C", sites: {0: 4}}', "C", "fragment 2: expected a mapping"),
        ('smiles: "CO", sites: {0: 3, 1: 1}, entries: [1]', 'smiles: "C", sites: {0: 1}', "both C"),
        ('smiles: "CO", sites: {0: 3, 1: 1}', 'smiles: "C/C=C/O", sites: {0: 3, 3: 1}', "stereo"),
        ('["C", "c", 12]', '["C"]', "pair 1: expected"),
        ('["C", "c", 12]', '["C", "c", -1]', "pair 1: expected"),
        ('["C", "c", 12]', '["C", "c"]\n- ["c", "C"]', "pair 2: C, c is given twice"),
        ('\n- ["C", "c", 12]', " 7", "'pairs' must be a list"),
    ],
)
def test_a_wrong_file_names_file_entry_and_cure(tmp_path, old, new, message):
    path = tmp_path / "bad.yaml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(VocabularyError, match=message) as caught:
        load_vocabulary(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_binary_garbage_is_refused(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(VocabularyError, match="not UTF-8"):
        load_vocabulary(path)
