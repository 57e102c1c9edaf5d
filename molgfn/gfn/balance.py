"""A batch as the balance equations see it: log P_F, log P_B and the flow through every state.

Flows of states are learned up to the environment's symmetry potential, as F(s) |Aut(s)|, except
that of the initial state, which is Z. Every objective then takes the local part of log P_B alone:
the potential of intermediate states cancels in each balance equation, and only those of the
initial and terminal states remain, as parts of the first and last transitions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from molgfn.gfn.condition import Condition
from molgfn.gfn.distinct import distinct_states
from molgfn.gfn.environment import Environment, S
from molgfn.gfn.policy import FlowPolicy
from molgfn.gfn.relevance import relevance
from molgfn.gfn.trajectories import Trajectories


@dataclass(frozen=True)
class Evaluated(Generic[S]):
    """A batch of B trajectories as a policy sees it.

    Attributes:
        env: The environment.
        policy: The policy.
        batch: The trajectories, T transitions in all.
        condition: Condition of each trajectory.
        group: Group of each trajectory (same condition and start), shape ``(B,)``.
        log_reward: log R of each end, shape ``(B,)``, nats.
        log_z: Learned log Z of each condition, shape ``(B,)``, nats.
        log_pf: log P_F of every transition, shape ``(T,)``, nats.
        log_pb: log P_B of every transition, or log P_F0 of a prior in its place, ``(T,)``, nats.
        log_flow: log F of the state that every transition leaves, shape ``(T,)``, nats.
        weight: Weight of each trajectory in the loss, > 0, shape ``(B,)``.
    """

    env: Environment[S]
    policy: FlowPolicy[S]
    batch: Trajectories[S]
    condition: Condition
    group: Tensor
    log_reward: Tensor
    log_z: Tensor
    log_pf: Tensor
    log_pb: Tensor
    log_flow: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Residuals:
    """Residuals, zero at the optimum, in nats, and their weights, same shape, not all 0."""

    value: Tensor
    weight: Tensor


def evaluate(
    env: Environment[S],
    policy: FlowPolicy[S],
    batch: Trajectories[S],
    condition: Condition,
    group: Tensor,
    log_reward: Tensor,
    log_z: Tensor,
    half_weight_nats: float = math.inf,
    log_pb: Tensor | None = None,
) -> Evaluated[S]:
    """Evaluate log P_F and log F of a batch, each distinct state once; differentiable.

    ``group``, ``log_reward`` and ``log_z`` have shape ``(B,)``, see :class:`Evaluated`. By default
    all trajectories count alike, see :func:`molgfn.gfn.relevance.relevance`. ``log_pb`` ``(T,)``
    takes the place of the P_B of the environment.
    """
    states, index, like = distinct_states(batch.states, group[batch.trajectory])
    owner = batch.trajectory[like]
    distribution = policy(states, condition[owner])
    log_pf = distribution.log_prob(batch.actions, index)
    log_flow = flows_from(env, states, distribution.log_flow, log_z[owner])[index]
    # Ends are weighed by estimates of their log p and log target, by the P_B of the environment.
    own = batch.total(batch.log_pb)
    log_p = batch.total(log_pf.detach()) - own
    log_pb = batch.log_pb if log_pb is None else log_pb
    log_target = log_reward + (batch.total(log_pb) - own)
    weight = relevance(log_p, log_target, group, half_weight_nats)
    return Evaluated(
        env, policy, batch, condition, group, log_reward, log_z, log_pf, log_pb, log_flow, weight
    )


def flows_from(env: Environment[S], states: S, relative: Tensor, log_z: Tensor) -> Tensor:
    """Log F of states from the policy's log F(s)/Z; F of the start is Z."""
    return log_z + torch.where(env.is_initial(states), torch.zeros_like(relative), relative)


def flows_with_end(of: Evaluated[S]) -> Tensor:
    """Log F along every trajectory, log R at its end, 0 after it, shape (B, L + 1)."""
    flows = of.batch.padded(of.log_flow)
    flows = torch.cat([flows, torch.zeros_like(flows[:, :1])], 1)
    return flows.scatter(1, of.batch.length[:, None], of.log_reward[:, None])


def check_same_shape(**tensors: Tensor) -> None:
    """Refuse tensors that are not all of one shape (B,): broadcasting would hide it."""
    shapes = {name: tuple(t.shape) for name, t in tensors.items()}
    if len(set(shapes.values())) != 1 or next(iter(tensors.values())).ndim != 1:
        raise ValueError(f"expected tensors of one shape (B,), got {shapes}")
