"""A flow policy for rows of integers: a perceptron on their one-hot encoding."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from molgfn.errors import ConfigError
from molgfn.gfn.condition import Condition
from molgfn.gfn.discrete import DiscreteEnvironment, RowStates
from molgfn.gfn.draw import draw
from molgfn.gfn.policy import PolicyNetwork


@dataclass(frozen=True)
class MaskedCategorical:
    """A distribution over single-integer actions, legal ones only.

    Attributes:
        logits: -inf where illegal, shape ``(B, C)``.
        log_flow: log F(s) - log Z, shape ``(B,)``, nats.
    """

    logits: Tensor
    log_flow: Tensor

    def sample(self, index: Tensor, generator: torch.Generator, epsilon: Tensor | None) -> Tensor:
        """Draw actions.

        Args:
            index: State of each action to draw, shape ``(S,)``.
            generator: Source of randomness.
            epsilon: Probability to draw uniformly among the legal actions instead, ``(S,)``; None
                = never.

        Returns:
            Actions, shape ``(S, 1)``.
        """
        return draw(self.logits, index, generator, epsilon)[:, None]

    def log_prob(self, actions: Tensor, index: Tensor | None = None) -> Tensor:
        """Compute the log-probability of actions.

        Args:
            actions: Legal actions, shape ``(A, 1)``.
            index: State of each action, shape ``(A,)``; default: one action per state, in order.

        Returns:
            Shape ``(A,)``, nats.
        """
        log_prob = self.logits.log_softmax(1)
        if index is not None:
            log_prob = log_prob[index]
        return log_prob.gather(1, actions).squeeze(1)


class PerceptronPolicy(PolicyNetwork[RowStates]):
    """P_F(action | state, condition) and the flow through the state."""

    def __init__(
        self, env: DiscreteEnvironment, hidden: int = 256, layers: int = 2, n_objectives: int = 1
    ) -> None:
        """Build the network for the environment's size.

        Raises:
            ConfigError: A size is below 1.
        """
        super().__init__()
        if hidden < 1 or layers < 1:
            raise ConfigError(f"hidden and layers must be at least 1, got {hidden} and {layers}")
        self.env = env
        n_weights = n_objectives if n_objectives > 1 else 0
        widths = [env.n_columns * env.n_levels + 1 + n_weights] + [hidden] * layers
        body: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            body += [nn.Linear(n_in, n_out), nn.ReLU()]
        self.body = nn.Sequential(*body)
        self.action_logits = nn.Linear(hidden, env.n_actions + 1)
        self.log_flow = nn.Linear(hidden, 1)

    def forward(self, states: RowStates, condition: Condition) -> MaskedCategorical:
        """Compute the distribution over the actions of every state."""
        one_hot = nn.functional.one_hot(states.values, self.env.n_levels).flatten(1)
        log_beta = condition.log_beta[:, None]
        hidden = self.body(torch.cat([one_hot.to(log_beta), log_beta, condition.features], 1))
        log_flow: Tensor = self.log_flow(hidden).squeeze(1)
        illegal = ~self.env.legal_mask(states)
        return MaskedCategorical(
            self.action_logits(hidden).masked_fill(illegal, -torch.inf), log_flow
        )
