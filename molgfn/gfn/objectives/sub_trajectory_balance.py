"""Sub-trajectory balance: every stretch of a trajectory."""

from __future__ import annotations

import torch
from torch import Tensor

from molgfn.config.schema import TrainConfig
from molgfn.gfn.balance import Evaluated, Residuals, flows_with_end
from molgfn.gfn.environment import S


def residuals(of: Evaluated[S], config: TrainConfig) -> Residuals:
    """Residuals of a batch and their weights."""
    padded, length = of.batch.padded, of.batch.length
    value, weight = sub_trajectory_balance(
        flows_with_end(of),
        padded(of.log_pf),
        padded(of.log_pb),
        length,
        config.sub_trajectory_decay,
    )
    return Residuals(value, weight * of.weight[:, None, None])


def sub_trajectory_balance(
    log_flow: Tensor, log_pf: Tensor, log_pb: Tensor, length: Tensor, decay: float
) -> tuple[Tensor, Tensor]:
    r"""Residual of balance on every stretch of a trajectory, weighted by its length.

    .. math:: \delta_{ij} = \log F(s_i) + \sum_{t=i}^{j-1} \log P_F
                  - \log F(s_j) - \sum_{t=i}^{j-1} \log P_B,
              \quad w_{ij} \propto \lambda^{j-i}

    With h_t = log F(s_t) - sum up to t of (log P_F - log P_B), a stretch's residual is
    h_i - h_j, so all of them are one outer difference.

    Args:
        log_flow: log F of the states of every trajectory, log R(x) at its end, ``(B, L + 1)``,
            nats.
        log_pf: log P_F(s'|s) of every transition, 0 after the end, shape ``(B, L)``, nats.
        log_pb: Symmetry-corrected log P_B(s|s'), 0 after the end, shape ``(B, L)``, nats.
        length: Number of transitions of every trajectory, shape ``(B,)``.
        decay: lambda, > 0; small values tend to detailed, large ones to trajectory balance.

    Returns:
        Residuals, nats, and weights that sum to 1 over a trajectory and are 0 where there is no
        stretch, each ``(B, L + 1, L + 1)``.

    References:
        Madan et al. 2022, Learning GFlowNets from partial episodes.
        https://arxiv.org/abs/2209.12782
    """
    passed = (log_pf - log_pb).cumsum(1)
    height = log_flow - torch.cat([torch.zeros_like(passed[:, :1]), passed], 1)
    residual = height[:, :, None] - height[:, None, :]
    place = torch.arange(log_flow.shape[1], device=length.device)
    span = place[None, :] - place[:, None]
    inside = (span > 0) & (place[None, None, :] <= length[:, None, None])
    weight = torch.where(inside, decay ** span.to(residual.dtype), 0.0)
    return residual, weight / weight.sum((1, 2), keepdim=True)
