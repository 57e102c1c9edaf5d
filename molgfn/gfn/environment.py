"""The interface of states and environments.

Implemented by :mod:`molgfn.molecules.env` (trees of fragments) and
:class:`molgfn.gfn.discrete.DiscreteEnvironment` (rows of integers, such as the hypergrid).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor


class States(Protocol):
    """A batch of B states."""

    @property
    def stopped(self) -> Tensor:
        """Which states are terminal, shape ``(B,)``."""

    @property
    def device(self) -> torch.device:
        """Device of the tensors."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Tensor) -> Self: ...

    @classmethod
    def cat(cls, batches: Sequence[Self]) -> Self:
        """Concatenate batches."""

    def to_tensor(self) -> Tensor:
        """Pack the batch into one integer tensor, one row per state."""

    @classmethod
    def from_tensor(cls, packed: Tensor) -> Self:
        """Undo :meth:`to_tensor`."""


S = TypeVar("S", bound=States)
S_contra = TypeVar("S_contra", bound=States, contravariant=True)


class Environment(Protocol[S]):
    """A graph of states, explored by actions ``(B, A)`` of integers.

    Trajectories begin in the *initial state*, the start that the environment was given.
    """

    @property
    def max_steps(self) -> int:
        """Length of the longest trajectory, whose last action can only be to stop."""

    @property
    def lockstep(self) -> bool:
        """Whether batches keep their size to the longest trajectory, as suits a GPU."""

    def initial_states(self, n_states: int) -> S:
        """Make a batch of the initial state."""

    def is_initial(self, states: S) -> Tensor:
        """Mask the states that are the initial state, shape ``(B,)``."""

    def compact(self, states: S, n_steps: int) -> S:
        """Drop storage that states cannot fill within ``n_steps`` steps."""

    def stop_actions(self, n_states: int) -> Tensor:
        """The action that stops, ``(B, A)``."""

    def step(self, states: S, actions: Tensor) -> S:
        """Take an action in every state; a terminal one stays as it is."""

    def log_pb(self, following: S, actions: Tensor) -> Tensor:
        """Local log P_B of the actions that led to states, shape ``(B,)``, nats."""

    def sample_backward(self, states: S, *, generator: torch.Generator) -> tuple[S, Tensor]:
        """Go to a parent; returns parents and the forward actions.

        The result for an initial state is meaningless.
        """

    def parents(self, states: S) -> tuple[Tensor, S, Tensor, Tensor]:
        """Take every backward step.

        Returns the state of each, ascending, ``(E,)``, then as above, and local log P_B.
        The backward policy is uniform over these steps.
        """

    def log_symmetry(self, states: S) -> Tensor:
        """Potential whose difference completes the local log P_B of a step, ``(B,)``, nats."""

    def keys(self, states: S) -> list[str]:
        """Canonical keys, equal exactly for equal states."""
