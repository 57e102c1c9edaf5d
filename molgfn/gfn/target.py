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
from molgfn.gfn.prior import Prior
from molgfn.gfn.trajectories import Trajectories


class Target(ABC, Generic[S_contra]):
    """Scores terminal states by K objectives; a stub needs :meth:`log_parts` alone.

    Attributes:
        objectives: Names of the K objectives.
        member_power: Exponent of the mean over the members of an ensemble, where parts come by
            member.
        prior: The law that multiplies the reward; none by default.
    """

    objectives: tuple[str, ...] = ("Score",)
    member_power: float = 1.0
    prior: Prior[S_contra] | None = None

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

    def log_base(self, states: S_contra, /) -> Tensor:
        r"""Log of what multiplies the reward under every condition, ``(B,)``, nats, CPU.

        .. math:: \alpha \log p_0(x) - \log n
        """
        shared = -self.log_multiplicity(states)
        return shared if self.prior is None else shared + self.prior.log_factor(states)

    def balanced(self, batch: Trajectories[S_contra], /) -> tuple[Tensor, Tensor]:
        """Log base of the ends of a batch ``(B,)`` and log P_B ``(T,)``, nats.

        With a prior its P_F0 takes the place of P_B, and the base is what that leaves.
        """
        shared = -self.log_multiplicity(batch.terminal)
        if self.prior is None:
            return shared, batch.log_pb
        return shared + self.prior.log_rest(batch), self.prior.log_pf(batch)

    def log_reward(
        self, log_parts: Tensor, log_base: Tensor, condition: Condition, floor: float
    ) -> Tensor:
        r"""Compute log R(x | condition), the only target of the policy.

        .. math:: \log R = \max\Big(\beta \sum_{i=1}^K K w_i \phi_i,\ \text{floor}\Big) + \log b

        Equal weights give the plain product of all objectives. With an ensemble the sum is taken
        per member, and the power mean over members with exponent ``member_power`` is the score.

        Args:
            log_parts: :math:`\phi`, as :meth:`log_parts` returns it, nats.
            log_base: log b, as :meth:`log_base` returns it, shape ``(B,)``, nats.
            condition: beta and w of each.
            floor: Least log reward before the base, nats.

        Returns:
            Shape ``(B,)``, NaN where the score failed, nats.

        Raises:
            ValueError: The shapes do not match.
        """
        if (len(log_parts),) != log_base.shape or len(log_parts) != len(condition):
            raise ValueError(
                f"log_parts {tuple(log_parts.shape)}, log_base {tuple(log_base.shape)} and "
                f"{len(condition)} conditions do not match"
            )
        score = self.log_score(log_parts, condition.weights)
        log_reward = (condition.beta * score).clamp(min=floor)
        return log_reward + log_base.to(log_reward)

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
