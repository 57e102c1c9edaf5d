"""log Z as a function of what is asked for."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

#: Steps of the thermometer that encodes log beta.
N_BETA_BINS = 16


class BetaEncoding(nn.Module):
    """Thermometer encoding of log beta over the range the policy is trained for.

    The k-th feature rises from 0 to 1 between two neighbouring marks, so that the policy can
    resolve beta at every scale; the last feature is log beta itself and tells values outside.
    """

    marks: Tensor

    def __init__(self, beta_min: float, beta_max: float) -> None:
        """Place the marks.

        Args:
            beta_min: Smallest beta of the training, > 0.
            beta_max: Largest beta of the training.
        """
        super().__init__()
        low, high = math.log(beta_min), math.log(max(beta_max, beta_min * 1.01))
        self.gap = (high - low) / N_BETA_BINS
        self.register_buffer("marks", low + self.gap * torch.arange(N_BETA_BINS), persistent=False)

    @property
    def n_features(self) -> int:
        """Number of features."""
        return N_BETA_BINS + 1

    def forward(self, log_beta: Tensor) -> Tensor:
        """Encode.

        Args:
            log_beta: Natural logarithm of beta, shape ``(B,)``.

        Returns:
            Shape ``(B, n_features)``.
        """
        steps = ((log_beta[:, None] - self.marks) / self.gap).clamp(0, 1)
        return torch.cat([steps, log_beta[:, None]], 1)


class LogPartition(nn.Module):
    """log Z as a function of beta, for objectives that learn it."""

    def __init__(self, hidden: int, *, beta_min: float, beta_max: float) -> None:
        """Build a small network.

        Args:
            hidden: Width.
            beta_min: Smallest beta of the training.
            beta_max: Largest beta of the training.
        """
        super().__init__()
        self.beta = BetaEncoding(beta_min, beta_max)
        self.net = nn.Sequential(
            nn.Linear(self.beta.n_features, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, 1)
        )

    def forward(self, log_beta: Tensor) -> Tensor:
        """Estimate log Z.

        Args:
            log_beta: Natural logarithm of beta, shape ``(B,)``.

        Returns:
            Shape ``(B,)``, nats.
        """
        value: Tensor = self.net(self.beta(log_beta))
        return value.squeeze(1)
