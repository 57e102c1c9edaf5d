"""The linter of vocabularies."""

from dataclasses import replace

import pytest

from molgfn.fragments.fragment import Fragment
from molgfn.fragments.lint import lint, partners
from molgfn.fragments.probing import probe_decoding
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.fragments.vocabulary_file import find_vocabulary

BENZENE = Fragment.build("c1ccccc1", dict.fromkeys(range(6), 1))
METHANE = Fragment.build("C", {0: 4})
ETHANE = Fragment.build("CC", {0: 3, 1: 3})
FLUORINE = Fragment.build("F", {0: 1})
CHAINS = Vocabulary("chains", (METHANE, ETHANE, FLUORINE))


def test_the_shipped_vocabulary_is_clean():
    vocabulary = find_vocabulary("default")
    report = lint(vocabulary)
    assert report.faults == ()
    assert report.warnings == ()
    assert dict(report.facts)["decoding"].startswith("unique")
    elements = {"N", "O", "S", "F", "Cl", "Br", "I"}
    hetero = [p for p in vocabulary.pairs if {k.rstrip("@=+-").capitalize() for k in p} <= elements]
    assert hetero == [("N@", "S=")]


def test_unique_decoding_is_measured_where_the_rule_is_broken():
    report = lint(CHAINS)
    assert report.faults == ()
    assert any("touch no ring atom" in w for w in report.warnings)
    most = max(each.most for each in probe_decoding(CHAINS))
    (warning,) = (w for w in report.warnings if "several trees" in w)
    assert f"up to {most}-fold" in warning
    assert "set reward.divide_by_multiplicity=true" in warning
    facts = dict(report.facts)
    assert facts["decoding"].startswith("not unique")
    assert [name.strip() for name in facts if name.strip().isdigit()] == ["2", "3", "4", "5", "6"]


def test_a_vocabulary_without_several_trees_warns_of_none():
    toluene = Fragment.build("Cc1ccccc1", {0: 1})
    report = lint(Vocabulary("v", (toluene, FLUORINE)))
    assert dict(report.facts)["decoding"].startswith("no molecule with several trees found")
    assert not any("several trees" in w for w in report.warnings)


def test_a_fragment_with_an_uncut_ring_bond_is_named():
    toluene = Fragment.build("Cc1ccccc1", {0: 1})
    report = lint(Vocabulary("v", (toluene, BENZENE, METHANE), frozenset({("C", "c")})))
    assert any("Cc1ccccc1" in w for w in report.warnings)


def test_dead_ends_are_faults():
    vocabulary = Vocabulary("v", (BENZENE, METHANE, FLUORINE), frozenset({("C", "c")}))
    (fault,) = lint(vocabulary).faults
    assert fault.startswith("fragment 3 (F)")
    assert partners(vocabulary, 0) == [1]
    assert partners(vocabulary, 2) == []


def test_entries_decide_who_may_attach():
    shut = replace(METHANE, entries=frozenset())
    pairs = frozenset({("C", "c")})
    assert partners(Vocabulary("v", (shut, BENZENE), pairs), 0) == [1]
    assert lint(Vocabulary("v", (shut, replace(BENZENE, entries=frozenset())), pairs)).faults


def test_sites_that_symmetry_does_not_keep_are_faults():
    broken = Fragment("c1ccccc1", {0: 1}, frozenset({0}))
    with pytest.raises(KeyError):
        _ = broken.site_group
    vocabulary = Vocabulary("v", (METHANE, ETHANE))
    object.__setattr__(vocabulary, "fragments", (METHANE, ETHANE, broken))
    assert any("not closed" in fault for fault in lint(vocabulary).faults)


def test_pairs_that_no_site_needs_are_named():
    pairs = frozenset({("C", "c"), ("N", "c")})
    report = lint(Vocabulary("v", (BENZENE, METHANE), pairs))
    assert any("N–c" in w for w in report.warnings)
