"""Networks that read a condition: its encoding, and log Z as a function of it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from molgfn.gfn.condition import Condition

#: Steps of the thermometer that encodes log beta.
N_BETA_BINS = 16


class ConditionEncoding(nn.Module):
    """Thermometer encoding of log beta over the training range, then log beta and the weights.

    The k-th feature rises from 0 to 1 between two neighbouring marks, so that a network can
    resolve beta at every scale; log beta itself identifies values outside the range. With a single
    objective there are no weights.
    """

    marks: Tensor

    def __init__(self, beta_min: float, beta_max: float, n_objectives: int = 1) -> None:
        super().__init__()
        self.n_objectives = n_objectives
        low, high = math.log(beta_min), math.log(max(beta_max, beta_min * 1.01))
        self.gap = (high - low) / N_BETA_BINS
        self.n_features = N_BETA_BINS + 1 + (n_objectives if n_objectives > 1 else 0)
        self.register_buffer("marks", low + self.gap * torch.arange(N_BETA_BINS), persistent=False)

    def forward(self, condition: Condition) -> Tensor:
        """Encode conditions, shape ``(B, n_features)``.

        Raises:
            ValueError: They weigh more or fewer objectives.
        """
        if condition.n_objectives != self.n_objectives:
            raise ValueError(
                f"asked with {condition.n_objectives} weights, made for {self.n_objectives}"
            )
        log_beta = condition.log_beta[:, None]
        steps = ((log_beta - self.marks) / self.gap).clamp(0, 1)
        told = [] if condition.n_objectives == 1 else [condition.features]
        return torch.cat([steps, log_beta, *told], 1)


class LogPartition(nn.Module):
    """log Z of a condition, for objectives that learn it."""

    def __init__(
        self, hidden: int, *, beta_min: float, beta_max: float, n_objectives: int = 1
    ) -> None:
        super().__init__()
        self.encode = ConditionEncoding(beta_min, beta_max, n_objectives)
        self.net = nn.Sequential(
            nn.Linear(self.encode.n_features, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, 1)
        )

    def forward(self, condition: Condition) -> Tensor:
        """Estimate log Z, shape ``(B,)``, nats."""
        value: Tensor = self.net(self.encode(condition))
        return value.squeeze(1)
