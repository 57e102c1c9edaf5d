"""Exact log-likelihood of terminal states, by dynamic programming over their ancestors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from molgfn.gfn.condition import Condition
from molgfn.gfn.distinct import distinct_rows
from molgfn.gfn.environment import Environment, S
from molgfn.gfn.policy import Distribution, Policy
from molgfn.gfn.segments import log_sum_by_group

#: Terminal states treated together; more would share more states but take more memory.
TERMINAL_CHUNK = 256
#: States that go through the policy at once.
STATE_CHUNK = 4096

_Decide = Callable[[S, Condition], Distribution]


@torch.inference_mode()
def log_likelihood(
    env: Environment[S], policy: Policy[S], terminal: S, condition: Condition
) -> Tensor:
    r"""Compute log p(x), the probability that a trajectory of the policy ends in x.

    The probability of passing through a state is a sum over its parents. Each edge has the
    probability of one action, times the number m of equivalent actions, over the number k of
    equivalent backward steps (MATHS.md, section 4):

    .. math:: p(s') = \sum_l \frac{m_l}{k_l} P_F(a_l \mid s_l)\, p(s_l), \quad
              \log \frac{m_l}{k_l} = -\log L(s') - \log P_B(s_l \mid s')

    The symmetry potential of intermediate states telescopes, so only those of the initial state
    and of x are needed. Construction orders that pass through one state are merged: the policy
    sees each state once.

    Args:
        env: The environment, with its symmetry correction on.
        policy: The policy, giving equivalent actions the same probability.
        terminal: B terminal states.
        condition: A single condition.

    Returns:
        log p(x), shape ``(B,)``, float64, nats.
    """
    decide = policy.prepare()
    parts = [
        _log_likelihood(env, decide, terminal[rows], condition)
        for rows in torch.arange(len(terminal), device=terminal.device).split(TERMINAL_CHUNK)
    ]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.float64)


def _log_likelihood(
    env: Environment[S], decide: _Decide[S], terminal: S, condition: Condition
) -> Tensor:
    layers = list(_layers_to_the_start(env, terminal))
    through = torch.zeros(0, dtype=torch.float64, device=terminal.device)
    for layer in reversed(layers):
        reached = torch.zeros(len(layer.parents), dtype=torch.float64, device=terminal.device)
        reached[layer.initial] = env.log_symmetry(layer.parents[layer.initial]).double()
        reached[~layer.initial] = through
        edges = reached[layer.parent] + layer.log_factor + _log_pf(decide, layer, condition)
        through = log_sum_by_group(edges, layer.child, layer.n_children)
    return through - env.log_symmetry(terminal).double()


@dataclass(frozen=True)
class _Layer(Generic[S]):
    """All backward steps from C distinct states (``n_children``) to their P distinct parents.

    Attributes:
        n_children: C.
        child: Child of every step, shape ``(E,)``.
        parent: Parent of every step, ascending, shape ``(E,)``.
        actions: Forward actions, shape ``(E, A)``.
        log_factor: log(m/k) without the potential that telescopes, ``(E,)``, float64, nats.
        parents: The distinct parents.
        initial: Which parents are the initial state, shape ``(P,)``.
    """

    n_children: int
    child: Tensor
    parent: Tensor
    actions: Tensor
    log_factor: Tensor
    parents: S
    initial: Tensor


def _layers_to_the_start(env: Environment[S], states: S) -> Iterator[_Layer[S]]:
    while len(states):
        child, parents, actions, log_pb = env.parents(states)
        n_steps = torch.bincount(child, minlength=len(states))
        log_factor = -(log_pb.double() + n_steps[child].double().log())
        rows, parent, _ = distinct_rows(parents.to_tensor())
        distinct = type(states).from_tensor(rows)
        initial = env.is_initial(distinct)
        order = parent.argsort(stable=True)
        yield _Layer(
            len(states),
            child[order],
            parent[order],
            actions[order],
            log_factor[order],
            distinct,
            initial,
        )
        states = distinct[~initial]


def _log_pf(decide: _Decide[S], layer: _Layer[S], condition: Condition) -> Tensor:
    n_parents, device = len(layer.parents), layer.parent.device
    found = []
    for rows in torch.arange(n_parents, device=device).split(STATE_CHUNK):
        distribution = decide(layer.parents[rows], condition.repeat(len(rows)))
        inside = (layer.parent >= rows[0]) & (layer.parent <= rows[-1])
        index = layer.parent[inside] - rows[0]
        found.append(distribution.log_prob(layer.actions[inside], index).double())
    return torch.cat(found)
