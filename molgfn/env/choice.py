"""A choice among what is possible, all alike."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_uniform(mask: Tensor, generator: torch.Generator) -> Tensor:
    """Draw one of the marked columns of every row.

    As ``torch.multinomial`` does it, which would ask the device whether its weights are valid.

    Args:
        mask: True = possible, shape ``(B, C)``.
        generator: Source of randomness.

    Returns:
        Columns, shape ``(B,)``; any one where none is possible.
    """
    lot = torch.empty(mask.shape, device=mask.device).exponential_(generator=generator)
    return lot.reciprocal_().masked_fill_(~mask, -1.0).argmax(1)
