"""Trajectory balance, with a learned log Z."""

from __future__ import annotations

from torch import Tensor

from molgfn.config.schema import TrainConfig
from molgfn.gfn.balance import Evaluated, Residuals, check_same_shape
from molgfn.gfn.environment import S


def residuals(of: Evaluated[S], _config: TrainConfig) -> Residuals:
    """Residuals of a batch and their weights."""
    total = of.batch.total
    value = trajectory_balance(total(of.log_pf), total(of.log_pb), of.log_reward, of.log_z)
    return Residuals(value, of.weight)


def trajectory_balance(log_pf: Tensor, log_pb: Tensor, log_reward: Tensor, log_z: Tensor) -> Tensor:
    r"""Residual of trajectory balance.

    .. math:: \delta(\tau) = \log Z + \sum_t \log P_F - \log R(x) - \sum_t \log P_B

    Args:
        log_pf: Sum over steps of log P_F(s'|s), shape ``(B,)``, nats.
        log_pb: Sum over steps of the symmetry-corrected log P_B(s|s'), shape ``(B,)``, nats.
        log_reward: log R(x) after the exponent beta, shape ``(B,)``, nats.
        log_z: log Z of the condition of every trajectory, shape ``(B,)``, nats.

    Returns:
        Residual of each trajectory, shape ``(B,)``, nats. The caller squares and reduces.

    Raises:
        ValueError: Shapes differ (broadcasting would hide it).

    References:
        Malkin et al. 2022, Trajectory balance. https://arxiv.org/abs/2201.13259
    """
    check_same_shape(log_pf=log_pf, log_pb=log_pb, log_reward=log_reward, log_z=log_z)
    return log_z + log_pf - log_reward - log_pb
