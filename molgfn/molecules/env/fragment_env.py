"""The fragment environment: legal actions, steps forward and back, all on batches."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from molgfn.chem.molecule import Molecule
from molgfn.config.schema import LimitsConfig
from molgfn.errors import ConfigError
from molgfn.fragments.symmetry import TreeSymmetry
from molgfn.fragments.tree import FragmentTree, assemble, check_tree
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.gfn.draw import draw_uniform
from molgfn.molecules.env.legal_actions import LegalActions
from molgfn.molecules.env.states import N_COLUMNS, STOPPED, FragmentStates
from molgfn.molecules.env.vocabulary_tensors import vocabulary_tensors

#: Row of the stop action; other rows are ``node * n_sites + site``.
STOP = -1


class FragmentEnv(LegalActions):
    """States are trees of fragments; one action adds one fragment.

    An action is a pair (row, entry). The row names the open site, ``node * n_sites + site``, or
    ``STOP``; the entry names the new fragment and the site by which it comes in, one
    representative per symmetry orbit. The first fragment is row 0 of the empty tree.

    With the symmetry correction (MATHS.md, section 2) the backward log-probability of a step is

        log P_B(s|s') = -log L(s') - log(m/k)
                      = [-log L(s') - log|Stab(e)|] + log|Aut(s')| - log|Aut(s)|

    :meth:`log_pb` returns the bracket, :meth:`log_symmetry` the rest, which telescopes along a
    trajectory. L(s') counts the removable leaves. m and k count the actions and leaves of one
    entry e: where a fragment can come in by two kinds of sites and lead to the same state, each
    kind is an edge of its own.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        limits: LimitsConfig,
        *,
        start: FragmentTree | None = None,
        symmetry_correction: bool = True,
    ) -> None:
        """Set up the environment on the CPU; :meth:`to` moves it.

        Args:
            vocabulary: The fragments.
            limits: Limits of the states, the start included.
            start: Tree with which every trajectory begins and which stays;
                default: the empty tree.
            symmetry_correction: Switch off only as the negative control of an exactness test.

        Raises:
            ConfigError: Nothing can grow from the start within the limits.
            ValueError: The start is no tree of the vocabulary.
        """
        super().__init__(vocabulary_tensors(vocabulary), limits)
        self.vocabulary = vocabulary
        self.symmetry_correction = symmetry_correction
        self._symmetry = TreeSymmetry(vocabulary)
        self.start = start
        self._check_start()

    def to(self, device: torch.device | str) -> FragmentEnv:
        """Move the environment's tensors to a device, in place."""
        self._prepare(self.tensors.to(device))
        return self

    def _check_start(self) -> None:
        """Refuse a start from which nothing grows."""
        limits, start = self.limits, self.start
        room = f"{limits.max_heavy_atoms} heavy atoms and {limits.max_weight_g_per_mol} g/mol"
        if start is None:
            first_row = torch.zeros(1, dtype=torch.long, device=self.device)
            if not self.legal_entry_mask(self.initial_states(1), first_row).any():
                raise ConfigError(
                    f"no fragment of {self.vocabulary.name!r} can start a molecule of "
                    f"{limits.min_fragments} fragments, {room}; widen limits"
                )
            return
        check_tree(start, self.vocabulary)
        if (
            len(start) >= limits.max_fragments
            or not self.legal_row_mask(self.initial_states(1))[0, :-1].any()
        ):
            raise ConfigError(
                f"nothing can be attached to a start of {len(start)} fragments within "
                f"{limits.max_fragments} fragments, {room}: widen limits, unless all its sites "
                "are taken"
            )

    @property
    def n_frozen(self) -> int:
        """Number of fragments of the start."""
        return 0 if self.start is None else len(self.start)

    def initial_states(self, n_states: int) -> FragmentStates:
        """Make a batch of the initial state, the start with all its nodes frozen."""
        n_nodes = self.limits.max_fragments
        if self.start is None:
            return FragmentStates.empty(n_states, n_nodes, self.device)
        frozen = replace(self.start, n_frozen=len(self.start))
        one = FragmentStates.from_trees([frozen], n_nodes, self.device).going_copy()
        return FragmentStates(one.packed.repeat(n_states, 1))

    def is_initial(self, states: FragmentStates) -> Tensor:
        """Mask the states that hold frozen nodes alone and have not stopped, shape ``(B,)``."""
        # Their flags are twice the number of frozen nodes; those of a stopped state are odd.
        return states.packed[:, -1] == 2 * states.n_fragments

    # ------------------------------------------------------------------ moves

    @property
    def max_steps(self) -> int:
        """Length of the longest trajectory, stop included."""
        return self.limits.max_fragments + 1 - self.n_frozen

    def compact(self, states: FragmentStates, n_steps: int) -> FragmentStates:
        """Drop the places that ``n_steps`` steps cannot have filled.

        Args:
            states: B states.
            n_steps: Steps that have led to them from the initial state.

        Returns:
            The same states, with fewer places.
        """
        return states.narrowed(max(n_steps + self.n_frozen, 1))

    def stop_actions(self, n_states: int) -> Tensor:
        """Make the action that stops, shape ``(B, 2)``."""
        return torch.full((n_states, 2), STOP, device=self.device)

    def step(self, states: FragmentStates, actions: Tensor) -> FragmentStates:
        """Take one action in every state; a stopped state stays as it is.

        Args:
            states: B states.
            actions: Legal (row, entry) of each, shape ``(B, 2)``; the entry of stop is ignored.
        """
        rows, entries = actions.unbind(1)
        n_sites, n_nodes = self.tensors.n_sites, states.n_nodes
        n_fragments = states.n_fragments
        entry = self._entry.index_select(0, entries.clamp(min=0))  # (B, 2)
        junction = torch.stack([rows // n_sites, rows % n_sites], 1)
        junction.masked_fill_((n_fragments == 0)[:, None], -1)  # the first fragment has none
        values = torch.cat([entry[:, :1], junction, entry[:, 1:]], 1)
        columns = torch.arange(0, N_COLUMNS * n_nodes, n_nodes, device=states.device)
        places = columns + n_fragments[:, None]
        # To stop is to set the last number.
        stops = ((rows == STOP) | states.stopped)[:, None]
        places = places.masked_fill_(stops, N_COLUMNS * n_nodes)
        values = torch.where(stops, states.packed[:, -1:] | STOPPED, values)
        return FragmentStates(states.packed.scatter(1, places, values))

    def log_pb(self, following: FragmentStates, actions: Tensor) -> Tensor:
        """Compute the local part of log P_B of steps, see the class.

        Args:
            following: B states that steps have led to.
            actions: The actions of these steps, shape ``(B, 2)``.

        Returns:
            Shape ``(B,)``, nats; 0 for a stop.
        """
        rows, entries = actions.unbind(1)
        local = -self.removable_leaves(following).sum(1).double().log()
        if self.symmetry_correction:
            local = local - self.tensors.entry_log_symmetry[entries.clamp(min=0)]
        return local.masked_fill(rows == STOP, 0.0).float()

    def removable_leaves(self, states: FragmentStates) -> Tensor:
        """Mask the leaves that a backward step may remove; True = allowed.

        A leaf has one junction, at a site by which its fragment could have come in; the only
        fragment of a state is one too. Frozen nodes are none.

        Args:
            states: B states; ``stopped`` is not looked at.

        Returns:
            Shape ``(B, N)``.
        """
        joined = states.parent >= 0
        degree = joined.long()
        degree = degree.scatter_add(1, states.parent.clamp(min=0), joined.long())
        # Node 1 hangs on node 0, so its columns hold the one junction of a root of degree 1.
        site = states.entry_site.clone()
        if site.shape[1] > 1:
            site[:, 0] = states.parent_site[:, 1]
        entry = self.tensors.is_entry[states.fragment.clamp(min=0), site.clamp(min=0)]
        place = torch.arange(states.n_nodes, device=states.device)
        free = (place >= states.n_frozen[:, None]) & (states.fragment >= 0)
        alone = (states.n_fragments == 1)[:, None]
        return free & (alone | ((degree == 1) & entry))

    def backward_step(
        self, states: FragmentStates, leaves: Tensor
    ) -> tuple[FragmentStates, Tensor]:
        """Undo the stop of stopped states, or remove a leaf from the others.

        Args:
            states: B states, none of them initial.
            leaves: Removable leaf of every state, shape ``(B,)``; ignored where stopped.

        Returns:
            The parents; the forward actions that lead from them to states isomorphic to the
            given ones, shape ``(B, 2)``.
        """
        tensors, n_nodes = self.tensors, self.limits.max_fragments
        leaf = leaves[:, None]
        # The junction of the leaf, seen from its neighbour; a root's is node 1's.
        is_root = leaf == 0
        hinge = torch.where(is_root, min(1, n_nodes - 1), leaf)
        far_site = states.parent_site.gather(1, hinge)
        own_site = states.entry_site.gather(1, hinge)
        neighbour = torch.where(is_root, 0, states.parent.gather(1, leaf))
        neighbour = neighbour - (neighbour > leaf).long()
        site = torch.where(is_root, own_site, far_site)
        leaf_site = torch.where(is_root, far_site, own_site)
        fragment = states.fragment.gather(1, leaf)
        alone = (states.n_fragments == 1)[:, None]
        entry = torch.where(
            alone,
            tensors.n_attachments + fragment,
            tensors.attach_entry[fragment.clamp(min=0), leaf_site.clamp(min=0)],
        )
        row = torch.where(alone, 0, neighbour * tensors.n_sites + site)
        undone = states.stopped[:, None]
        parents = torch.where(undone, states.packed, states.without(leaves).packed)
        parents[:, -1].bitwise_and_(~STOPPED)
        actions = torch.cat([torch.where(undone, STOP, row), torch.where(undone, 0, entry)], 1)
        return FragmentStates(parents), actions

    def sample_backward(
        self, states: FragmentStates, *, generator: torch.Generator
    ) -> tuple[FragmentStates, Tensor]:
        """Take one backward step by the uniform leaf policy.

        Args:
            states: B states; what comes out for an initial one means nothing.
            generator: Source of randomness.
        """
        leaves = draw_uniform(self.removable_leaves(states), generator)
        return self.backward_step(states, leaves)

    def parents(self, states: FragmentStates) -> tuple[Tensor, FragmentStates, Tensor, Tensor]:
        """Take every backward step: undo the stop, or remove every removable leaf in turn.

        Args:
            states: B states; an initial one has no parent.

        Returns:
            For each of the E backward steps the number of its state, ascending, ``(E,)``; the
            parents and the forward actions as in :meth:`backward_step`; the local part of
            log P_B (see the class), ``(E,)``, nats.
        """
        leaves = self.removable_leaves(states)
        leaves[states.stopped] = False
        leaves[states.stopped, 0] = True  # any one: the stop is undone once
        index, leaf = leaves.nonzero(as_tuple=True)
        following = states[index]
        parents, actions = self.backward_step(following, leaf)
        return index, parents, actions, self.log_pb(following, actions)

    # ------------------------------------------------------------------ identity

    def keys(self, states: FragmentStates) -> list[str]:
        """Compute canonical keys, equal exactly for equal states.

        Args:
            states: B non-empty states; ``stopped`` is not part of the key.
        """
        return [self._symmetry.key_and_order(tree)[0] for tree in states.trees()]

    def log_symmetry(self, states: FragmentStates) -> Tensor:
        """Compute log |Aut(s)|, the part of log P_B that telescopes; 0 without correction.

        Automorphisms map frozen nodes onto frozen nodes.

        Returns:
            Shape ``(B,)``, 0 for the empty tree, nats.
        """
        found = torch.zeros(len(states), device=states.device)
        filled = (states.fragment[:, 0] >= 0).nonzero().squeeze(1)
        if self.symmetry_correction and len(filled):
            orders = [self._symmetry.key_and_order(tree)[1] for tree in states[filled].trees()]
            found[filled] = torch.tensor([math.log(n) for n in orders], device=states.device)
        return found

    def molecules(self, states: FragmentStates) -> list[Molecule]:
        """Assemble the states to molecules."""
        return [Molecule(assemble(tree, self.vocabulary)) for tree in states.trees()]
