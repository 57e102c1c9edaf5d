"""Trajectories: sampled forward with a policy, or backward from known terminal states."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from molgfn.gfn.distinct import distinct_rows
from molgfn.gfn.protocols import Environment, Policy, S, prepared


@dataclass(frozen=True)
class Trajectories(Generic[S]):
    """B trajectories, their T transitions packed without padding.

    Attributes:
        states: Every state from which an action was taken, T in all.
        actions: The actions, shape ``(T, A)``.
        trajectory: Number of the trajectory of every transition, shape ``(T,)``.
        position: Number of every transition in its trajectory, from 0, shape ``(T,)``.
        log_pb: log P_B of every transition, up to a potential of the intermediate states that
            telescopes: the sum along a trajectory is exact, ``(T,)``, nats.
        terminal: The terminal states, B in all.
    """

    states: S
    actions: Tensor
    trajectory: Tensor
    position: Tensor
    log_pb: Tensor
    terminal: S

    def __len__(self) -> int:
        return len(self.terminal)

    def total(self, values: Tensor) -> Tensor:
        """Sum the values of the transitions of every trajectory.

        Args:
            values: Shape ``(T,)``.

        Returns:
            Shape ``(B,)``.
        """
        total = torch.zeros(len(self), dtype=values.dtype, device=values.device)
        return total.index_add(0, self.trajectory, values)

    def padded(self, values: Tensor) -> Tensor:
        """Lay the values of the transitions out in a row for every trajectory.

        Args:
            values: Shape ``(T,)``.

        Returns:
            Shape ``(B, L)``, L being the longest trajectory; 0 where one has ended.
        """
        n_steps = int(self.position.max()) + 1
        rows = torch.zeros(len(self), n_steps, dtype=values.dtype, device=values.device)
        return rows.index_put((self.trajectory, self.position), values)

    def select(self, mask: Tensor) -> Trajectories[S]:
        """Keep some of the trajectories.

        Args:
            mask: True = kept, shape ``(B,)``.

        Returns:
            The trajectories, in their order.
        """
        if mask.all():
            return self
        kept = mask[self.trajectory]
        number = mask.long().cumsum(0) - 1
        return Trajectories(
            self.states[kept],
            self.actions[kept],
            number[self.trajectory[kept]],
            self.position[kept],
            self.log_pb[kept],
            self.terminal[mask],
        )

    @property
    def length(self) -> Tensor:
        """Number of transitions of every trajectory, shape ``(B,)``."""
        return torch.bincount(self.trajectory, minlength=len(self))


def distinct_states(states: S, group: Tensor) -> tuple[S, Tensor, Tensor]:
    """Find the states that differ: trajectories of one condition begin alike.

    Args:
        states: B states.
        group: Number of the condition of every state, shape ``(B,)``.

    Returns:
        The D distinct pairs of state and condition; which of them each state is, ``(B,)``; and
        one of the B that is like each of them, ``(D,)``.
    """
    rows = torch.cat([states.to_tensor(), group[:, None]], 1)
    distinct, index, like = distinct_rows(rows)
    return type(states).from_tensor(distinct[:, :-1]), index, like


@torch.no_grad()
def rollout(
    env: Environment[S],
    policy: Policy[S],
    condition: Tensor,
    *,
    generator: torch.Generator,
    epsilon: Tensor | None = None,
) -> Trajectories[S]:
    """Sample one trajectory per condition with a policy.

    Args:
        env: The environment.
        policy: The sampling policy.
        condition: Condition of every trajectory, shape ``(B,)``.
        generator: Source of randomness.
        epsilon: Share of uniform actions in every trajectory, shape ``(B,)``; default: none.

    Returns:
        The trajectories.
    """
    steps = list(_walk(env, policy, condition, generator, epsilon))
    cat = type(steps[0].states).cat
    states = cat([step.states for step in steps])
    following = cat([step.following for step in steps])
    actions = torch.cat([step.actions for step in steps])
    owner = torch.cat([step.owner for step in steps])
    position = torch.cat([torch.full_like(step.owner, i) for i, step in enumerate(steps)])
    if env.lockstep:
        going = (~states.stopped).nonzero().squeeze(1)
        states, following, actions = states[going], following[going], actions[going]
        owner, position = owner[going], position[going]
    ends = following.stopped.nonzero().squeeze(1)
    terminal = following[ends[owner[ends].argsort()]]
    log_pb = env.log_pb(following, actions)
    log_pb = log_pb.index_add(0, ends, env.log_symmetry(terminal)[owner[ends]])
    return Trajectories(states, actions, owner, position, log_pb, terminal)


@torch.no_grad()
def draw_terminal(
    env: Environment[S], policy: Policy[S], condition: Tensor, *, generator: torch.Generator
) -> S:
    """Sample the ends of trajectories alone: the same as those of :func:`rollout`, sooner.

    Args:
        env: The environment.
        policy: The sampling policy.
        condition: Condition of every trajectory, shape ``(B,)``.
        generator: Source of randomness.

    Returns:
        B terminal states.
    """
    steps = _walk(env, policy, condition, generator, None)
    if env.lockstep:
        return deque(steps, maxlen=1)[0].following
    ends, owners = [], []
    for step in steps:
        ended = step.following.stopped.nonzero().squeeze(1)
        ends.append(step.following[ended])
        owners.append(step.owner[ended])
    return type(ends[0]).cat(ends)[torch.cat(owners).argsort()]


@dataclass(frozen=True)
class _Step(Generic[S]):
    """The same step of all trajectories that are still under way.

    Attributes:
        owner: Numbers of the trajectories, shape ``(A,)``.
        states: Where they are.
        actions: What they do, shape ``(A, ...)``.
        following: Where that leads.
    """

    owner: Tensor
    states: S
    actions: Tensor
    following: S


def _walk(
    env: Environment[S],
    policy: Policy[S],
    condition: Tensor,
    generator: torch.Generator,
    epsilon: Tensor | None,
) -> Iterator[_Step[S]]:
    policy, n = prepared(policy), len(condition)
    states = env.initial_states(n)
    alive = torch.arange(n, device=condition.device)
    if env.lockstep:
        # Trajectories that have ended stand still until the longest possible one has.
        for _ in range(env.max_steps):
            actions = policy(states, condition).sample(alive, generator, epsilon)
            following = env.step(states, actions)
            yield _Step(alive, states, actions, following)
            states = following
        return
    group = condition.unique(return_inverse=True)[1]
    while len(alive):
        distinct, index, first = distinct_states(states, group[alive])
        distribution = policy(distinct, condition[alive[first]])
        share = None if epsilon is None else epsilon[alive]
        actions = distribution.sample(index, generator, share)
        following = env.step(states, actions)
        yield _Step(alive, states, actions, following)
        going = (~following.stopped).nonzero().squeeze(1)
        states, alive = following[going], alive[going]


@torch.no_grad()
def rollout_backward(
    env: Environment[S], terminal: S, *, generator: torch.Generator
) -> Trajectories[S]:
    """Sample one trajectory to each terminal state with the backward policy.

    Args:
        env: The environment.
        terminal: B terminal states.
        generator: Source of randomness.

    Returns:
        The trajectories, transitions in backward order.
    """
    states = terminal
    alive = torch.arange(len(terminal), device=terminal.device)
    visited, actions, owners, log_pb = [], [], [], []
    while len(alive):
        states, action, step_log_pb = env.sample_backward(states, generator=generator)
        visited.append(states)
        actions.append(action)
        owners.append(alive)
        log_pb.append(step_log_pb)
        unfinished = ~env.is_initial(states)
        states, alive = states[unfinished], alive[unfinished]
    owner = torch.cat(owners)
    undone = torch.cat([torch.full_like(rows, i) for i, rows in enumerate(owners)])
    log_pb[0] = log_pb[0] + env.log_symmetry(terminal)
    return Trajectories(
        type(terminal).cat(visited),
        torch.cat(actions),
        owner,
        torch.bincount(owner)[owner] - 1 - undone,
        torch.cat(log_pb),
        terminal,
    )


def join(first: Trajectories[S], second: Trajectories[S]) -> Trajectories[S]:
    """Put two batches of trajectories one after the other.

    Args:
        first: B trajectories.
        second: C trajectories.

    Returns:
        B + C trajectories.
    """
    cat = type(first.states).cat
    return Trajectories(
        cat([first.states, second.states]),
        torch.cat([first.actions, second.actions]),
        torch.cat([first.trajectory, second.trajectory + len(first)]),
        torch.cat([first.position, second.position]),
        torch.cat([first.log_pb, second.log_pb]),
        cat([first.terminal, second.terminal]),
    )
