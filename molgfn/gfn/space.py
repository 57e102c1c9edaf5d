"""A listed environment: every state once, with the edges between states and all actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor

S = TypeVar("S")


@dataclass(frozen=True)
class Space(Generic[S]):
    """Classes of isomorphic states of an environment small enough to list.

    An *edge* joins a parent class to a child class by one kind of action. m counts the actions of
    the parent's representative that form this edge, k the backward steps of the child that undo
    it. Both are 1 throughout where an environment has no symmetry.

    Attributes:
        states: One representative of each of N classes, none stopped; the first is the initial
            state, parents come before children.
        keys: Canonical key of every state, ``""`` for an empty initial one.
        depth: Number of steps from the initial state; an edge leads to a greater depth, ``(N,)``.
        may_stop: Whether the state may be terminal, shape ``(N,)``.
        log_symmetry: log |Aut(s)|, whether or not the environment corrects for it, shape
            ``(N,)``, float64, nats.
        n_leaves: L, the number of backward steps, 0 for the initial state, shape ``(N,)``.
        edge_parent: Parent of every edge, ascending, shape ``(E,)``.
        edge_child: Child of every edge, shape ``(E,)``.
        edge_m: m of every edge, shape ``(E,)``.
        edge_k: k of every edge, shape ``(E,)``; over the edges into a state they sum to L.
        action_state: State of every legal action but stop, ascending, shape ``(A,)``.
        actions: The actions as the environment takes them, shape ``(A, a)``.
        action_edge: Edge to which the action belongs, shape ``(A,)``.
        stop_action: The action that stops, shape ``(a,)``.
    """

    states: S
    keys: list[str]
    depth: Tensor
    may_stop: Tensor
    log_symmetry: Tensor
    n_leaves: Tensor
    edge_parent: Tensor
    edge_child: Tensor
    edge_m: Tensor
    edge_k: Tensor
    action_state: Tensor
    actions: Tensor
    action_edge: Tensor
    stop_action: Tensor

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def terminal(self) -> Tensor:
        """Numbers of the states that may stop, ascending, shape ``(n_terminal,)``."""
        return self.may_stop.nonzero().squeeze(1)
