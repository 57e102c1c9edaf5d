"""What a network of the proxy looks like: its sizes, its weights by name, its read-out.

Predicting needs no more than this (:mod:`molgfn.reward.proxy.ensemble`); the network that is
fitted, with the libraries it takes, is in :mod:`molgfn.reward.proxy.member`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from molgfn.reward.proxy.features import DESCRIPTORS, N_ATOM_CODES, N_BOND_CODES

#: The weights of a network by their names in its state dict.
Weights = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Architecture:
    """Shape of one network.

    Attributes:
        hidden: Width H of the atom states.
        layers: Rounds of message passing.
        dropout: Share of the read-out's inputs dropped while training.
    """

    hidden: int = 48
    layers: int = 3
    dropout: float = 0.1

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every weight of a network."""
        width, n_descriptors = self.hidden, len(DESCRIPTORS)
        shapes: dict[str, tuple[int, ...]] = {
            "atom.weight": (N_ATOM_CODES, width),
            "head.1.weight": (width, 3 * width + n_descriptors),
            "head.1.bias": (width,),
            "head.4.weight": (1, width),
            "head.4.bias": (1,),
            "descriptor_mean": (n_descriptors,),
            "descriptor_sd": (n_descriptors,),
        }
        for i in range(self.layers):
            shapes[f"bonds.{i}.weight"] = (N_BOND_CODES, width)
            shapes[f"convs.{i}.eps"] = (1,)
            for layer in (0, 2):
                shapes[f"convs.{i}.nn.{layer}.weight"] = (width, width)
                shapes[f"convs.{i}.nn.{layer}.bias"] = (width,)
            shapes |= dict.fromkeys((f"norms.{i}.weight", f"norms.{i}.bias"), (width,))
        return shapes


def read_out(total: Tensor, counts: Tensor, top: Tensor, descriptors: Tensor) -> Tensor:
    """Join what the head reads.

    Args:
        total: Sum of the atoms' states, shape ``(..., H)``.
        counts: Number of atoms, shape ``(..., 1)``.
        top: Largest value of each entry of the atoms' states, shape ``(..., H)``.
        descriptors: Standardised molecule descriptors, shape ``(..., len(DESCRIPTORS))``.

    Returns:
        Inputs of the head, shape ``(..., 3 H + len(DESCRIPTORS))``.
    """
    return torch.cat([total / 25.0, total / counts, top, descriptors], dim=-1)
