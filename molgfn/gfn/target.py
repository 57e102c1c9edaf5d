"""What a policy is trained to follow: the reward of terminal states, kept in its parts.

Implemented by :class:`molgfn.molecules.target.target.MoleculeTarget` and
:class:`molgfn.hypergrid.target.HypergridTarget`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic

import torch
from torch import Tensor

from molgfn.gfn.condition import Condition
from molgfn.gfn.environment import S_contra


class Target(ABC, Generic[S_contra]):
    """Scores terminal states by K objectives; a stub needs :meth:`log_parts` alone.

    Attributes:
        objectives: Names of the objectives, K in all.
        member_power: Exponent of the mean over the members of an ensemble, where parts come by
            member.
    """

    objectives: tuple[str, ...] = ("Score",)
    member_power: float = 1.0

    @abstractmethod
    def log_parts(self, states: S_contra, /) -> Tensor:
        """Compute the log of every objective.

        Args:
            states: B terminal states.

        Returns:
            At most 0, NaN where a score failed, nats: shape ``(B, K)``, or ``(B, M, K)`` by each
            of M members of an ensemble, on the CPU.
        """

    def log_parts_of(self, batches: Sequence[S_contra], /) -> Iterator[Tensor]:
        """Yield the parts of each batch in turn.

        When the first is asked for, all may begin to be scored, elsewhere and at once; the result
        does not depend on that.
        """
        return map(self.log_parts, batches)

    def log_multiplicity(self, states: S_contra, /) -> Tensor:
        """Log of how many states share the reward of each, ``(B,)``, nats, on the CPU."""
        return torch.zeros(len(states))

    def log_reward(
        self, log_parts: Tensor, log_multiplicity: Tensor, condition: Condition, floor: float
    ) -> Tensor:
        r"""Compute log R(x | condition), which the policy follows; nothing else does.

        .. math:: \log R = \max\Big(\beta \sum_{i=1}^K K w_i \phi_i,\ \text{floor}\Big) - \log n

        Equal weights give the plain product of all objectives. Of an ensemble the sum is taken by
        each member, and their mean of the power ``member_power`` is the score.

        Args:
            log_parts: :math:`\phi`, as :meth:`log_parts` returns it, nats.
            log_multiplicity: log n, shape ``(B,)``, nats.
            condition: beta and w of each.
            floor: Least log reward, before n divides it, nats.

        Returns:
            Shape ``(B,)``, NaN where the score failed, nats.
        """
        score = self.log_score(log_parts, condition.weights)
        log_reward = (condition.beta * score).clamp(min=floor)
        return log_reward - log_multiplicity.to(log_reward)

    def log_score(self, log_parts: Tensor, weights: Tensor | None = None) -> Tensor:
        """Compute the log of the score, the reward before beta.

        Args:
            log_parts: As :meth:`log_parts` returns it, nats.
            weights: Share of each objective, shape ``(B, K)``; default: all alike.

        Returns:
            Shape ``(B,)``, nats.
        """
        if weights is not None:
            scale = (weights.shape[1] * weights).to(log_parts)
            log_parts = log_parts * (scale if log_parts.ndim == 2 else scale[:, None])
        by_member = log_parts.sum(-1)
        if by_member.ndim == 1:
            return by_member
        total = torch.logsumexp(self.member_power * by_member, 1)
        return (total - math.log(by_member.shape[1])) / self.member_power

    def statistics(self) -> dict[str, float]:
        """Counts worth showing, such as the distinct objects scored so far."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Everything that an exact resume needs, as plain JSON values."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Undo :meth:`state_dict`; also of a state that an older version saved."""
