"""Stand-ins for what the standard implementation takes from torch_scatter, made of torch alone.

That package has no wheel for a current torch. Each function is one or two operations of torch.
"""

from __future__ import annotations

import torch
from torch import Tensor


def scatter_sum(
    src: Tensor,
    index: Tensor,
    dim: int = -1,
    out: Tensor | None = None,
    dim_size: int | None = None,
) -> Tensor:
    """Sum rows by the number of their group."""
    if out is None:
        shape = list(src.shape)
        shape[dim] = int(index.max()) + 1 if dim_size is None else dim_size
        out = torch.zeros(shape, dtype=src.dtype)
    return out.index_add(dim, index, src)


scatter_add = scatter_sum


def scatter(
    src: Tensor,
    index: Tensor,
    dim: int = -1,
    out: Tensor | None = None,
    dim_size: int | None = None,
    reduce: str = "sum",
) -> Tensor:
    """Sum rows by the number of their group; nothing else is asked for."""
    if reduce != "sum":
        raise ValueError(f"expected reduce='sum', came {reduce!r}")
    return scatter_sum(src, index, dim, out, dim_size)


def scatter_max(
    src: Tensor,
    index: Tensor,
    dim: int = -1,
    out: Tensor | None = None,
    dim_size: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Largest row of every group, and its place along the first dimension."""
    if out is None:
        raise ValueError("expected out=")
    everywhere = index.view(-1, *[1] * (src.ndim - 1)).expand_as(src)
    largest = out.scatter_reduce(dim, everywhere, src, "amax")
    place = torch.arange(len(src)).view(-1, *[1] * (src.ndim - 1)).expand_as(src)
    is_largest = src == largest.gather(dim, everywhere)
    place = torch.where(is_largest, place, len(src))
    found = torch.full(largest.shape, len(src)).scatter_reduce(dim, everywhere, place, "amin")
    return largest, found
