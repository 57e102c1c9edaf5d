"""Drawing columns: in proportion, legal ones only, in one step or in two."""

import pytest
import torch

from molgfn.policy.distribution import draw

N_DRAWS = 20_000


def draws(logits, epsilon=None):
    """How often each column is drawn from one row of logits."""
    share = None if epsilon is None else torch.full((N_DRAWS,), epsilon)
    generator = torch.Generator().manual_seed(0)
    columns = draw(logits.expand(N_DRAWS, -1), generator, share)
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
    draw(logits, torch.Generator(), torch.ones(50))
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
    assert draw(logits, torch.Generator(), None).tolist() == [2, 3]
