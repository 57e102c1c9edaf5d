"""Reductions over groups of a packed batch."""

from __future__ import annotations

import torch
from torch import Tensor


def group_mean(values: Tensor, group: Tensor, weight: Tensor | None = None) -> Tensor:
    """Average values within groups.

    Args:
        values: Shape ``(B,)``.
        group: Number of the group of every value, from 0, shape ``(B,)``.
        weight: Positive weights, shape ``(B,)``; default: all alike.

    Returns:
        Mean of every group; 0 for one without members, shape ``(G,)``.
    """
    n_groups = int(group.max()) + 1 if len(group) else 0
    weight = torch.ones_like(values) if weight is None else weight
    none = torch.zeros(n_groups, dtype=values.dtype, device=values.device)
    total = none.index_add(0, group, weight)
    mean = none.index_add(0, group, weight * values) / total
    return torch.where(total > 0, mean, none)


def group_max(values: Tensor, group: Tensor) -> Tensor:
    """Find the largest value of every group.

    Args:
        values: Shape ``(B,)``.
        group: Number of the group of every value, from 0, shape ``(B,)``.

    Returns:
        Shape ``(G,)``, -inf for a group without members.
    """
    n_groups = int(group.max()) + 1 if len(group) else 0
    none = torch.full((n_groups,), -torch.inf, dtype=values.dtype, device=values.device)
    return none.scatter_reduce(0, group, values, "amax")


def log_sum_by_group(values: Tensor, group: Tensor, n_groups: int) -> Tensor:
    """Compute log sum exp of the values of every group.

    Args:
        values: Shape ``(N,)``, nats.
        group: Group of every value, shape ``(N,)``.
        n_groups: G.

    Returns:
        Shape ``(G,)``, -inf for a group without members, nats.
    """
    largest = torch.full((n_groups,), -torch.inf, dtype=values.dtype, device=values.device)
    largest = largest.scatter_reduce(0, group, values.detach(), "amax")
    shift = torch.where(largest.isfinite(), largest, torch.zeros_like(largest))
    total = torch.zeros_like(shift).index_add(0, group, (values - shift[group]).exp())
    return total.log() + shift
