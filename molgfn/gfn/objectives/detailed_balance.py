"""Detailed balance: every transition by itself."""

from __future__ import annotations

import torch
from torch import Tensor

from molgfn.config.schema import TrainConfig
from molgfn.gfn.balance import Evaluated, Residuals, flows_with_end
from molgfn.gfn.environment import S


def residuals(of: Evaluated[S], _config: TrainConfig) -> Residuals:
    """Residuals of a batch and their weights."""
    padded, length = of.batch.padded, of.batch.length
    value = detailed_balance(flows_with_end(of), padded(of.log_pf), padded(of.log_pb))
    place = torch.arange(value.shape[1], device=value.device)
    return Residuals(value, (place < length[:, None]) * of.weight[:, None])


def detailed_balance(log_flow: Tensor, log_pf: Tensor, log_pb: Tensor) -> Tensor:
    r"""Residual of detailed balance on every transition.

    .. math:: \delta(s \to s') = \log F(s) + \log P_F(s'|s) - \log F(s') - \log P_B(s|s')

    Args:
        log_flow: log F of the states of every trajectory, log R(x) at its end, ``(B, L + 1)``,
            nats.
        log_pf: log P_F(s'|s) of every transition, 0 after the end, shape ``(B, L)``, nats.
        log_pb: Symmetry-corrected log P_B(s|s'), 0 after the end, shape ``(B, L)``, nats.

    Returns:
        Residual of every transition, meaningless after the end, shape ``(B, L)``, nats.

    References:
        Bengio et al. 2021, GFlowNet foundations. https://arxiv.org/abs/2111.09266
    """
    return log_flow[:, :-1] + log_pf - log_flow[:, 1:] - log_pb
