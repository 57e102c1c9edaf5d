"""Drawing columns: in proportion, legal ones only, in one step or in two."""

import pytest
import torch

from molgfn.gfn.draw import draw
from molgfn.molecules.env.fragment_env import STOP
from molgfn.molecules.policy.distribution import ActionDistribution

N_DRAWS = 20_000


def draws(logits, epsilon=None):
    """How often each column is drawn from one row of logits."""
    share = None if epsilon is None else torch.full((N_DRAWS,), epsilon)
    generator = torch.Generator().manual_seed(0)
    # The row of another state is there, and no draw asks for it.
    rows = torch.stack([torch.zeros_like(logits), logits])
    columns = draw(rows, torch.ones(N_DRAWS, dtype=torch.long), generator, share)
    return torch.bincount(columns, minlength=len(logits)) / N_DRAWS


@pytest.mark.parametrize("width", [7, 16, 48], ids=["one step", "one block", "three blocks"])
@pytest.mark.parametrize("epsilon", [None, 0.0, 0.3, 1.0])
def test_columns_come_in_proportion(width, epsilon):
    logits = torch.randn(width, generator=torch.Generator().manual_seed(1))
    logits[::3] = -torch.inf
    share, legal = epsilon or 0.0, logits > -torch.inf
    expected = (1 - share) * logits.softmax(0) + share * legal / legal.sum()
    found = draws(logits, epsilon)
    assert (found[~legal] == 0).all()
    # Four standard deviations of a count, and no two columns are alike.
    assert ((found - expected).abs() < 4 * (expected / N_DRAWS).sqrt() + 1e-9).all()


def test_the_logits_stay_as_they_are():
    logits = torch.tensor([[0.0, 1.0, -torch.inf]]).repeat(50, 1)
    kept = logits.clone()
    draw(logits, torch.arange(50), torch.Generator(), torch.ones(50))
    assert torch.equal(logits, kept)


class LargestDraw:
    """Uniform numbers as large as they come, where rounding could lead beyond the last column."""

    def __call__(self, *shape, dtype, **_):
        return torch.full(shape, 1 - torch.finfo(dtype).eps / 2, dtype=dtype)


@pytest.mark.parametrize("width", [4, 32])
def test_the_largest_random_number_draws_the_last_legal_column(monkeypatch, width):
    logits = torch.full((2, width), -torch.inf)
    logits[:, :4] = torch.tensor([[0.3, -7.0, 2.0, -torch.inf], [0.0, 0.0, -80.0, 0.0]])
    monkeypatch.setattr(torch, "rand", LargestDraw())
    assert draw(logits, torch.arange(2), torch.Generator(), None).tolist() == [2, 3]


def test_pairs_of_state_and_row_are_asked_for_once():
    """Three states of two rows; log-probabilities and draws are those of every action by itself."""
    row_logits = torch.randn(3, 3, generator=torch.Generator().manual_seed(2))
    table = torch.randn(3, 2, 16, generator=torch.Generator().manual_seed(3))
    asked = []

    def entry_logits(index, rows):
        asked.append(list(zip(index.tolist(), rows.tolist(), strict=True)))
        return table[index, rows]

    distribution = ActionDistribution(row_logits, entry_logits, False)
    index = torch.tensor([2, 0, 2, 2, 1, 0])
    actions = torch.tensor([[1, 4], [0, 7], [1, 9], [0, 4], [STOP, STOP], [0, 7]])
    found = distribution.log_prob(actions, index)
    assert sorted(asked.pop()) == [(0, 0), (2, 0), (2, 1)]
    for place, (state, (row, entry)) in enumerate(
        zip(index.tolist(), actions.tolist(), strict=True)
    ):
        expected = row_logits[state].log_softmax(0)[row]
        if row != STOP:
            expected = expected + table[state, row].log_softmax(0)[entry]
        assert torch.isclose(found[place], expected)

    index = torch.arange(3).repeat_interleave(N_DRAWS)
    drawn = distribution.sample(index, torch.Generator().manual_seed(0), None)
    assert len(asked[0]) == len(set(asked[0])) == 6
    for state in range(3):
        for row in range(2):
            entries = drawn[(index == state) & (drawn[:, 0] == row), 1]
            expected = table[state, row].softmax(0)
            share = torch.bincount(entries, minlength=16) / len(entries)
            assert ((share - expected).abs() < 4 * (expected / len(entries)).sqrt()).all()
