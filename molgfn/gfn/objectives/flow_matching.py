"""Flow matching: what comes into a state goes out of it."""

from __future__ import annotations

import torch
from torch import Tensor

from molgfn.config.schema import TrainConfig
from molgfn.gfn.balance import Evaluated, Residuals, flows_from
from molgfn.gfn.environment import S
from molgfn.gfn.segments import log_sum_by_group

#: Weight of a terminal state, whose reward is known, against another state.
TERMINAL_WEIGHT = 10.0


def residuals(of: Evaluated[S], config: TrainConfig) -> Residuals:
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
    log_flow = flows_from(env, parents, distribution.log_flow, of.log_z[owner])
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
