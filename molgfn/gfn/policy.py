"""The interface of policies.

Implemented by :class:`molgfn.molecules.policy.network.FlowPolicy`,
:class:`molgfn.molecules.policy.uniform.UniformPolicy` and
:class:`molgfn.gfn.perceptron.PerceptronPolicy`, which inherit the defaults from here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from molgfn.gfn.condition import Condition
from molgfn.gfn.environment import S_contra


class Distribution(Protocol):
    """A distribution over the legal actions of B states."""

    def sample(self, index: Tensor, generator: torch.Generator, epsilon: Tensor | None) -> Tensor:
        """Draw an action in the state of each index ``(S,)``, shape ``(S, A)``.

        ``epsilon`` ``(S,)`` is the share of uniform actions, None for none.
        """

    def log_prob(self, actions: Tensor, index: Tensor | None = None) -> Tensor:
        """Log-probability of each action in its state, by default one per state, nats."""


class FlowDistribution(Distribution, Protocol):
    """A distribution over actions that comes with the flow through its states."""

    @property
    def log_flow(self) -> Tensor:
        """Log of F(s)/Z, shape ``(B,)``, nats; learned by the objectives that need it."""


class Policy(Protocol[S_contra]):
    """Maps B states, each with its condition, to a distribution over actions."""

    def __call__(self, states: S_contra, condition: Condition, /) -> Distribution:
        """Compute the distribution."""

    def prepare(self, *, lockstep: bool = False) -> Callable[[S_contra, Condition], Distribution]:
        """Compute what depends on the weights alone; valid until they change.

        With ``lockstep`` the returned function never waits for the device.
        """
        return self


class FlowPolicy(Protocol[S_contra]):
    """A policy that can be trained: it knows the flow through states too."""

    def __call__(self, states: S_contra, condition: Condition, /) -> FlowDistribution:
        """Compute the distribution, differentiable in the weights."""


class PolicyNetwork(nn.Module, Policy[S_contra]):
    """A flow policy with weights, which can be saved and averaged."""
