"""Finding equal rows fast: by a hash that is then verified."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from molgfn.gfn.environment import S


def distinct_states(states: S, group: Tensor) -> tuple[S, Tensor, Tensor]:
    """Find the distinct pairs of state and condition; trajectories of one condition start alike.

    Args:
        states: B states.
        group: Condition number of each state, shape ``(B,)``.

    Returns:
        The D distinct states; the index among them of each state, ``(B,)``; a representative of
        each among the B, ``(D,)``.
    """
    rows = torch.cat([states.to_tensor(), group[:, None]], 1)
    distinct, index, like = distinct_rows(rows)
    return type(states).from_tensor(distinct[:, :-1]), index, like


def distinct_rows(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Find the distinct rows of an integer matrix ``(B, C)``.

    ``Tensor.unique`` with a dimension compares rows one by one, one operation per comparison.
    Here each row is hashed to a sum of its entries times random numbers modulo 2^64. Should two
    unlike rows ever collide, which the result would show, torch's way is taken.

    Returns:
        The D distinct rows, ``(D, C)``; the index among them of each row, ``(B,)``; a
        representative of each among the B, ``(D,)``.
    """
    keys = (rows * _multipliers(rows.shape[1]).to(rows.device)).sum(1)
    index = keys.unique(return_inverse=True)[1]
    like = _representatives(index)
    distinct = rows.index_select(0, like)
    if not torch.equal(distinct.index_select(0, index), rows):
        distinct, index = rows.unique(dim=0, return_inverse=True)
        like = _representatives(index)
    return distinct, index, like


def _representatives(index: Tensor) -> Tensor:
    """A position of each number from 0 on."""
    n_distinct = int(index.max()) + 1 if len(index) else 0
    places = torch.arange(len(index), device=index.device)
    return torch.zeros(n_distinct, dtype=torch.long, device=index.device).scatter(0, index, places)


@lru_cache
def _multipliers(n: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    limits = torch.iinfo(torch.int64)
    return torch.randint(limits.min, limits.max, (n,), generator=generator) | 1
