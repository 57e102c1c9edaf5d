"""Rollouts: trajectories sampled forward with a policy, or backward from terminal states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from molgfn.gfn import lockstep
from molgfn.gfn.condition import Condition
from molgfn.gfn.distinct import distinct_states
from molgfn.gfn.environment import Environment, S
from molgfn.gfn.policy import Policy
from molgfn.gfn.trajectories import Steps, Trajectories


@torch.no_grad()
def rollout(
    env: Environment[S],
    policy: Policy[S],
    condition: Condition,
    *,
    generator: torch.Generator,
    epsilon: Tensor | None = None,
) -> Trajectories[S]:
    """Sample one trajectory per condition.

    ``epsilon`` ``(B,)`` is the probability of a uniform action in each trajectory; default: 0.
    """
    if env.lockstep:
        walked = lockstep.walk(env, policy, condition, generator=generator, epsilon=epsilon)
        steps = lockstep.steps_of(env, *walked)
    else:
        steps = _joined(list(_walk(env, policy, condition, generator, epsilon)))
    return Trajectories.of(env, steps)


@torch.no_grad()
def draw_terminal(
    env: Environment[S], policy: Policy[S], condition: Condition, *, generator: torch.Generator
) -> S:
    """Sample only the ends of trajectories, equal to those of :func:`rollout` but faster."""
    if env.lockstep:
        visited, _ = lockstep.walk(env, policy, condition, generator=generator, epsilon=None)
        return env.initial_states(0).from_tensor(visited[-1])
    ends, owners = [], []
    for step in _walk(env, policy, condition, generator, None):
        ended = step.following.stopped.nonzero().squeeze(1)
        ends.append(step.following[ended])
        owners.append(step.trajectory[ended])
    return type(ends[0]).cat(ends)[torch.cat(owners).argsort()]


@torch.no_grad()
def rollout_backward(
    env: Environment[S], terminal: S, *, generator: torch.Generator
) -> Trajectories[S]:
    """Sample a trajectory to each terminal state with the backward policy, last steps first."""
    walk_back = lockstep.walk_back if env.lockstep else _walk_back
    return Trajectories.of(env, walk_back(env, terminal, generator=generator))


# Saves a fourteenth of a rollout over no_grad; tensors joined afterwards can take part in autograd.
@torch.inference_mode()
def _walk(
    env: Environment[S],
    policy: Policy[S],
    condition: Condition,
    generator: torch.Generator,
    epsilon: Tensor | None,
) -> Iterator[Steps[S]]:
    """Yield the steps of all unfinished trajectories, one position at a time."""
    decide, n, group = policy.prepare(), len(condition), condition.groups()
    states = env.initial_states(n)
    alive = torch.arange(n, device=group.device)
    for n_steps in range(env.max_steps):
        if not len(alive):
            return
        if n_steps < env.max_steps - 1:
            distinct, index, first = distinct_states(states, group[alive])
            distribution = decide(distinct, condition[alive[first]])
            share = None if epsilon is None else epsilon[alive]
            actions = distribution.sample(index, generator, share)
        else:  # only stop is left
            actions = env.stop_actions(len(alive))
        following = env.step(states, actions)
        yield Steps(alive, torch.full_like(alive, n_steps), states, actions, following)
        going = (~following.stopped).nonzero().squeeze(1)
        states, alive = following[going], alive[going]


def _walk_back(env: Environment[S], terminal: S, *, generator: torch.Generator) -> Steps[S]:
    """Walk back until each trajectory has reached its start; last steps first."""
    states = terminal
    alive = torch.arange(len(terminal), device=terminal.device)
    undone = torch.zeros_like(alive)
    steps = []
    for _ in range(env.max_steps):
        if not len(alive):
            break
        parents, actions = env.sample_backward(states, generator=generator)
        steps.append(Steps(alive, undone, parents, actions, states))
        going = (~env.is_initial(parents)).nonzero().squeeze(1)
        states, alive, undone = parents[going], alive[going], undone[going] + 1
    if len(alive):
        raise ValueError(f"a trajectory of more than max_steps, {env.max_steps}, ends nowhere")
    found = _joined(steps)
    length = torch.bincount(found.trajectory)[found.trajectory]
    return replace(found, position=length - 1 - found.position)


def _joined(steps: Sequence[Steps[S]]) -> Steps[S]:
    cat = type(steps[0].states).cat
    return Steps(
        torch.cat([each.trajectory for each in steps]),
        torch.cat([each.position for each in steps]),
        cat([each.states for each in steps]),
        torch.cat([each.actions for each in steps]),
        cat([each.following for each in steps]),
    )
