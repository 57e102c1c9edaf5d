"""The interface of training targets: the reward of terminal states, kept in its parts.

Implemented by :class:`molgfn.molecules.target.MoleculeTarget` and
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
        objectives: Names of the K objectives.
        member_power: Exponent of the mean over the members of an ensemble, where parts come by
            member.
    """

    objectives: tuple[str, ...] = ("Score",)
    member_power: float = 1.0

    @abstractmethod
    def log_parts(self, states: S_contra, /) -> Tensor:
        """Log of every objective, at most 0, NaN where a score failed, nats, on the CPU.

        Shape ``(B, K)``, or ``(B, M, K)`` for the M members of an ensemble.
        """

    def log_parts_of(self, batches: Sequence[S_contra], /) -> Iterator[Tensor]:
        """Yield the parts of each batch in turn.

        Scoring of all batches may start, elsewhere and in parallel, with the first; results do not
        depend on it.
        """
        return map(self.log_parts, batches)

    def log_multiplicity(self, states: S_contra, /) -> Tensor:
        """Log of the number of states that share the reward of each, ``(B,)``, nats, CPU."""
        return torch.zeros(len(states))

    def log_reward(
        self, log_parts: Tensor, log_multiplicity: Tensor, condition: Condition, floor: float
    ) -> Tensor:
        r"""Compute log R(x | condition), the only target of the policy.

        .. math:: \log R = \max\Big(\beta \sum_{i=1}^K K w_i \phi_i,\ \text{floor}\Big) - \log n

        Equal weights give the plain product of all objectives. With an ensemble the sum is taken
        per member, and the power mean over members with exponent ``member_power`` is the score.

        Args:
            log_parts: :math:`\phi`, as :meth:`log_parts` returns it, nats.
            log_multiplicity: log n, shape ``(B,)``, nats.
            condition: beta and w of each.
            floor: Least log reward before division by n, nats.

        Returns:
            Shape ``(B,)``, NaN where the score failed, nats.

        Raises:
            ValueError: The shapes do not match.
        """
        if (len(log_parts),) != log_multiplicity.shape or len(log_parts) != len(condition):
            raise ValueError(
                f"log_parts {tuple(log_parts.shape)}, log_multiplicity "
                f"{tuple(log_multiplicity.shape)} and {len(condition)} conditions do not match"
            )
        score = self.log_score(log_parts, condition.weights)
        log_reward = (condition.beta * score).clamp(min=floor)
        return log_reward - log_multiplicity.to(log_reward)

    def log_score(self, log_parts: Tensor, weights: Tensor | None = None) -> Tensor:
        """Log of the score, the reward before beta, shape ``(B,)``, nats.

        ``weights`` ``(B, K)`` are shares of the objectives; default: equal.

        Raises:
            ValueError: There are more or fewer weights than objectives.
        """
        if weights is not None:
            if weights.shape[1] != log_parts.shape[-1]:
                raise ValueError(f"{weights.shape[1]} weights for {log_parts.shape[-1]} objectives")
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
