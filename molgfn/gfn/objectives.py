"""Objectives as residuals, zero where forward and backward flow agree."""

from __future__ import annotations

import torch
from torch import Tensor

from molgfn.gfn.segments import group_mean


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
    _same_shape(log_pf=log_pf, log_pb=log_pb, log_reward=log_reward, group=group, weight=weight)
    zeta = log_reward + log_pb - log_pf
    return group_mean(zeta.detach(), group, weight)[group] - zeta


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


def flow_matching(log_inflow: Tensor, log_outflow: Tensor, log_epsilon: float) -> Tensor:
    r"""Residual of flow matching at a state.

    .. math:: \delta(s) = \log(\epsilon + F_{in}(s)) - \log(\epsilon + F_{out}(s))

    Args:
        log_inflow: log of the flow that comes in over all parents, shape ``(S,)``, nats.
        log_outflow: log of the flow that goes out, R(x) at a terminal state, ``(S,)``, nats.
        log_epsilon: log of the flow below which differences do not matter, nats.

    Returns:
        Residual of every state, shape ``(S,)``, nats.

    References:
        Bengio et al. 2021, Flow network based generative models, eq. 12.
        https://arxiv.org/abs/2106.04399
    """
    epsilon = torch.full_like(log_inflow, log_epsilon)
    return torch.logaddexp(epsilon, log_inflow) - torch.logaddexp(epsilon, log_outflow)


def _same_shape(**tensors: Tensor) -> None:
    shapes = {name: tuple(t.shape) for name, t in tensors.items()}
    if len(set(shapes.values())) != 1 or next(iter(tensors.values())).ndim != 1:
        raise ValueError(f"expected tensors of one shape (B,), came {shapes}")
