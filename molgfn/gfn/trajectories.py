"""Trajectories of a batch, packed without padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from molgfn.gfn.environment import Environment, S


@dataclass(frozen=True)
class Steps(Generic[S]):
    """Steps of B trajectories, T in all, in any order.

    Attributes:
        trajectory: Trajectory of every step, shape ``(T,)``.
        position: Position of every step in its trajectory, from 0, shape ``(T,)``.
        states: States before the step.
        actions: Actions taken, shape ``(T, A)``.
        following: States after it.
    """

    trajectory: Tensor
    position: Tensor
    states: S
    actions: Tensor
    following: S


@dataclass(frozen=True)
class Trajectories(Generic[S]):
    """B trajectories, their T transitions packed without padding.

    Attributes:
        states: Every state from which an action was taken, T in all.
        actions: The actions, shape ``(T, A)``.
        trajectory: Trajectory of every transition, shape ``(T,)``.
        position: Position of every transition in its trajectory, from 0, shape ``(T,)``.
        log_pb: log P_B of every transition, up to a potential of the intermediate states that
            telescopes: the sum along a trajectory is exact, ``(T,)``, nats.
        terminal: The B terminal states.
    """

    states: S
    actions: Tensor
    trajectory: Tensor
    position: Tensor
    log_pb: Tensor
    terminal: S

    @classmethod
    def of(cls, env: Environment[S], steps: Steps[S]) -> Trajectories[S]:
        """Assemble whole trajectories from their steps, in the order of the steps."""
        owner, following = steps.trajectory, steps.following
        ends = following.stopped.nonzero().squeeze(1)
        begins = (steps.position == 0).nonzero().squeeze(1)
        terminal = following[ends[owner[ends].argsort()]]
        log_pb = env.log_pb(following, steps.actions)
        log_pb = log_pb.index_add(0, ends, env.log_symmetry(terminal)[owner[ends]])
        log_pb = log_pb.index_add(0, begins, -env.log_symmetry(steps.states[begins]))
        return cls(steps.states, steps.actions, owner, steps.position, log_pb, terminal)

    def __len__(self) -> int:
        return len(self.terminal)

    def total(self, values: Tensor) -> Tensor:
        """Sum values of transitions ``(T,)`` over each trajectory, shape ``(B,)``."""
        total = torch.zeros(len(self), dtype=values.dtype, device=values.device)
        return total.index_add(0, self.trajectory, values)

    def padded(self, values: Tensor) -> Tensor:
        """Lay values of transitions ``(T,)`` out by trajectory, ``(B, L)``; 0 after the end."""
        n_steps = int(self.position.max()) + 1
        rows = torch.zeros(len(self), n_steps, dtype=values.dtype, device=values.device)
        return rows.index_put((self.trajectory, self.position), values)

    def select(self, mask: Tensor) -> Trajectories[S]:
        """Keep the trajectories where a mask ``(B,)`` is True, in order."""
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


def join(first: Trajectories[S], second: Trajectories[S]) -> Trajectories[S]:
    """Concatenate two batches of trajectories."""
    cat = type(first.states).cat
    return Trajectories(
        cat([first.states, second.states]),
        torch.cat([first.actions, second.actions]),
        torch.cat([first.trajectory, second.trajectory + len(first)]),
        torch.cat([first.position, second.position]),
        torch.cat([first.log_pb, second.log_pb]),
        cat([first.terminal, second.terminal]),
    )
