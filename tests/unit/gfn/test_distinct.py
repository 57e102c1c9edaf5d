"""Distinct rows against torch's own, with hashes that work and with hashes that do not."""

import pytest
import torch

from molgfn.gfn import distinct
from molgfn.gfn.discrete import RowStates
from molgfn.gfn.distinct import distinct_rows, distinct_states


def check(rows):
    found, index, like = distinct_rows(rows)
    expected = rows.unique(dim=0)
    assert torch.equal(found[index], rows)
    assert torch.equal(rows[like], found)
    assert torch.equal(found.unique(dim=0), expected)
    assert len(found) == len(expected)


@pytest.mark.parametrize("n", [0, 1, 2, 500])
def test_they_are_those_of_torch(n):
    generator = torch.Generator().manual_seed(n)
    check(torch.randint(-1, 2, (n, 5), generator=generator))
    check(torch.randint(-1, 1000, (n, 38), generator=generator))


def test_rows_that_share_a_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(distinct, "_multipliers", lambda n: torch.ones(n, dtype=torch.long))
    check(torch.tensor([[1, 2], [2, 1], [0, 3], [1, 2], [5, 5]]))


def test_equal_states_of_one_condition_are_found_and_others_stay_apart():
    states = RowStates(
        torch.tensor([[1, 2], [1, 2], [2, 1], [1, 2], [1, 2]]),
        torch.tensor([False, False, False, False, True]),
    )
    group = torch.tensor([0, 0, 0, 1, 0])
    distinct, index, like = distinct_states(states, group)
    assert len(distinct) == 4
    assert index[0] == index[1]
    assert len(index[[0, 2, 3, 4]].unique()) == 4
    assert torch.equal(distinct[index].to_tensor(), states.to_tensor())
    assert torch.equal(group[like][index], group)
