"""The exact flow of a listed environment, and the policy that it is the flow of."""

from __future__ import annotations

import torch
from torch import Tensor

from molgfn.gfn.environment import S
from molgfn.gfn.segments import log_sum_by_group
from molgfn.gfn.space import Space


def exact_log_flow(space: Space[S], log_reward: Tensor) -> Tensor:
    r"""Compute the flow through every state under the uniform backward policy.

    .. math:: F(s) = R(s)\,[s \text{ may stop}] + \sum_{s \to s'} \frac{k}{L(s')} F(s')

    The flow of the initial state is the partition function Z.

    Args:
        space: The listed environment.
        log_reward: log R of the states that may stop, in the order of ``space.terminal``, shape
            ``(n_terminal,)``, nats.

    Returns:
        log F, shape ``(N,)``, float64, nats.

    Raises:
        ValueError: There is not one reward for each state that may stop.
    """
    terminal = space.terminal
    if log_reward.shape != terminal.shape:
        raise ValueError(
            f"log_reward has shape {tuple(log_reward.shape)}, but {len(terminal)} states may stop"
        )
    device = space.actions.device
    log_flow = torch.full((len(space),), -torch.inf, dtype=torch.float64, device=device)
    log_flow[terminal] = log_reward.double()
    log_share = _log_backward_share(space)
    child_depth = space.depth[space.edge_child]
    for depth in child_depth.unique().flip(0):
        edge = (child_depth == depth).nonzero().squeeze(1)
        edge_flow = log_flow[space.edge_child[edge]] + log_share[edge]
        inflow = log_sum_by_group(edge_flow, space.edge_parent[edge], len(space))
        log_flow = torch.logaddexp(log_flow, inflow)
    return log_flow


def exact_log_pf(space: Space[S], log_flow: Tensor) -> Tensor:
    r"""Compute the forward policy of the exact flow, one value per single action.

    The m actions of an edge share its flow evenly:

    .. math:: P_F(a|s) = \frac{1}{m} \frac{k}{L(s')} \frac{F(s')}{F(s)}

    Args:
        space: The listed environment.
        log_flow: From :func:`exact_log_flow`, shape ``(N,)``, nats.

    Returns:
        log P_F of ``space.actions``, shape ``(A,)``, float64, nats.
    """
    edge_flow = log_flow[space.edge_child] + _log_backward_share(space)
    log_pf = edge_flow - space.edge_m.double().log() - log_flow[space.edge_parent]
    return log_pf[space.action_edge]


def exact_log_stop(space: Space[S], log_flow: Tensor, log_reward: Tensor) -> Tensor:
    """Compute the stop probability of the exact flow, R(s) / F(s).

    Args:
        space: The listed environment.
        log_flow: From :func:`exact_log_flow`, shape ``(N,)``, nats.
        log_reward: The log R it was made with, shape ``(n_terminal,)``, nats.

    Returns:
        log P(stop) of the states of ``space.terminal``, shape ``(n_terminal,)``, float64, nats.
    """
    return log_reward.double() - log_flow[space.terminal]


def _log_backward_share(space: Space[S]) -> Tensor:
    """log(k / L(child)) of every edge, shape (E,)."""
    return (space.edge_k.double() / space.n_leaves[space.edge_child].double()).log()
