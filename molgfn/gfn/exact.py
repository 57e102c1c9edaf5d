"""Exact probabilities on an environment whose states are listed."""

from __future__ import annotations

import torch
from torch import Tensor

from molgfn.gfn.condition import Condition
from molgfn.gfn.environment import S
from molgfn.gfn.likelihood import STATE_CHUNK
from molgfn.gfn.policy import Policy
from molgfn.gfn.segments import log_sum_by_group
from molgfn.gfn.space import Space

#: Single actions that go through a distribution at once; each takes one logit per entry.
ACTION_CHUNK = 32_768


def log_terminal_probability(space: Space[S], log_pf: Tensor, log_stop: Tensor) -> Tensor:
    r"""Compute where trajectories end, by one pass from the initial state over all actions.

    .. math:: p(s') = \sum_{(s, a) \to s'} P_F(a|s)\, p(s), \quad p(x) = p(s)\, P_F(stop|s)

    No symmetry of the policy is assumed between actions that are one edge.

    Args:
        space: The listed environment.
        log_pf: log P_F of every single action, shape ``(A,)``, nats.
        log_stop: log P(stop) of the states of ``space.terminal``, shape ``(n_terminal,)``, nats.

    Returns:
        log p(x) in the order of ``space.terminal``, shape ``(n_terminal,)``, float64, nats.
    """
    device = space.actions.device
    through = torch.full((len(space),), -torch.inf, dtype=torch.float64, device=device)
    through[0] = 0.0
    parent_depth = space.depth[space.action_state]
    child = space.edge_child[space.action_edge]
    for depth in parent_depth.unique():
        action = (parent_depth == depth).nonzero().squeeze(1)
        passing = through[space.action_state[action]] + log_pf[action].double()
        through = torch.logaddexp(through, log_sum_by_group(passing, child[action], len(space)))
    return through[space.terminal] + log_stop.double()


def log_symmetry_bias(space: Space[S]) -> Tensor:
    r"""Compute what a sampler trained without the symmetry correction multiplies rewards by.

    Such a sampler takes 1/L for the backward probability of every single action, so that an
    object comes out in proportion to R(x) b(x), with b(x) the sum of these over all sequences of
    actions that lead to it:

    .. math:: b(s') = \sum_{(s, a) \to s'} \frac{b(s)}{L(s')}

    Without symmetry b is 1 throughout.

    Returns:
        log b in the order of ``space.terminal``, shape ``(n_terminal,)``, float64, nats.
    """
    child = space.edge_child[space.action_edge]
    log_pb = -space.n_leaves[child].double().log()
    return log_terminal_probability(space, log_pb, torch.zeros(len(space.terminal)))


@torch.no_grad()
def space_log_likelihood(space: Space[S], policy: Policy[S], condition: Condition) -> Tensor:
    """Compute log p(x) of every terminal state under a policy.

    Unlike :func:`molgfn.gfn.likelihood.log_likelihood` this counts on no symmetry, neither of the
    environment's correction nor of the policy: every single action is summed. The policy sees
    one representative of every class.

    Returns:
        log p(x) in the order of ``space.terminal``, shape ``(n_terminal,)``, float64, nats; the
        probabilities sum to 1.
    """
    return log_terminal_probability(space, *_policy_log_pf(space, policy, condition))


def _policy_log_pf(
    space: Space[S], policy: Policy[S], condition: Condition
) -> tuple[Tensor, Tensor]:
    """Log P_F of all single actions (A,), and of stop where it is allowed (n_terminal,)."""
    device = space.actions.device
    log_pf, log_stop = [], []
    for rows in torch.arange(len(space), device=device).split(STATE_CHUNK):
        distribution = policy(space.states[rows], condition.repeat(len(rows)))
        begin, end = torch.searchsorted(
            space.action_state, torch.stack([rows[0], rows[-1] + 1])
        ).tolist()
        for action in torch.arange(begin, end, device=device).split(ACTION_CHUNK):
            index = space.action_state[action] - rows[0]
            log_pf.append(distribution.log_prob(space.actions[action], index).double())
        stopping = space.may_stop[rows].nonzero().squeeze(1)
        stops = space.stop_action.expand(len(stopping), -1)
        log_stop.append(distribution.log_prob(stops, stopping).double())
    return torch.cat(log_pf), torch.cat(log_stop)
