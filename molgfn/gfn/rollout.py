"""Trajectories: sampled forward with a policy, or backward from known terminal states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from molgfn.gfn.distinct import distinct_rows
from molgfn.gfn.protocols import Environment, Policy, S, prepared
from molgfn.gfn.recording import replayed


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
    walk = _walk_in_step if env.lockstep else _walk_packed
    steps = walk(env, policy, condition, generator, epsilon)
    owner, actions, following = steps.owner, steps.actions, steps.following
    ends = following.stopped.nonzero().squeeze(1)
    terminal = following[ends[owner[ends].argsort()]]
    log_pb = env.log_pb(following, actions)
    log_pb = log_pb.index_add(0, ends, env.log_symmetry(terminal)[owner[ends]])
    return Trajectories(steps.states, actions, owner, steps.position, log_pb, terminal)


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
    if env.lockstep:
        visited, _ = _keep_step(env, policy, condition, generator, None)
        return env.initial_states(0).from_tensor(visited[-1])
    ends, owners = [], []
    for step in _walk(env, policy, condition, generator, None):
        ended = step.following.stopped.nonzero().squeeze(1)
        ends.append(step.following[ended])
        owners.append(step.owner[ended])
    return type(ends[0]).cat(ends)[torch.cat(owners).argsort()]


@dataclass(frozen=True)
class _Steps(Generic[S]):
    """Steps of trajectories, T in all.

    Attributes:
        owner: Number of the trajectory of every step, shape ``(T,)``.
        position: Number of every step in its trajectory, shape ``(T,)``.
        states: Where they begin.
        actions: What is done there, shape ``(T, A)``.
        following: Where that leads.
    """

    owner: Tensor
    position: Tensor
    states: S
    actions: Tensor
    following: S


def _walk_packed(
    env: Environment[S],
    policy: Policy[S],
    condition: Tensor,
    generator: torch.Generator,
    epsilon: Tensor | None,
) -> _Steps[S]:
    """Walk until each trajectory has ended; all steps, each trajectory's in order."""
    steps = list(_walk(env, policy, condition, generator, epsilon))
    cat = type(steps[0].states).cat
    return _Steps(
        torch.cat([step.owner for step in steps]),
        torch.cat([step.position for step in steps]),
        cat([step.states for step in steps]),
        torch.cat([step.actions for step in steps]),
        cat([step.following for step in steps]),
    )


def _walk(
    env: Environment[S],
    policy: Policy[S],
    condition: Tensor,
    generator: torch.Generator,
    epsilon: Tensor | None,
) -> Iterator[_Steps[S]]:
    """Yield the same step of all trajectories that are still under way."""
    policy, n = prepared(policy), len(condition)
    states = env.initial_states(n)
    alive = torch.arange(n, device=condition.device)
    position = torch.zeros_like(alive)
    group = condition.unique(return_inverse=True)[1]
    while len(alive):
        distinct, index, first = distinct_states(states, group[alive])
        distribution = policy(distinct, condition[alive[first]])
        share = None if epsilon is None else epsilon[alive]
        actions = distribution.sample(index, generator, share)
        following = env.step(states, actions)
        yield _Steps(alive, position, states, actions, following)
        going = (~following.stopped).nonzero().squeeze(1)
        states, alive, position = following[going], alive[going], position[going] + 1


def _walk_in_step(
    env: Environment[S],
    policy: Policy[S],
    condition: Tensor,
    generator: torch.Generator,
    epsilon: Tensor | None,
) -> _Steps[S]:
    """Walk without a question until the longest trajectory must have ended; then ask."""
    visited, actions = _keep_step(env, policy, condition, generator, epsilon)
    n_steps, n = actions.shape[:2]
    number = torch.arange(n_steps * n, device=condition.device)
    from_tensor = env.initial_states(0).from_tensor
    states = from_tensor(visited[:-1].flatten(0, 1))
    going = (~states.stopped).nonzero().squeeze(1)
    return _Steps(
        number[going] % n,
        number[going] // n,
        states[going],
        actions.flatten(0, 1)[going],
        from_tensor(visited[1:].flatten(0, 1))[going],
    )


def _keep_step(
    env: Environment[S],
    policy: Policy[S],
    condition: Tensor,
    generator: torch.Generator,
    epsilon: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Let trajectories that have ended stand still until the longest possible one has.

    Returns all L + 1 states of B trajectories, ``(L + 1, B, C)``, and the actions, ``(L, B, A)``.
    """

    def walk(generator: torch.Generator, inputs: Sequence[Tensor]) -> list[Tensor]:
        condition, *share = inputs
        epsilon = share[0] if share else None
        decide, n = prepared(policy, lockstep=True), len(condition)
        everyone = torch.arange(n, device=condition.device)
        states = env.initial_states(n)
        visited, taken = [states.to_tensor()], []
        for n_steps in range(env.max_steps - 1):
            decision = decide(env.compact(states, n_steps), condition)
            taken.append(decision.sample(everyone, generator, epsilon))
            states = env.step(states, taken[-1])
            visited.append(states.to_tensor())
        taken.append(env.stop_actions(n))
        visited.append(env.step(states, taken[-1]).to_tensor())
        return [torch.stack(visited), torch.stack(taken)]

    inputs = [condition] if epsilon is None else [condition, epsilon]
    visited, taken = replayed(walk, inputs, generator, of=policy, within=env)
    return visited, taken


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
    walk = _walk_back_in_step if env.lockstep else _walk_back_packed
    owner, undone, states, actions, log_pb = walk(env, terminal, generator)
    last = torch.bincount(owner)[owner] - 1
    # The first transitions, one of each trajectory in order, undo the stops.
    log_pb[: len(terminal)] += env.log_symmetry(terminal)
    return Trajectories(states, actions, owner, last - undone, log_pb, terminal)


def _walk_back_packed(
    env: Environment[S], terminal: S, generator: torch.Generator
) -> tuple[Tensor, Tensor, S, Tensor, Tensor]:
    """Walk back until each trajectory has come to its start.

    Returns of every step the trajectory, how many were undone before it in that one, the parent,
    the action and log P_B.
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
        going = (~env.is_initial(states)).nonzero().squeeze(1)
        states, alive = states[going], alive[going]
    undone = torch.cat([torch.full_like(rows, i) for i, rows in enumerate(owners)])
    states = type(terminal).cat(visited)
    return torch.cat(owners), undone, states, torch.cat(actions), torch.cat(log_pb)


def _walk_back_in_step(
    env: Environment[S], terminal: S, generator: torch.Generator
) -> tuple[Tensor, Tensor, S, Tensor, Tensor]:
    """Walk back without a question until the longest trajectory must have come to its start."""
    from_tensor = terminal.from_tensor

    def walk(generator: torch.Generator, inputs: Sequence[Tensor]) -> list[Tensor]:
        left, visited, taken, log_pb = [], [*inputs], [], []
        for _ in range(env.max_steps):
            states = from_tensor(visited[-1])
            # Who is back at the start stays there.
            left.append(~env.is_initial(states))
            parents, actions, step_log_pb = env.sample_backward(states, generator=generator)
            visited.append(torch.where(left[-1][:, None], parents.to_tensor(), visited[-1]))
            taken.append(actions)
            log_pb.append(step_log_pb)
        return [torch.cat(each) for each in (left, visited[1:], taken, log_pb)]

    left, visited, taken, log_pb = replayed(walk, [terminal.to_tensor()], generator, of=env)
    going, n = left.nonzero().squeeze(1), len(terminal)
    states = from_tensor(visited.index_select(0, going))
    return going % n, going // n, states, taken[going], log_pb[going]


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
