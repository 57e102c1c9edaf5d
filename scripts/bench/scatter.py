"""Stand-ins for what the standard implementation takes from torch_scatter, made of torch alone.

That package has no wheel for a current torch. Groups lie along the first dimension everywhere.
"""

from __future__ import annotations

import torch
from torch import Tensor


def scatter(
    src: Tensor, index: Tensor, dim: int = 0, dim_size: int | None = None, reduce: str = "sum"
) -> Tensor:
    """Sum rows by the number of their group; nothing else is asked for."""
    if (dim, reduce) != (0, "sum"):
        raise ValueError(f"expected sums along dimension 0, got {reduce!r} along {dim}")
    n_groups = int(index.max()) + 1 if dim_size is None else dim_size
    return torch.zeros(n_groups, *src.shape[1:], dtype=src.dtype).index_add(0, index, src)


scatter_sum = scatter


def scatter_max(src: Tensor, index: Tensor, dim: int, out: Tensor) -> tuple[Tensor, Tensor]:
    """Largest row of every group, no less than ``out``, and its place."""
    column = (-1, *[1] * (src.ndim - 1))
    group = index.view(column).expand_as(src)
    largest = out.scatter_reduce(dim, group, src, "amax")
    place = torch.arange(len(src)).view(column).expand_as(src)
    place = torch.where(src == largest.gather(dim, group), place, len(src))
    found = torch.full(largest.shape, len(src)).scatter_reduce(dim, group, place, "amin")
    return largest, found
