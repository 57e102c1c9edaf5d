"""A batch of positions on a hypergrid as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class HypergridStates:
    """B states of a grid of D dimensions.

    Attributes:
        coordinates: Position, each from 0 to side - 1, shape ``(B, D)``.
        stopped: Whether the state is terminal, shape ``(B,)``.
    """

    coordinates: Tensor
    stopped: Tensor

    @classmethod
    def cat(cls, batches: Sequence[HypergridStates]) -> HypergridStates:
        """Join batches one after the other.

        Args:
            batches: At least one batch, all with the same D.

        Returns:
            One batch.
        """
        return cls(
            torch.cat([b.coordinates for b in batches]), torch.cat([b.stopped for b in batches])
        )

    def __len__(self) -> int:
        return self.coordinates.shape[0]

    def __getitem__(self, index: Tensor) -> HypergridStates:
        """Select states by an integer or boolean tensor.

        Args:
            index: Indices or mask over the batch.

        Returns:
            The selected states.
        """
        return HypergridStates(self.coordinates[index], self.stopped[index])

    @property
    def device(self) -> torch.device:
        """Device of the tensors."""
        return self.coordinates.device

    def to_tensor(self) -> Tensor:
        """Pack the batch into one integer tensor, for storage.

        Returns:
            Shape ``(B, D + 1)``.
        """
        return torch.cat([self.coordinates, self.stopped[:, None].long()], 1)

    @classmethod
    def from_tensor(cls, packed: Tensor) -> HypergridStates:
        """Undo :meth:`to_tensor`.

        Args:
            packed: Shape ``(B, D + 1)``.

        Returns:
            The batch.
        """
        return cls(packed[:, :-1], packed[:, -1].bool())
