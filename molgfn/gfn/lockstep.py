"""Trajectories in lockstep, so that the host never waits for the GPU before all have ended.

The operations of such a walk follow from the sizes alone, so on a GPU it is recorded and replayed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from molgfn.gfn.condition import Condition
from molgfn.gfn.environment import Environment, S
from molgfn.gfn.policy import Policy
from molgfn.gfn.recording import replayed
from molgfn.gfn.trajectories import Steps


def walk(
    env: Environment[S],
    policy: Policy[S],
    condition: Condition,
    *,
    generator: torch.Generator,
    epsilon: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Walk until the longest possible trajectory has ended; finished ones stand still.

    Arguments as for :func:`molgfn.gfn.rollout.rollout`. Returns all L + 1 states of every
    trajectory, packed, ``(L + 1, B, C)``, and the actions, ``(L, B, A)``.
    """

    def work(generator: torch.Generator, inputs: Sequence[Tensor]) -> list[Tensor]:
        log_beta, beta, weights, *share = inputs
        asked = Condition(log_beta, beta, weights)
        epsilon = share[0] if share else None
        decide, n = policy.prepare(lockstep=True), len(asked)
        everyone = torch.arange(n, device=log_beta.device)
        states = env.initial_states(n)
        visited, taken = [states.to_tensor()], []
        for n_steps in range(env.max_steps - 1):
            decision = decide(env.compact(states, n_steps), asked)
            taken.append(decision.sample(everyone, generator, epsilon))
            states = env.step(states, taken[-1])
            visited.append(states.to_tensor())
        taken.append(env.stop_actions(n))
        visited.append(env.step(states, taken[-1]).to_tensor())
        return [torch.stack(visited), torch.stack(taken)]

    inputs = condition.to_tensors() + ([] if epsilon is None else [epsilon])
    visited, taken = replayed(work, inputs, generator, of=policy, within=env)
    return visited, taken


def steps_of(env: Environment[S], visited: Tensor, actions: Tensor) -> Steps[S]:
    """Extract the steps of trajectories from a :func:`walk`; standing still is no step."""
    states, following = _before_and_after(env, visited)
    n, going = actions.shape[1], (~states.stopped).nonzero().squeeze(1)
    return Steps(
        going % n, going // n, states[going], actions.flatten(0, 1)[going], following[going]
    )


def walk_back(env: Environment[S], terminal: S, *, generator: torch.Generator) -> Steps[S]:
    """Walk back until the longest possible trajectory has reached its start; last steps first."""
    from_tensor = terminal.from_tensor

    def work(generator: torch.Generator, inputs: Sequence[Tensor]) -> list[Tensor]:
        visited, taken = [*inputs], []
        for _ in range(env.max_steps):
            states = from_tensor(visited[-1])
            parents, actions = env.sample_backward(states, generator=generator)
            # A trajectory back at its start stays there.
            done = env.is_initial(states)[:, None]
            visited.append(torch.where(done, visited[-1], parents.to_tensor()))
            taken.append(actions)
        return [torch.stack(visited), torch.stack(taken)]

    visited, taken = replayed(work, [terminal.to_tensor()], generator, of=env)
    following, parents = _before_and_after(env, visited)
    n, going = len(terminal), (~env.is_initial(following)).nonzero().squeeze(1)
    trajectory = going % n
    position = torch.bincount(trajectory)[trajectory] - 1 - going // n
    return Steps(trajectory, position, parents[going], taken.flatten(0, 1)[going], following[going])


def _before_and_after(env: Environment[S], visited: Tensor) -> tuple[S, S]:
    """Where each step of a walk (L + 1, B, C) began and where it led, L B states each."""
    from_tensor = env.initial_states(0).from_tensor
    return from_tensor(visited[:-1].flatten(0, 1)), from_tensor(visited[1:].flatten(0, 1))
