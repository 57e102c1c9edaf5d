"""Environments whose states are rows of small integers: a subclass says what an action does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from molgfn.errors import ConfigError
from molgfn.gfn.draw import draw_uniform
from molgfn.gfn.space import Space


@dataclass(frozen=True)
class RowStates:
    """B states of W integers each.

    Attributes:
        values: The integers, shape ``(B, W)``.
        stopped: Whether the state is terminal, shape ``(B,)``.
    """

    values: Tensor
    stopped: Tensor

    @classmethod
    def cat(cls, batches: Sequence[RowStates]) -> RowStates:
        """Join batches one after the other."""
        return cls(torch.cat([b.values for b in batches]), torch.cat([b.stopped for b in batches]))

    def __len__(self) -> int:
        return self.values.shape[0]

    def __getitem__(self, index: Tensor) -> RowStates:
        return RowStates(self.values[index], self.stopped[index])

    @property
    def device(self) -> torch.device:
        """Device of the tensors."""
        return self.values.device

    def to_tensor(self) -> Tensor:
        """Pack the batch into one integer tensor, shape ``(B, W + 1)``."""
        return torch.cat([self.values, self.stopped[:, None].long()], 1)

    @classmethod
    def from_tensor(cls, packed: Tensor) -> RowStates:
        """Undo :meth:`to_tensor`."""
        return cls(packed[:, :-1], packed[:, -1].bool())


class DiscreteEnvironment(ABC):
    """Rows of integers, changed by D actions; action D stops, wherever one likes.

    Trajectories begin at a row of zeros. Different actions must lead from a state to different
    states, so that there is no symmetry to correct (m = k = 1 on every edge), and no row may come
    back once it was left. The backward policy is uniform over the actions that can have led to a
    state.
    """

    def __init__(self, n_columns: int, n_levels: int, n_actions: int, max_steps: int) -> None:
        self.n_columns, self.n_levels = n_columns, n_levels
        self.n_actions, self.max_steps = n_actions, max_steps
        self.to("cpu")

    @abstractmethod
    def forward_mask(self, values: Tensor) -> Tensor:
        """Actions that are legal in rows ``(B, W)``, True = allowed, shape ``(B, D)``."""

    @abstractmethod
    def backward_mask(self, values: Tensor) -> Tensor:
        """Actions that can have led to rows ``(B, W)``, shape ``(B, D)``."""

    @abstractmethod
    def apply(self, values: Tensor, actions: Tensor) -> Tensor:
        """Rows ``(B, W)`` after actions ``(B,)`` below D."""

    @abstractmethod
    def undo(self, values: Tensor, actions: Tensor) -> Tensor:
        """Rows ``(B, W)`` before actions ``(B,)`` below D that led to them."""

    def to(self, device: torch.device | str) -> Self:
        """Choose where new states live, in place."""
        self.device = torch.device(device)
        self.lockstep = self.device.type != "cpu"
        return self

    def initial_states(self, n_states: int) -> RowStates:
        """Make a batch of the initial state, a row of zeros."""
        return RowStates(
            torch.zeros(n_states, self.n_columns, dtype=torch.long, device=self.device),
            torch.zeros(n_states, dtype=torch.bool, device=self.device),
        )

    def is_initial(self, states: RowStates) -> Tensor:
        """Mask the states that are at the start and have not stopped, shape ``(B,)``."""
        return (states.values == 0).all(1) & ~states.stopped

    def compact(self, states: RowStates, _n_steps: int) -> RowStates:
        """The states as they are: all take the same room."""
        return states

    def legal_mask(self, states: RowStates) -> Tensor:
        """Actions that are legal in states that have not stopped, ``(B, D + 1)``, stop last."""
        stop = torch.ones_like(states.stopped)[:, None]
        return torch.cat([self.forward_mask(states.values), stop], 1)

    def stop_actions(self, n_states: int) -> Tensor:
        """The action that stops, shape ``(B, 1)``."""
        return torch.full((n_states, 1), self.n_actions, device=self.device)

    def step(self, states: RowStates, actions: Tensor) -> RowStates:
        """Take one legal action ``(B, 1)`` in every state; a stopped state stays as it is."""
        stopped = states.stopped | (actions.squeeze(1) == self.n_actions)
        moved = self.apply(states.values, actions.squeeze(1).clamp(max=self.n_actions - 1))
        return RowStates(torch.where(stopped[:, None], states.values, moved), stopped)

    def _backward_mask(self, states: RowStates) -> Tensor:
        """Backward steps of every state, shape (B, D + 1): those of its row, or its stop."""
        back = self.backward_mask(states.values) & ~states.stopped[:, None]
        return torch.cat([back, states.stopped[:, None]], 1)

    def _undone(self, states: RowStates, actions: Tensor) -> RowStates:
        before = self.undo(states.values, actions.clamp(max=self.n_actions - 1))
        values = torch.where(states.stopped[:, None], states.values, before)
        return RowStates(values, torch.zeros_like(states.stopped))

    def log_pb(self, following: RowStates, _actions: Tensor) -> Tensor:
        """Log P_B of steps to states, uniform over their backward steps, shape ``(B,)``, nats."""
        return -self._backward_mask(following).sum(1).clamp(min=1).float().log()

    def sample_backward(
        self, states: RowStates, *, generator: torch.Generator
    ) -> tuple[RowStates, Tensor]:
        """Take one backward step: parents, and the forward actions ``(B, 1)``.

        The result for an initial state is meaningless.
        """
        actions = draw_uniform(self._backward_mask(states), generator)
        return self._undone(states, actions), actions[:, None]

    def parents(self, states: RowStates) -> tuple[Tensor, RowStates, Tensor, Tensor]:
        """Take every backward step; an initial state has none.

        Returns:
            For each of the E steps the number of its state, ascending, ``(E,)``; the parents; the
            forward actions ``(E, 1)``; log P_B, ``(E,)``, nats.
        """
        index, actions = self._backward_mask(states).nonzero(as_tuple=True)
        following = states[index]
        back = actions[:, None]
        return index, self._undone(following, actions), back, self.log_pb(following, back)

    def log_symmetry(self, states: RowStates) -> Tensor:
        """Zeros, shape ``(B,)``: no two actions of a state lead to the same next state."""
        return torch.zeros(len(states), device=states.device)

    def keys(self, states: RowStates) -> list[str]:
        """Canonical keys such as ``"0,6,1,1"``; ``stopped`` is not part of them."""
        return [",".join(map(str, row)) for row in states.values.tolist()]

    def space(self, max_states: int = 200_000) -> Space[RowStates]:
        """List every state with all steps, the initial one first, then in the order of the rows.

        Raises:
            ConfigError: There are more than ``max_states``.
            ValueError: Forward and backward steps disagree, two actions are the same step, or
                trajectories are longer than ``max_steps``.
        """
        layer, n_steps = self.initial_states(1).values, 0
        start = tuple(layer[0].tolist())
        depth = {start: 0}
        while len(layer):
            if n_steps == self.max_steps:
                raise ValueError(
                    f"row {layer[0].tolist()} is reached by {n_steps} steps, and stop would be one "
                    f"more than max_steps, {self.max_steps}"
                )
            state, action = self.forward_mask(layer).nonzero(as_tuple=True)
            layer, n_steps = self.apply(layer[state], action).unique(dim=0), n_steps + 1
            # A row that several numbers of steps lead to has the largest.
            depth.update(dict.fromkeys(map(tuple, layer.tolist()), n_steps))
            if len(depth) > max_states:
                raise ConfigError(f"there are more than {max_states} states, too many to list")
        rows = [start, *sorted(row for row in depth if row != start)]
        number = {row: i for i, row in enumerate(rows)}
        values = torch.tensor(rows, device=self.device)
        states = RowStates(values, torch.zeros(len(rows), dtype=torch.bool, device=self.device))
        parent, action = self.forward_mask(values).nonzero(as_tuple=True)
        reached = [number[tuple(row)] for row in self.apply(values[parent], action).tolist()]
        child = torch.tensor(reached, dtype=torch.long, device=self.device)
        self._check_edges(values, parent, child)
        one = torch.ones_like(parent)
        return Space(
            states=states,
            keys=["", *self.keys(states)[1:]],
            depth=torch.tensor([depth[row] for row in rows], device=self.device),
            may_stop=torch.ones_like(states.stopped),
            log_symmetry=self.log_symmetry(states).double(),
            n_leaves=self.backward_mask(values).sum(1),
            edge_parent=parent,
            edge_child=child,
            edge_m=one,
            edge_k=one.clone(),
            action_state=parent.clone(),
            actions=action[:, None],
            action_edge=torch.arange(len(parent), device=self.device),
            stop_action=self.stop_actions(1)[0],
        )

    def _check_edges(self, values: Tensor, parent: Tensor, child: Tensor) -> None:
        """Refuse an environment whose sampler would be biased, naming a row at fault."""
        n_into = torch.bincount(child, minlength=len(values))
        n_back = self.backward_mask(values).sum(1)
        for number in (n_into != n_back).nonzero().squeeze(1).tolist()[:1]:
            raise ValueError(
                f"{int(n_into[number])} steps lead to row {values[number].tolist()}, but "
                f"backward_mask has {int(n_back[number])}"
            )
        edges, count = (parent * len(values) + child).unique(return_counts=True)
        for edge in edges[count > 1].tolist()[:1]:
            raise ValueError(
                f"several actions lead from row {values[edge // len(values)].tolist()} to "
                f"{values[edge % len(values)].tolist()}; leave all but one out"
            )

    def terminal_states(self) -> RowStates:
        """Every terminal state, in the order of :meth:`space`."""
        states = self.space().states
        return RowStates(states.values, torch.ones_like(states.stopped))
