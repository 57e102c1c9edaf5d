"""Trajectories: sampled forward with a policy, or backward from known terminal states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from molgfn.gfn.protocols import Environment, Policy, S


@dataclass(frozen=True)
class Trajectories(Generic[S]):
    """B trajectories, their T transitions packed without padding.

    Attributes:
        states: Every state from which an action was taken, T in all.
        actions: The actions, shape ``(T, A)``.
        trajectory: Number of the trajectory of every transition, shape ``(T,)``.
        log_pb: Sum of the log P_B of every trajectory, symmetry corrected, ``(B,)``, nats.
        terminal: The terminal states, B in all.
    """

    states: S
    actions: Tensor
    trajectory: Tensor
    log_pb: Tensor
    terminal: S

    def __len__(self) -> int:
        return len(self.terminal)

    def log_pf(self, policy: Policy[S], condition: Tensor) -> Tensor:
        """Sum log P_F along every trajectory.

        Args:
            policy: The policy, evaluated once on all states.
            condition: Condition of every trajectory, shape ``(B,)``.

        Returns:
            Shape ``(B,)``, nats.
        """
        steps = policy(self.states, condition[self.trajectory]).log_prob(self.actions)
        total = torch.zeros(len(self), dtype=steps.dtype, device=steps.device)
        return total.index_add(0, self.trajectory, steps)


@torch.no_grad()
def rollout(
    env: Environment[S],
    policy: Policy[S],
    condition: Tensor,
    *,
    generator: torch.Generator,
    epsilon: float = 0.0,
) -> Trajectories[S]:
    """Sample one trajectory per condition with a policy.

    Args:
        env: The environment.
        policy: The sampling policy.
        condition: Condition of every trajectory, shape ``(B,)``.
        generator: Source of randomness.
        epsilon: Share of uniform actions.

    Returns:
        The trajectories.
    """
    n = len(condition)
    states = env.initial_states(n)
    alive = torch.arange(n, device=condition.device)
    visited, actions, owners, finished, finishers = [], [], [], [], []
    log_pb = torch.zeros(n, device=condition.device)
    while len(alive):
        action = policy(states, condition[alive]).sample(generator=generator, epsilon=epsilon)
        visited.append(states)
        actions.append(action)
        owners.append(alive)
        states, step_log_pb = env.step(states, action)
        log_pb = log_pb.index_add(0, alive, step_log_pb)
        stopped = states.stopped
        finished.append(states[stopped])
        finishers.append(alive[stopped])
        states, alive = states[~stopped], alive[~stopped]
    cat = type(states).cat
    terminal = cat(finished)[torch.cat(finishers).argsort()]
    return Trajectories(
        cat(visited),
        torch.cat(actions),
        torch.cat(owners),
        log_pb + env.log_symmetry(terminal),
        terminal,
    )


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
    visited, actions, owners = [], [], []
    log_pb = env.log_symmetry(terminal)
    while len(alive):
        states, action, step_log_pb = env.sample_backward(states, generator=generator)
        visited.append(states)
        actions.append(action)
        owners.append(alive)
        log_pb = log_pb.index_add(0, alive, step_log_pb)
        unfinished = ~env.is_initial(states)
        states, alive = states[unfinished], alive[unfinished]
    return Trajectories(
        type(terminal).cat(visited), torch.cat(actions), torch.cat(owners), log_pb, terminal
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
        torch.cat([first.log_pb, second.log_pb]),
        cat([first.terminal, second.terminal]),
    )
