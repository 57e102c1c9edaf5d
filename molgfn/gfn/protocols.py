"""What the generative flow network needs of an environment, a policy and a reward.

Nothing here knows of molecules: any environment with these methods can be trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
        """Where the states live."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Tensor) -> Self: ...

    @classmethod
    def cat(cls, batches: Sequence[Self]) -> Self:
        """Join batches one after the other."""

    def to_tensor(self) -> Tensor:
        """Pack the batch into one integer tensor, one row per state."""

    @classmethod
    def from_tensor(cls, packed: Tensor) -> Self:
        """Undo :meth:`to_tensor`."""


S = TypeVar("S", bound=States)


class Environment(Protocol[S]):
    """A graph of states, explored by actions ``(B, A)`` of integers."""

    @property
    def max_steps(self) -> int:
        """Length of the longest trajectory, whose last action can only be to stop."""

    @property
    def lockstep(self) -> bool:
        """Whether trajectories keep step to the longest, so that no size is asked of the device."""

    def initial_states(self, n_states: int) -> S:
        """Make a batch of the initial state."""

    def is_initial(self, states: S) -> Tensor:
        """Tell which states are the initial state, shape ``(B,)``."""

    def compact(self, states: S, n_steps: int) -> S:
        """The same states in as little room as so many steps from the initial one can fill."""

    def stop_actions(self, n_states: int) -> Tensor:
        """The action that stops, ``(B, A)``."""

    def step(self, states: S, actions: Tensor) -> S:
        """Take an action in every state; a terminal one stays as it is."""

    def log_pb(self, following: S, actions: Tensor) -> Tensor:
        """Local log P_B of the actions that led to states, shape ``(B,)``, nats."""

    def sample_backward(self, states: S, *, generator: torch.Generator) -> tuple[S, Tensor]:
        """Go to a parent; returns parents and the forward actions.

        What comes out for an initial state does not matter.
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


class Distribution(Protocol):
    """A distribution over the legal actions of B states."""

    def sample(self, index: Tensor, generator: torch.Generator, epsilon: Tensor | None) -> Tensor:
        """Draw an action in the state of each index ``(S,)``, shape ``(S, A)``."""

    def log_prob(self, actions: Tensor, index: Tensor | None = None) -> Tensor:
        """Log-probability of each action in its state, by default one per state, nats."""


class FlowDistribution(Distribution, Protocol):
    """A distribution over actions that comes with the flow through its states."""

    @property
    def log_flow(self) -> Tensor:
        """Log of F(s)/Z, shape ``(B,)``, nats; learned by the objectives that need it."""


S_contra = TypeVar("S_contra", bound=States, contravariant=True)


class Policy(Protocol[S_contra]):
    """Maps states and conditions to a distribution over actions."""

    def __call__(self, states: S_contra, condition: Tensor, /) -> Distribution:
        """Compute the distribution; the condition has shape ``(B,)``."""


def prepared(policy: Policy[S], *, lockstep: bool = False) -> Policy[S]:
    """Prepare a policy for many calls while its weights stay as they are.

    Args:
        policy: The policy; one with a method ``prepare`` has something to compute beforehand.
        lockstep: Whether it shall ask nothing of the device.

    Returns:
        The same function.
    """
    prepare: Callable[..., Policy[S]] | None = getattr(policy, "prepare", None)
    return policy if prepare is None else prepare(lockstep=lockstep)


class FlowPolicy(Protocol[S_contra]):
    """A policy that can be trained: it knows the flow through states too."""

    def __call__(self, states: S_contra, condition: Tensor, /) -> FlowDistribution:
        """Compute the distribution; the condition has shape ``(B,)``."""


class Score(Protocol[S_contra]):
    """Scores terminal states; keeps what it has scored.

    The target is p(x) proportional to score(x)**beta / multiplicity(x).
    """

    def __call__(self, states: S_contra, /) -> Tensor:
        """Return log scores, at most 0, NaN where the score failed, shape ``(B,)``, nats."""

    def in_parts(self, parts: Sequence[S_contra], /) -> Iterator[Tensor]:
        """Yield the log scores of each part of a batch in turn.

        When the first is asked for, all parts may begin to be scored, elsewhere and at once; what
        comes out does not depend on that.
        """

    def log_multiplicity(self, states: S_contra, /) -> Tensor:
        """Return log of how many states share the reward of each, ``(B,)``, nats; mostly 0."""

    def statistics(self) -> dict[str, float]:
        """Return counts worth showing, such as the distinct objects scored so far."""

    def state_dict(self) -> dict[str, object]:
        """Return everything as plain JSON values, for an exact resume."""

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Undo :meth:`state_dict`."""
