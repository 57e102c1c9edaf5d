"""The balance equations of each objective: residuals of a batch, zero at the optimum.

Flows of states are learned up to the environment's symmetry potential, as F(s) |Aut(s)|, except
that of the initial state, which is Z. Every objective then takes the local part of log P_B alone:
the potential of intermediate states cancels in each balance equation, and only those of the
initial and terminal states remain, as parts of the first and last transitions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from molgfn.config.schema import TrainConfig
from molgfn.gfn.condition import Condition
from molgfn.gfn.distinct import distinct_states
from molgfn.gfn.environment import Environment, S
from molgfn.gfn.objectives import (
    detailed_balance,
    flow_matching,
    sub_trajectory_balance,
    trajectory_balance,
    vargrad,
)
from molgfn.gfn.policy import FlowPolicy
from molgfn.gfn.relevance import relevance
from molgfn.gfn.segments import log_sum_by_group
from molgfn.gfn.trajectories import Trajectories

#: Flow matching: weight of a terminal state, whose reward is known, against another state.
TERMINAL_WEIGHT = 10.0


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
) -> Evaluated[S]:
    """Evaluate log P_F and log F of a batch, each distinct state once; differentiable.

    ``group``, ``log_reward`` and ``log_z`` have shape ``(B,)``, see :class:`Evaluated`. By default
    all trajectories count alike, see :func:`molgfn.gfn.relevance.relevance`.
    """
    states, index, like = distinct_states(batch.states, group[batch.trajectory])
    owner = batch.trajectory[like]
    distribution = policy(states, condition[owner])
    log_pf = distribution.log_prob(batch.actions, index)
    log_flow = _log_flow(env, states, distribution.log_flow, log_z[owner])[index]
    log_p = batch.total(log_pf.detach()) - batch.total(batch.log_pb)
    weight = relevance(log_p, log_reward, group, half_weight_nats)
    return Evaluated(
        env, policy, batch, condition, group, log_reward, log_z, log_pf, log_flow, weight
    )


def residuals(of: Evaluated[S], config: TrainConfig) -> Residuals:
    """Residuals of the configured objective, differentiable in the weights of the networks."""
    return OBJECTIVES[config.objective](of, config)


def _trajectory_balance(of: Evaluated[S], _config: TrainConfig) -> Residuals:
    total = of.batch.total
    value = trajectory_balance(total(of.log_pf), total(of.batch.log_pb), of.log_reward, of.log_z)
    return Residuals(value, of.weight)


def _vargrad(of: Evaluated[S], _config: TrainConfig) -> Residuals:
    total = of.batch.total
    value = vargrad(total(of.log_pf), total(of.batch.log_pb), of.log_reward, of.group, of.weight)
    return Residuals(value, of.weight)


def _detailed_balance(of: Evaluated[S], _config: TrainConfig) -> Residuals:
    padded, length = of.batch.padded, of.batch.length
    value = detailed_balance(_flows_with_end(of), padded(of.log_pf), padded(of.batch.log_pb))
    place = torch.arange(value.shape[1], device=value.device)
    return Residuals(value, (place < length[:, None]) * of.weight[:, None])


def _sub_trajectory_balance(of: Evaluated[S], config: TrainConfig) -> Residuals:
    padded, length = of.batch.padded, of.batch.length
    value, weight = sub_trajectory_balance(
        _flows_with_end(of),
        padded(of.log_pf),
        padded(of.batch.log_pb),
        length,
        config.sub_trajectory_decay,
    )
    return Residuals(value, weight * of.weight[:, None, None])


def _flow_matching(of: Evaluated[S], config: TrainConfig) -> Residuals:
    """In-flow over all parents against out-flow, at every state of the trajectories."""
    env, batch = of.env, of.batch
    entered = ~env.is_initial(batch.states)
    states, trajectory = batch.states[entered], batch.trajectory[entered]
    child, parents, actions, log_pb = env.parents(states)
    n_steps = torch.bincount(child, minlength=len(states))
    starts = env.is_initial(parents)
    log_pb[starts] -= env.log_symmetry(parents[starts])
    log_factor = -(log_pb + n_steps[child].log())  # log(m/k)
    owner = trajectory[child]
    distribution = of.policy(parents, of.condition[owner])
    log_flow = _log_flow(env, parents, distribution.log_flow, of.log_z[owner])
    edges = log_flow + distribution.log_prob(actions) + log_factor
    inflow = log_sum_by_group(edges, child, len(states))
    # The end of a trajectory has one parent, and its outflow is its reward.
    ends = batch.position == batch.length[batch.trajectory] - 1
    end_inflow = (of.log_flow + of.log_pf - batch.log_pb)[ends]
    value = flow_matching(
        torch.cat([inflow, end_inflow]),
        torch.cat([of.log_flow[entered], of.log_reward[batch.trajectory[ends]]]),
        config.log_reward_floor,
    )
    weight = of.weight[torch.cat([trajectory, batch.trajectory[ends]])]
    weight[len(states) :] *= TERMINAL_WEIGHT
    return Residuals(value, weight)


OBJECTIVES: dict[str, Callable[[Evaluated[S], TrainConfig], Residuals]] = {
    "vargrad": _vargrad,
    "trajectory_balance": _trajectory_balance,
    "sub_trajectory_balance": _sub_trajectory_balance,
    "detailed_balance": _detailed_balance,
    "flow_matching": _flow_matching,
}


def _log_flow(env: Environment[S], states: S, relative: Tensor, log_z: Tensor) -> Tensor:
    """Log F of states from the policy's log F(s)/Z; F of the start is Z."""
    return log_z + torch.where(env.is_initial(states), torch.zeros_like(relative), relative)


def _flows_with_end(of: Evaluated[S]) -> Tensor:
    """Log F along every trajectory, log R at its end, 0 after it, shape (B, L + 1)."""
    flows = of.batch.padded(of.log_flow)
    flows = torch.cat([flows, torch.zeros_like(flows[:, :1])], 1)
    return flows.scatter(1, of.batch.length[:, None], of.log_reward[:, None])
