"""Objectives as residuals that vanish where forward and backward flow agree."""

from __future__ import annotations

import torch
from torch import Tensor


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
    _same_shape(log_pf=log_pf, log_pb=log_pb, log_reward=log_reward, log_z=log_z)
    return log_z + log_pf - log_reward - log_pb


def vargrad(log_pf: Tensor, log_pb: Tensor, log_reward: Tensor, group: Tensor) -> Tensor:
    r"""Residual of trajectory balance with log Z estimated within groups of one condition.

    .. math:: \delta_i = \bar\zeta_{g(i)} - \zeta_i, \quad
              \zeta = \log R(x) + \sum_t \log P_B - \sum_t \log P_F

    The group mean is the log Z that minimises the loss, so it is held constant.

    Args:
        log_pf: Sum over steps of log P_F(s'|s), shape ``(B,)``, nats.
        log_pb: Sum over steps of the symmetry-corrected log P_B(s|s'), shape ``(B,)``, nats.
        log_reward: log R(x) after the exponent beta, shape ``(B,)``, nats.
        group: Number of the group of every trajectory, from 0, shape ``(B,)``.

    Returns:
        Residual of each trajectory, shape ``(B,)``, nats. The caller squares and reduces.

    Raises:
        ValueError: Shapes differ (broadcasting would hide it).

    References:
        Zhang et al. 2023, Robust scheduling with GFlowNets. https://arxiv.org/abs/2302.05446
    """
    _same_shape(log_pf=log_pf, log_pb=log_pb, log_reward=log_reward, group=group)
    zeta = log_reward + log_pb - log_pf
    return group_mean(zeta.detach(), group)[group] - zeta


def group_mean(values: Tensor, group: Tensor) -> Tensor:
    """Average values within groups.

    Args:
        values: Shape ``(B,)``.
        group: Number of the group of every value, from 0, shape ``(B,)``.

    Returns:
        Mean of every group; 0 for one without members, shape ``(G,)``.
    """
    n_groups = int(group.max()) + 1 if len(group) else 0
    total = torch.zeros(n_groups, dtype=values.dtype, device=values.device)
    count = torch.zeros_like(total).index_add(0, group, torch.ones_like(values))
    return total.index_add(0, group, values) / count.clamp(min=1)


def _same_shape(**tensors: Tensor) -> None:
    shapes = {name: tuple(t.shape) for name, t in tensors.items()}
    if len(set(shapes.values())) != 1 or next(iter(tensors.values())).ndim != 1:
        raise ValueError(f"expected tensors of one shape (B,), came {shapes}")
