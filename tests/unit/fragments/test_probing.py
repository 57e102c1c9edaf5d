"""How many trees make random molecules."""

import math

import pytest

from molgfn.fragments.fragment import Fragment
from molgfn.fragments.probing import Ambiguity, probe_decoding
from molgfn.fragments.vocabulary import Vocabulary

METHANE = Fragment.build("C", {0: 2})
ETHANE = Fragment.build("CC", {0: 1, 1: 1})
FLUORINE = Fragment.build("F", {0: 1})


def test_trees_are_counted_by_hand():
    # Chains of methane and ethane: the trees are the compositions of the length into 1 and 2, up
    # to the direction in which they are read.
    found = probe_decoding(Vocabulary("v", (METHANE, ETHANE)), {2: 50})
    # Ethane, propane, butane: CC, C-C; C-CC, C-C-C; CC-CC, C-CC-C, C-C-CC, C-C-C-C.
    logs = [math.log(2), math.log(2), math.log(4)]
    assert found == (Ambiguity(2, 3, 3, 4, pytest.approx(sum(logs) / 3), 0),)


def test_only_molecules_of_the_size_count():
    found = probe_decoding(Vocabulary("v", (FLUORINE,)), {2: 5, 3: 5})
    assert found == (Ambiguity(2, 1, 0, 1, 0.0, 0),)


def test_what_cannot_be_counted_is_told_apart(monkeypatch):
    monkeypatch.setattr("molgfn.fragments.parsing.MAX_COVERS", 3)
    (found,) = probe_decoding(Vocabulary("v", (METHANE, ETHANE)), {2: 50})
    assert found.n_probed > 0
    assert found.n_probed + found.n_uncounted == 3


def test_a_budget_ends_the_counting(monkeypatch):
    monkeypatch.setattr("molgfn.fragments.probing.MAX_TREES", 2)
    (found,) = probe_decoding(Vocabulary("v", (METHANE, ETHANE)), {2: 50})
    assert found.n_probed == 1
