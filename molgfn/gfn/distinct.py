"""Finding rows that are equal, fast: by a hash, which is then proved right."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from molgfn.gfn.environment import S


def distinct_states(states: S, group: Tensor) -> tuple[S, Tensor, Tensor]:
    """Find the states that differ: trajectories of one condition begin alike.

    Args:
        states: B states.
        group: Number of the condition of every state, shape ``(B,)``.

    Returns:
        The D distinct pairs of state and condition; which of them each state is, ``(B,)``; and
        one of the B that is like each of them, ``(D,)``.
    """
    rows = torch.cat([states.to_tensor(), group[:, None]], 1)
    distinct, index, like = distinct_rows(rows)
    return type(states).from_tensor(distinct[:, :-1]), index, like


def distinct_rows(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Find the rows that differ.

    ``Tensor.unique`` with a dimension compares rows one by one, each comparison an operation of
    its own. Here each row gets one number, a sum of its entries times random numbers modulo 2^64,
    and should two unlike rows ever share it, which the result would show, torch's way is taken.

    Args:
        rows: Shape ``(B, C)``, int64.

    Returns:
        The D distinct rows, ``(D, C)``; which of them each row is, ``(B,)``; and the number of a
        row that is like each of them, ``(D,)``.
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
    """For every number that occurs, from 0 on, a place where it does."""
    n_distinct = int(index.max()) + 1 if len(index) else 0
    places = torch.arange(len(index), device=index.device)
    return torch.zeros(n_distinct, dtype=torch.long, device=index.device).scatter(0, index, places)


@lru_cache
def _multipliers(n: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    limits = torch.iinfo(torch.int64)
    return torch.randint(limits.min, limits.max, (n,), generator=generator) | 1
