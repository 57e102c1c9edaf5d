"""All states of a small environment, reached through its own masks and steps."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import torch
from torch import Tensor

from molgfn.env.fragment_env import STOP, FragmentEnv
from molgfn.env.states import FragmentStates

EMPTY = "empty"


@dataclass
class Space:
    """Classes of states, with the multiplicities of the edges between them.

    Two states may be joined by several edges, one per entry by which the last fragment can have
    come in (a symmetric pair of an asymmetric fragment): an edge is (parent, child, entry).
    """

    env: FragmentEnv
    states: dict[str, FragmentStates] = field(default_factory=dict)
    actions: dict[str, list[tuple[Tensor, str]]] = field(default_factory=dict)
    forward: dict[str, Counter[tuple[str, int]]] = field(default_factory=dict)
    backward: dict[str, Counter[tuple[str, int]]] = field(default_factory=dict)

    @property
    def order(self) -> list[str]:
        """Keys, parents before children."""
        return sorted(self.states, key=lambda key: int(self.states[key].n_fragments))

    @property
    def terminal(self) -> list[str]:
        """Keys of the states that may stop."""
        return [k for k in self.order if any(child == k for _, child in self.actions[k])]


def key_of(env: FragmentEnv, state: FragmentStates) -> str:
    return EMPTY if int(state.n_fragments) == 0 else env.keys(state)[0]


def enumerate_space(env: FragmentEnv) -> Space:
    """Walk the whole graph of states; a stop is an action that leads to the state's own key."""
    space = Space(env)
    frontier = [env.initial_states(1)]
    space.states[EMPTY] = frontier[0]
    while frontier:
        state = frontier.pop()
        key = key_of(env, state)
        space.actions[key] = []
        for action in legal_actions(env, state):
            child = env.step(state, action)[0]
            child_key = key_of(env, child)
            space.actions[key].append((action, child_key))
            if child_key not in space.states:
                space.states[child_key] = child
                frontier.append(child)
    for key, actions in space.actions.items():
        space.forward[key] = Counter(
            (child, int(a[0, 1])) for a, child in actions if int(a[0, 0]) != STOP
        )
    for key, state in space.states.items():
        if key == EMPTY:
            continue
        leaves = env.removable_leaves(state)[0].nonzero().flatten()
        undone = [env.backward_step(state, leaf[None])[:2] for leaf in leaves]
        space.backward[key] = Counter((key_of(env, p), int(a[0, 1])) for p, a in undone)
    return space


def legal_actions(env: FragmentEnv, state: FragmentStates) -> list[Tensor]:
    actions = []
    mask = env.legal_row_mask(state)[0]
    for row in mask[:-1].nonzero().flatten():
        for entry in env.legal_entry_mask(state, row[None])[0].nonzero().flatten():
            actions.append(torch.stack([row, entry])[None])
    if mask[-1]:
        actions.append(torch.tensor([[STOP, 0]]))
    return actions


def exact_policy(space: Space, reward: dict[str, float]) -> dict[str, dict[tuple[int, int], float]]:
    """P_F of every single action at the exact flow under the uniform class-level backward policy.

    F(s) = R(s) + sum over children s' of F(s') k / L(s'); the actions of one class share evenly.
    """
    flow: dict[str, float] = defaultdict(float)
    for key in reversed(space.order):
        flow[key] += reward.get(key, 0.0)
        total = sum(space.backward.get(key, {}).values())
        for (parent, _), k in space.backward.get(key, {}).items():
            flow[parent] += flow[key] * k / total
    policy: dict[str, dict[tuple[int, int], float]] = {}
    for key, actions in space.actions.items():
        policy[key] = {}
        for action, child in actions:
            row, entry = (int(v) for v in action[0])
            if row == STOP:
                policy[key][row, 0] = reward[key] / flow[key]
            else:
                k, total = space.backward[child][key, entry], sum(space.backward[child].values())
                edge = flow[child] * k / total / flow[key]
                policy[key][row, entry] = edge / space.forward[key][child, entry]
    return policy
