"""Trajectories: sampled forward with a policy, or backward from known terminal states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    terminal = _ends(steps)
    owner = torch.cat([step.owner for step in steps])
    position = torch.cat([torch.full_like(step.owner, i) for i, step in enumerate(steps)])
    is_last = position == torch.bincount(owner)[owner] - 1
    log_pb = torch.cat([step.log_pb for step in steps])
    return Trajectories(
        type(terminal).cat([step.states for step in steps]),
        torch.cat([step.actions for step in steps]),
        owner,
        position,
        log_pb + is_last * env.log_symmetry(terminal)[owner],
        terminal,
    )


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
    return _ends(_walk(env, policy, condition, generator, None))


@dataclass(frozen=True)
class _Step(Generic[S]):
    """The same step of all trajectories that are still under way.

    Attributes:
        owner: Numbers of the trajectories, shape ``(A,)``.
        states: Where they are.
        actions: What they do, shape ``(A, ...)``.
        following: Where that leads.
        log_pb: As in :class:`Trajectories`, without the symmetry of the end, ``(A,)``, nats.
    """

    owner: Tensor
    states: S
    actions: Tensor
    following: S
    log_pb: Tensor


def _walk(
    env: Environment[S],
    policy: Policy[S],
    condition: Tensor,
    generator: torch.Generator,
    epsilon: Tensor | None,
) -> Iterator[_Step[S]]:
    policy, n = prepared(policy), len(condition)
    group = condition.unique(return_inverse=True)[1]
    states = env.initial_states(n)
    alive = torch.arange(n, device=condition.device)
    while len(alive):
        distinct, index, first = distinct_states(states, group[alive])
        distribution = policy(distinct, condition[alive][first])
        share = None if epsilon is None else epsilon[alive]
        action = distribution.sample(index, generator, share)
        following, log_pb = env.step(states, action)
        yield _Step(alive, states, action, following, log_pb)
        going = ~following.stopped
        states, alive = following[going], alive[going]


def _ends(steps: Iterable[_Step[S]]) -> S:
    """The terminal states, in the order of their trajectories."""
    ends, owners = [], []
    for step in steps:
        ends.append(step.following[step.following.stopped])
        owners.append(step.owner[step.following.stopped])
    return type(ends[0]).cat(ends)[torch.cat(owners).argsort()]


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
