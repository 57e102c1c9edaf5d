"""Conditions of trajectories: how sharp the reward is and how much each objective counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Condition:
    """Conditions of B trajectories: the sharpness of the reward and the weight of each objective.

    Given a condition, a policy draws x in proportion to R(x | condition), see
    :meth:`molgfn.gfn.target.Target.log_reward`.

    Attributes:
        log_beta: Log of the reward exponent, as networks read it, ``(B,)``, float32.
        beta: The exponent itself, ``(B,)``; kept because neither of the two gives the other back
            to the last bit.
        weights: Share of each of K objectives, rows sum to 1, shape ``(B, K)``.
    """

    log_beta: Tensor
    beta: Tensor
    weights: Tensor

    @classmethod
    def of(
        cls,
        beta: float,
        n: int = 1,
        *,
        weights: Sequence[float] = (1.0,),
        device: torch.device | str = "cpu",
    ) -> Condition:
        """Repeat one condition n times; only the ratios of the weights matter.

        Raises:
            ValueError: beta is not above 0, a weight is negative, or their sum is 0 or infinite.
        """
        if not (0 < beta < math.inf and 0 < sum(weights) < math.inf and min(weights) >= 0):
            raise ValueError(f"beta must be above 0 and weights 0 or more, got {beta}, {weights}")
        total = math.fsum(weights)
        shares = torch.tensor([w / total for w in weights], dtype=torch.float64, device=device)
        return cls(
            torch.full((n,), math.log(beta), device=device),
            torch.full((n,), beta, dtype=torch.float64, device=device),
            shares.expand(n, -1),
        )

    @classmethod
    def drawn(
        cls,
        n: int,
        beta_range: tuple[float, float],
        n_objectives: int = 1,
        *,
        generator: torch.Generator,
    ) -> Condition:
        """Draw n training conditions on the generator's device.

        beta is log-uniform, stratified over its range. Weights are uniform on the simplex, except
        in the first row, where all objectives weigh the same.
        """
        device = generator.device
        low, high = math.log(beta_range[0]), math.log(beta_range[1])
        draw = torch.rand(n, generator=generator, device=device)
        log_beta = low + (high - low) * (torch.arange(n, device=device) + draw) / n
        weights = torch.ones(n, n_objectives, device=device)
        if n_objectives > 1:
            # Exponential draws over their sum are uniform on the simplex. beta rises with the
            # row, so the rows of weights, all drawn alike, are paired with it at random.
            weights[1:] = weights[1:].exponential_(generator=generator)
        return cls.at(log_beta, weights)

    @classmethod
    def at(cls, log_beta: Tensor, weights: Tensor | None = None) -> Condition:
        """Conditions at log beta ``(B,)`` and weights ``(B, K)``; default: one objective."""
        if weights is None:
            weights = torch.ones_like(log_beta)[:, None]
        return cls(log_beta, log_beta.exp(), weights / weights.sum(1, keepdim=True))

    def __len__(self) -> int:
        return len(self.log_beta)

    def __getitem__(self, index: Tensor | slice) -> Condition:
        return Condition(self.log_beta[index], self.beta[index], self.weights[index])

    def repeat(self, n: int) -> Condition:
        """Repeat a single condition n times."""
        if len(self) != 1:
            raise ValueError(f"only a single condition can be repeated, got {len(self)}")
        return Condition(self.log_beta.expand(n), self.beta.expand(n), self.weights.expand(n, -1))

    def to(self, device: torch.device | str) -> Condition:
        """The same conditions on a device."""
        return Condition(*(tensor.to(device) for tensor in self.to_tensors()))

    @property
    def n_objectives(self) -> int:
        """K, the number of objectives."""
        return self.weights.shape[1]

    @property
    def features(self) -> Tensor:
        """Network input besides :attr:`log_beta`: the weights, none for a single objective."""
        shown = self.weights if self.n_objectives > 1 else self.weights[:, :0]
        return shown.to(self.log_beta)

    def groups(self, start: Tensor | None = None) -> Tensor:
        """Number the groups of equal conditions, in ascending order of beta, shape ``(B,)``.

        Trajectories of different starts, numbered by ``start`` ``(B,)``, never share a group: only
        those of one group share a log Z.
        """
        group: Tensor = self.log_beta.unique(return_inverse=True)[1]
        columns = list(self.features.unbind(1)) + ([] if start is None else [start])
        for column in columns:
            number = column.unique(return_inverse=True)[1]
            group = (group * len(column) + number).unique(return_inverse=True)[1]
        return group

    def to_tensors(self) -> list[Tensor]:
        """The tensors of the batch, for work that is recorded on a GPU."""
        return [self.log_beta, self.beta, self.weights]
