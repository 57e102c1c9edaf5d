"""Reductions over groups of a packed batch."""

from __future__ import annotations

import torch
from torch import Tensor


def group_mean(values: Tensor, group: Tensor, weight: Tensor | None = None) -> Tensor:
    """Average values within groups numbered from 0, each ``(B,)``.

    Weights must be positive; a group without members has mean 0, result ``(G,)``.
    """
    n_groups = int(group.max()) + 1 if len(group) else 0
    weight = torch.ones_like(values) if weight is None else weight
    none = torch.zeros(n_groups, dtype=values.dtype, device=values.device)
    total = none.index_add(0, group, weight)
    mean = none.index_add(0, group, weight * values) / total
    return torch.where(total > 0, mean, none)


def group_max(values: Tensor, group: Tensor) -> Tensor:
    """Largest value of every group, shape ``(G,)``; -inf for a group without members."""
    n_groups = int(group.max()) + 1 if len(group) else 0
    none = torch.full((n_groups,), -torch.inf, dtype=values.dtype, device=values.device)
    return none.scatter_reduce(0, group, values, "amax")


def log_sum_by_group(values: Tensor, group: Tensor, n_groups: int) -> Tensor:
    """Log sum exp of every group, shape ``(n_groups,)``, nats; -inf for a group without members."""
    largest = torch.full((n_groups,), -torch.inf, dtype=values.dtype, device=values.device)
    largest = largest.scatter_reduce(0, group, values.detach(), "amax")
    shift = torch.where(largest.isfinite(), largest, torch.zeros_like(largest))
    total = torch.zeros_like(shift).index_add(0, group, (values - shift[group]).exp())
    return total.log() + shift
