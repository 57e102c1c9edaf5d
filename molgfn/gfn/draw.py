"""Drawing columns of a matrix: by logits, or uniformly by a mask."""

from __future__ import annotations

import torch
from torch import Tensor

#: Block size of two-step draws; their number of columns is a multiple of it.
BLOCK = 16


def draw_uniform(mask: Tensor, generator: torch.Generator) -> Tensor:
    """Draw one of the marked columns of every row of a mask ``(B, C)``, shape ``(B,)``.

    Like ``torch.multinomial``, but without the device synchronisation of its checks. A row without
    a marked column gives an arbitrary one.
    """
    lot = torch.empty(mask.shape, device=mask.device).exponential_(generator=generator)
    return lot.reciprocal_().masked_fill_(~mask, -1.0).argmax(1)


def draw(
    logits: Tensor, index: Tensor, generator: torch.Generator, epsilon: Tensor | None
) -> Tensor:
    """Draw a legal column for every index by inversion.

    Many columns are drawn from in two steps, a block and a column within it: summing blocks takes
    a fraction of the time of a running sum.

    Args:
        logits: -inf where illegal, at least one legal per row, shape ``(B, C)``.
        index: Row of logits of every draw, shape ``(S,)``.
        generator: Source of randomness.
        epsilon: Probability to draw uniformly among the legal columns instead, shape ``(S,)``;
            None = never.

    Returns:
        Columns, shape ``(S,)``.
    """
    weights = logits.softmax(1)
    if epsilon is not None:
        uniform = torch.rand(len(index), generator=generator, device=logits.device) < epsilon
        weights = torch.cat([weights, (logits > -torch.inf).to(weights)])
        index = index + uniform * len(logits)
    if weights.shape[1] % BLOCK:
        return _invert(weights.index_select(0, index), generator)
    blocks = weights.unflatten(1, (-1, BLOCK))
    block = _invert(blocks.sum(2).index_select(0, index), generator)
    return block * BLOCK + _invert(blocks[index, block], generator)


def _invert(weights: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a column per row in proportion to weights, shape (B, C)."""
    total = weights.cumsum(1, dtype=torch.float64)
    threshold = torch.rand(
        len(weights), 1, generator=generator, dtype=torch.float64, device=weights.device
    )
    # The numbers are at most 1 - 2^-53, which keeps the product below the total.
    threshold = threshold * total[:, -1:]
    # The first column whose running total exceeds it, never one of probability 0. In a row without
    # a legal column, whose result is unused, it is the last.
    place = torch.searchsorted(total, threshold, right=True).squeeze(1)
    return place.clamp_(max=weights.shape[1] - 1)
