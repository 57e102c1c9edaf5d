"""All states of a small vocabulary, found by RDKit on assembled molecules.

Nothing here is shared with the environment's fast path: what is legal, which states are the same
and how many ways lead from one to another is decided anew, so that the two can check each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import Descriptors

from molgfn.config.schema import LimitsConfig
from molgfn.errors import ConfigError
from molgfn.fragments.marked_graph import MarkedGraphs, canonical_smiles, self_matches
from molgfn.fragments.tree import FragmentTree, assemble
from molgfn.fragments.vocabulary import Vocabulary

#: Rounding of a sum of weights; a molecule exactly at the limit is legal.
_WEIGHT_TOLERANCE_G_PER_MOL = 1e-6

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Enumeration:
    """Classes of isomorphic states, the edges between them and all their actions.

    State 0 is the start, by default the empty tree; parents come before children. An *edge* is
    (parent, child, entry),
    where an entry is a fragment with one representative site of every orbit by which it may be
    attached: two states are joined by several edges where the last fragment can have come in by
    inequivalent sites. Multiplicities are counted per edge.

    Attributes:
        trees: One tree of every class, ``None`` for the empty one; N of them.
        marked_smiles: Canonical SMILES of the marked graphs, the identity of the classes; empty
            for the empty tree.
        smiles: Canonical SMILES of the molecules, not distinct: trees may share a molecule.
        order: |Aut(s)| by self matches, shape ``(N,)``.
        may_stop: Whether the state may be terminal, shape ``(N,)``.
        n_leaves: L, the number of removable leaves, shape ``(N,)``.
        edge_parent: Parent of every edge, ascending, shape ``(E,)``.
        edge_child: Child of every edge, shape ``(E,)``.
        edge_fragment: Fragment that comes in, shape ``(E,)``.
        edge_site: Representative of its entry site, -1 for a first fragment, shape ``(E,)``.
        edge_m: m, the parent's actions with this entry that lead to the child, shape ``(E,)``.
        edge_k: k, the child's removable leaves of this entry without which it is the parent,
            shape ``(E,)``.
        action_state: State of every legal action but stop, ascending, shape ``(A,)``.
        action_node: Node of its tree to which the action attaches, -1 for the empty tree, ``(A,)``.
        action_site: Site of that node, -1 for the empty tree, shape ``(A,)``.
        action_edge: Edge that the action is one of, shape ``(A,)``.
    """

    trees: tuple[FragmentTree | None, ...]
    marked_smiles: tuple[str, ...]
    smiles: tuple[str, ...]
    order: Integers
    may_stop: NDArray[np.bool_]
    n_leaves: Integers
    edge_parent: Integers
    edge_child: Integers
    edge_fragment: Integers
    edge_site: Integers
    edge_m: Integers
    edge_k: Integers
    action_state: Integers
    action_node: Integers
    action_site: Integers
    action_edge: Integers

    def __len__(self) -> int:
        return len(self.trees)


def enumerate_states(
    vocabulary: Vocabulary,
    limits: LimitsConfig,
    max_states: int = 200_000,
    *,
    start: FragmentTree | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Enumeration:
    """List every state that can be built within the limits, once per class.

    Sites that an automorphism of the state exchanges are expanded once; all else is counted by
    comparing canonical SMILES of marked graphs.

    Args:
        vocabulary: The fragments.
        limits: Limits of the states.
        max_states: Give up beyond this number of classes, the start among them.
        start: Tree that every state holds, its nodes frozen; default: the empty tree.
        on_progress: Called with the number of classes done, after each.

    Returns:
        The classes, edges and actions; the same input gives the same order.

    Raises:
        ConfigError: There are more than ``max_states``.
        VocabularyError: A state has too many automorphisms to list.
    """
    walk = _Walk(_Rules(vocabulary, limits), max_states, on_progress)
    walk.run(start)
    return walk.result()


@dataclass(frozen=True)
class _Candidate:
    """A tree with its graph, before it is known whether its class is new."""

    tree: FragmentTree
    graph: Chem.Mol
    marked_smiles: str
    smiles: str


@dataclass(frozen=True)
class _Attachment:
    """Equivalent actions: one entry, all open sites of one orbit."""

    child: _Candidate
    fragment: int
    entry_site: int
    places: list[tuple[int, int]]


class _Rules:
    """What is legal, read off the assembled molecules."""

    def __init__(self, vocabulary: Vocabulary, limits: LimitsConfig) -> None:
        self.vocabulary = vocabulary
        self.limits = limits
        self.graphs = MarkedGraphs(vocabulary)
        self.representatives = self.graphs.entry_representatives(vocabulary)
        self._entries = [
            (i, site) for i, f in enumerate(vocabulary.fragments) for site in f.entry_sites
        ]
        #: SMILES of the molecule by marked SMILES; None where it is too large.
        self._molecules: dict[str, str | None] = {}

    def _checked(self, tree: FragmentTree, graph: Chem.Mol) -> _Candidate | None:
        marked = canonical_smiles(graph)
        if marked not in self._molecules:
            mol = assemble(tree, self.vocabulary)
            limit = self.limits.max_weight_g_per_mol + _WEIGHT_TOLERANCE_G_PER_MOL
            fits = mol.GetNumHeavyAtoms() <= self.limits.max_heavy_atoms
            fits = fits and Descriptors.MolWt(mol) <= limit
            self._molecules[marked] = Chem.MolToSmiles(mol) if fits else None
        smiles = self._molecules[marked]
        return None if smiles is None else _Candidate(tree, graph, marked, smiles)

    def start(self, tree: FragmentTree) -> _Candidate:
        """A start that is given, all of its nodes frozen."""
        frozen = replace(tree, n_frozen=len(tree))
        found = self._checked(frozen, self.graphs.frozen(frozen))
        if found is None:
            raise ConfigError("the start is larger than the limits")
        return found

    def first_fragments(self) -> Iterator[_Candidate]:
        """Fragments that may begin a molecule; where two are needed, they can take a second."""
        for number in range(len(self.vocabulary)):
            tree = FragmentTree((number,), (-1,), (-1,), (-1,))
            candidate = self._checked(tree, self.graphs.single(number))
            if candidate is None:
                continue
            if self.limits.min_fragments < 2 or any(True for _ in self.attachments(candidate)):
                yield candidate

    def attachments(
        self, state: _Candidate, orbits: Integers | None = None
    ) -> Iterator[_Attachment]:
        """Everything that may be attached to a state."""
        tree, fragments = state.tree, self.vocabulary.fragments
        if len(tree) >= self.limits.max_fragments:
            return
        if orbits is None:
            orbits = self_matches(state.graph)[1]
        offsets = self.graphs.offsets(tree.fragments)
        heavy = sum(fragments[f].mol.GetNumHeavyAtoms() for f in tree.fragments)
        by_orbit: dict[int, list[tuple[int, int]]] = {}
        for node, site in self._open_sites(tree):
            atom = offsets[node] + fragments[tree.fragments[node]].site_atoms[site]
            by_orbit.setdefault(int(orbits[atom]), []).append((node, site))
        for atom, places in by_orbit.items():
            # The orbit's smallest atom is an open site itself, and the first of its places.
            node, site = places[0]
            site_type = fragments[tree.fragments[node]].site_types[site]
            for fragment, entry_site in self._entries:
                entering = fragments[fragment]
                if heavy + entering.mol.GetNumHeavyAtoms() > self.limits.max_heavy_atoms:
                    continue
                if not self.vocabulary.allows(site_type, entering.site_types[entry_site]):
                    continue
                grown = FragmentTree(
                    (*tree.fragments, fragment),
                    (*tree.parents, node),
                    (*tree.parent_sites, site),
                    (*tree.entry_sites, entry_site),
                    tree.n_frozen,
                )
                child = self._checked(
                    grown, self.graphs.attached(state.graph, atom, fragment, entry_site)
                )
                if child is not None:
                    yield _Attachment(child, fragment, entry_site, places)

    def _open_sites(self, tree: FragmentTree) -> Iterator[tuple[int, int]]:
        used: Counter[tuple[int, int]] = Counter()
        for node, site, other, other_site in tree.bonds():
            used.update([(node, site), (other, other_site)])
        for node, number in enumerate(tree.fragments):
            fragment = self.vocabulary.fragments[number]
            for site, atom in enumerate(fragment.site_atoms):
                if used[node, site] < fragment.capacities[atom]:
                    yield node, site

    def removals(self, state: _Candidate) -> Iterator[tuple[str, tuple[int, int]]]:
        """Marked SMILES of the parent and entry, for every removable leaf."""
        tree = state.tree
        if len(tree) == 1 and not tree.n_frozen:
            yield "", (tree.fragments[0], -1)
            return
        sites: list[list[int]] = [[] for _ in tree.fragments]
        for node, site, other, other_site in tree.bonds():
            sites[node].append(site)
            sites[other].append(other_site)
        for leaf, number in enumerate(tree.fragments):
            if leaf < tree.n_frozen or len(sites[leaf]) != 1:
                continue
            if (number, sites[leaf][0]) in self.representatives:
                parent = canonical_smiles(self.graphs.removed(state.graph, tree, leaf))
                yield parent, (number, self.representatives[number, sites[leaf][0]])


@dataclass
class _Walk:
    """Goes through the classes layer by layer and fills the tables."""

    rules: _Rules
    max_states: int
    on_progress: Callable[[int], None] | None
    trees: list[FragmentTree | None] = field(default_factory=list)
    smiles: list[str] = field(default_factory=list)
    number: dict[str, int] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    may_stop: list[bool] = field(default_factory=list)
    n_leaves: list[int] = field(default_factory=list)
    # An edge is (parent, child, fragment, entry site).
    edges: dict[tuple[int, int, int, int], int] = field(default_factory=dict)
    forward: Counter[tuple[int, int, int, int]] = field(default_factory=Counter)
    backward: Counter[tuple[int, int, int, int]] = field(default_factory=Counter)
    actions: list[tuple[int, int, int, int]] = field(default_factory=list)

    def run(self, start: FragmentTree | None) -> None:
        layer: list[_Candidate] = []
        if start is None:
            self._enter(None, "", "")
            self.order.append(1)
            self.may_stop.append(False)
            self.n_leaves.append(0)
            for first in self.rules.first_fragments():
                self._meet(0, _Attachment(first, first.tree.fragments[0], -1, [(-1, -1)]), layer)
        else:
            root = self.rules.start(start)
            self._enter(root.tree, root.marked_smiles, root.smiles)
            layer.append(root)
        n_done = len(self.order) - 1
        while layer:
            following: list[_Candidate] = []
            for state in layer:
                self._expand(state, following)
                n_done += 1
                if self.on_progress is not None:
                    self.on_progress(n_done + 1)
            layer = following

    def _enter(self, tree: FragmentTree | None, marked_smiles: str, smiles: str) -> None:
        """Number a new class."""
        self.number[marked_smiles] = len(self.number)
        self.trees.append(tree)
        self.smiles.append(smiles)

    def _expand(self, state: _Candidate, following: list[_Candidate]) -> None:
        number = self.number[state.marked_smiles]
        order, orbits = self_matches(state.graph)
        n_before = len(self.actions)
        for attachment in self.rules.attachments(state, orbits):
            self._meet(number, attachment, following)
        stuck = len(self.actions) == n_before
        limits = self.rules.limits
        removals = list(self.rules.removals(state))
        for parent, (fragment, site) in removals:
            self.backward[self.number[parent], number, fragment, site] += 1
        self.order.append(order)
        self.may_stop.append(stuck or len(state.tree) >= limits.min_fragments)
        self.n_leaves.append(len(removals))

    def _meet(self, parent: int, attachment: _Attachment, following: list[_Candidate]) -> None:
        child = attachment.child
        if child.marked_smiles not in self.number:
            if len(self.number) >= self.max_states:
                raise ConfigError(
                    f"the vocabulary {self.rules.vocabulary.name!r} has more than "
                    f"{self.max_states} states within the limits; lower limits.max_fragments or "
                    "limits.max_heavy_atoms, take fewer fragments, or raise max_states"
                )
            self._enter(child.tree, child.marked_smiles, child.smiles)
            following.append(child)
        number = self.number[child.marked_smiles]
        key = (parent, number, attachment.fragment, attachment.entry_site)
        edge = self.edges.setdefault(key, len(self.edges))
        self.forward[key] += len(attachment.places)
        self.actions += [(parent, node, site, edge) for node, site in attachment.places]

    def result(self) -> Enumeration:
        if self.backward.keys() != self.forward.keys():
            raise ValueError("steps forward and backward do not join the same states")
        edges = np.array(list(self.edges), dtype=np.int64).reshape(-1, 4)
        actions = np.array(self.actions, dtype=np.int64).reshape(-1, 4)
        return Enumeration(
            trees=tuple(self.trees),
            marked_smiles=tuple(self.number),
            smiles=tuple(self.smiles),
            order=np.array(self.order, dtype=np.int64),
            may_stop=np.array(self.may_stop, dtype=np.bool_),
            n_leaves=np.array(self.n_leaves, dtype=np.int64),
            edge_parent=edges[:, 0].copy(),
            edge_child=edges[:, 1].copy(),
            edge_fragment=edges[:, 2].copy(),
            edge_site=edges[:, 3].copy(),
            edge_m=np.array([self.forward[edge] for edge in self.edges], dtype=np.int64),
            edge_k=np.array([self.backward[edge] for edge in self.edges], dtype=np.int64),
            action_state=actions[:, 0].copy(),
            action_node=actions[:, 1].copy(),
            action_site=actions[:, 2].copy(),
            action_edge=actions[:, 3].copy(),
        )
