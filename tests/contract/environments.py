"""Every environment behind one interface, with what it takes to count by brute force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from molgfn.config.schema import LimitsConfig
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.tree import FragmentTree
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.gfn.condition import Condition
from molgfn.gfn.discrete import RowStates
from molgfn.gfn.perceptron import MaskedCategorical
from molgfn.gfn.policy import Policy
from molgfn.gfn.rollout import rollout
from molgfn.gfn.trajectories import Trajectories
from molgfn.hypergrid.env import Hypergrid
from molgfn.molecules.env.fragment_env import STOP, FragmentEnv
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.policy.uniform import UniformPolicy

#: A symmetric and an asymmetric linker, an atom with room for three, a ring of six equal sites.
SMALL = Vocabulary(
    "small",
    (
        Fragment.build("c1ccccc1", dict.fromkeys(range(6), 1)),
        Fragment.build("C", {0: 3}),
        Fragment.build("NC=O", {0: 2, 1: 1}),
        Fragment.build("NC(N)=O", {0: 1, 2: 1}),
        Fragment.build("O", {0: 1}),
    ),
)
SMALL_LIMITS = LimitsConfig(min_fragments=2, max_fragments=4, max_heavy_atoms=12)

#: Starts that stay: the ring alone, and two fragments that an automorphism exchanges.
STARTS = {
    "frozen-1": FragmentTree((0,), (-1,), (-1,), (-1,)),
    "frozen-2": FragmentTree((3, 3), (-1, 0), (-1, 0), (-1, 0)),
}

Edge = tuple[Hashable, int]


@dataclass(frozen=True)
class EdgeInto:
    """An edge into a state.

    Attributes:
        parent: One representative of the parent.
        log_pb: log P_B of one action, completed with the potential, once per backward step: k
            times in all.
    """

    parent: Any
    log_pb: list[float]


@dataclass(frozen=True)
class Case:
    """An environment under test.

    Attributes:
        env: The environment.
        uniform: A policy over all legal actions that treats equivalent ones alike.
        actions: All legal actions of a batch of one state, shape ``(A, width)``.
        kinds: What, beside parent and child, tells one edge from another, shape ``(A,)``: the
            entry of an action that attaches (m and k are counted per entry), nothing in a grid.
    """

    env: Any
    uniform: Policy[Any]
    actions: Callable[[Any], Tensor]
    kinds: Callable[[Tensor], Tensor]

    def identities(self, states: Any) -> list[Hashable]:
        """Equal exactly for equal states; the environment's keys leave out start and stop."""
        found: list[Hashable] = ["initial"] * len(states)
        rows = (~self.env.is_initial(states)).nonzero().flatten()
        keys = self.env.keys(states[rows])
        for row, key in zip(rows.tolist(), keys, strict=True):
            found[row] = (key, bool(states.stopped[row]))
        return found

    def log_symmetry(self, states: Any) -> Tensor:
        """The potential of every state, 0 for the empty tree."""
        found: Tensor = self.env.log_symmetry(states)
        return found

    def trajectories(self, n: int, seed: int) -> Trajectories[Any]:
        generator = torch.Generator().manual_seed(seed)
        return rollout(self.env, self.uniform, Condition.of(1.0, n), generator=generator)

    def random_states(self, n: int, seed: int) -> Any:
        """States along n trajectories, without the initial and with the terminal ones."""
        trajectories = self.trajectories(n, seed)
        states = type(trajectories.terminal).cat([trajectories.states, trajectories.terminal])
        return states[~self.env.is_initial(states)]

    def children(self, state: Any, kind: int | None = None) -> tuple[Tensor, Any]:
        """All legal actions of one state, or those of one kind of edge, and where they lead."""
        actions = self.actions(state)
        if kind is not None:
            actions = actions[self.kinds(actions) == kind]
        repeated = state[torch.zeros(len(actions), dtype=torch.long)]
        return actions, self.env.step(repeated, actions)

    def edges_into(self, states: Any) -> list[dict[Edge, EdgeInto]]:
        """The distinct edges into every state, by (identity of the parent, kind)."""
        index, parents, actions, local = self.env.parents(states)
        log_pb = local + self.log_symmetry(states)[index] - self.log_symmetry(parents)
        found: list[dict[Edge, EdgeInto]] = [{} for _ in range(len(states))]
        for i, parent, name, kind, value in zip(
            index.tolist(),
            each(parents),
            self.identities(parents),
            self.kinds(actions).tolist(),
            log_pb.tolist(),
            strict=True,
        ):
            found[i].setdefault((name, kind), EdgeInto(parent, [])).log_pb.append(value)
        return found

    def multiplicity(self, parent: Any, kind: int, child: Hashable) -> int:
        """m: the actions of one kind that lead from one state to the child."""
        return self.identities(self.children(parent, kind)[1]).count(child)

    def enumerate(self) -> tuple[dict[Hashable, Any], dict[Hashable, Counter[Edge]]]:
        """All states, and of each the number m of actions per edge (child, kind).

        Only for a small environment. Parents come before their children.
        """
        frontier = self.env.initial_states(1)
        states: dict[Hashable, Any] = {"initial": frontier}
        edges: dict[Hashable, Counter[Edge]] = {}
        while len(frontier):
            following = []
            for state in each(frontier):
                (name,) = self.identities(state)
                edges[name] = Counter()
                if bool(state.stopped[0]):
                    continue
                actions, children = self.children(state)
                kinds = self.kinds(actions).tolist()
                for kind, child, identity in zip(
                    kinds, each(children), self.identities(children), strict=True
                ):
                    edges[name][identity, kind] += 1
                    if identity not in states:
                        states[identity] = child
                        following.append(child)
            none = frontier[torch.arange(0)]
            frontier = type(frontier).cat([none, *following])
        return states, edges


def each(states: Any) -> Iterator[Any]:
    """Batches of one."""
    for row in torch.arange(len(states)).split(1):
        yield states[row]


def hypergrid(n_dimensions: int) -> Case:
    env = Hypergrid(n_dimensions, 8)

    class Uniform(Policy[RowStates]):
        def __call__(self, states: RowStates, condition: Condition) -> MaskedCategorical:
            mask = env.legal_mask(states)
            return MaskedCategorical(torch.where(mask, 0.0, -torch.inf), condition.log_beta)

    def actions(state: RowStates) -> Tensor:
        return env.legal_mask(state)[0].nonzero()

    return Case(env, Uniform(), actions, lambda found: torch.zeros(len(found)).long())


def fragments(
    vocabulary: Vocabulary,
    limits: LimitsConfig,
    *,
    start: FragmentTree | None = None,
    symmetry_correction: bool = True,
) -> Case:
    env = FragmentEnv(vocabulary, limits, start=start, symmetry_correction=symmetry_correction)

    def actions(state: FragmentStates) -> Tensor:
        rows = env.legal_row_mask(state)[0]
        moves = rows[:-1].nonzero().flatten()
        repeated = state[torch.zeros(len(moves), dtype=torch.long)]
        row, entry = env.legal_entry_mask(repeated, moves).nonzero(as_tuple=True)
        found = torch.stack([moves[row], entry], 1)
        return torch.cat([found, torch.tensor([[STOP, 0]])]) if rows[-1] else found

    def kinds(found: Tensor) -> Tensor:
        return torch.where(found[:, 0] == STOP, STOP, found[:, 1])

    return Case(env, UniformPolicy(env), actions, kinds)
