"""Trajectory balance with log Z estimated from each group (log-partition variance)."""

from __future__ import annotations

from torch import Tensor

from molgfn.config.schema import TrainConfig
from molgfn.gfn.balance import Evaluated, Residuals, check_same_shape
from molgfn.gfn.environment import S
from molgfn.gfn.segments import group_mean


def residuals(of: Evaluated[S], _config: TrainConfig) -> Residuals:
    """Residuals of a batch and their weights."""
    total = of.batch.total
    value = vargrad(total(of.log_pf), total(of.log_pb), of.log_reward, of.group, of.weight)
    return Residuals(value, of.weight)


def vargrad(
    log_pf: Tensor, log_pb: Tensor, log_reward: Tensor, group: Tensor, weight: Tensor
) -> Tensor:
    r"""Residual of trajectory balance with log Z estimated within groups of one condition.

    .. math:: \delta_i = \bar\zeta_{g(i)} - \zeta_i, \quad
              \zeta = \log R(x) + \sum_t \log P_B - \sum_t \log P_F

    The weighted mean of a group is the log Z that minimises the weighted squares, so it is held
    constant.

    Args:
        log_pf: Sum over steps of log P_F(s'|s), shape ``(B,)``, nats.
        log_pb: Sum over steps of the symmetry-corrected log P_B(s|s'), shape ``(B,)``, nats.
        log_reward: log R(x) after the exponent beta, shape ``(B,)``, nats.
        group: Number of the group of every trajectory, from 0, shape ``(B,)``.
        weight: Weight of every trajectory in the loss, > 0, shape ``(B,)``.

    Returns:
        Residual of each trajectory, shape ``(B,)``, nats. The caller squares and reduces.

    Raises:
        ValueError: Shapes differ (broadcasting would hide it).

    References:
        Zhang et al. 2023, Robust scheduling with GFlowNets. https://arxiv.org/abs/2302.05446
    """
    check_same_shape(
        log_pf=log_pf, log_pb=log_pb, log_reward=log_reward, group=group, weight=weight
    )
    zeta = log_reward + log_pb - log_pf
    return group_mean(zeta.detach(), group, weight)[group] - zeta
