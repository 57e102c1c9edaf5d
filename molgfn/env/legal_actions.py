"""What is legal in a state of the fragment environment: sizes, capacities, masks of actions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from molgfn.config.schema import LimitsConfig
from molgfn.env.states import FragmentStates
from molgfn.env.vocabulary_tensors import WEIGHT_LOST_PER_BOND_G_PER_MOL, VocabularyTensors

#: Columns of entries come in multiples of this: products of matrices whose rows begin at odd
#: places in memory take nearly twice as long.
ENTRY_BLOCK = 16
#: Rounding of a sum of weights; a molecule exactly at the limit is legal.
_WEIGHT_TOLERANCE_G_PER_MOL = 1e-6


class LegalActions:
    """Masks of the legal actions, True = allowed.

    An action is a pair (row, entry): the row names an open site, ``node * n_sites + site``, or
    stop; the entry names the new fragment and the site by which it comes in. The first fragment
    is row 0 of the empty tree.

    Entries fill the first ``n_entries`` of ``n_entry_columns`` columns; the others, up to a
    multiple of :data:`ENTRY_BLOCK`, are never legal.
    """

    def __init__(self, tensors: VocabularyTensors, limits: LimitsConfig) -> None:
        """Prepare the masks on the device of the tensors.

        Args:
            tensors: The vocabulary.
            limits: Limits of the states.
        """
        self.tensors = tensors
        self.limits = limits
        self._first = self._first_mask()
        # A row for each junction type, then one for the empty tree.
        allowed = torch.cat([tensors.entry_allowed, self._first[None]])
        self._log_allowed = torch.full((len(allowed), self.n_entry_columns), -torch.inf)
        self._log_allowed[:, : tensors.n_entries] = allowed.float().log()
        self._column_fragment = functional.pad(
            tensors.entry_fragment, (0, self.n_entry_columns - tensors.n_entries)
        )

    @property
    def n_entry_columns(self) -> int:
        """Number of columns of entries."""
        return -(-self.tensors.n_entries // ENTRY_BLOCK) * ENTRY_BLOCK

    @property
    def device(self) -> torch.device:
        """Device of the tensors."""
        return self.tensors.capacity.device

    def used_capacity(self, states: FragmentStates) -> Tensor:
        """Count the junctions at every site.

        Args:
            states: B states.

        Returns:
            Shape ``(B, N, M)``.
        """
        n_states, n_nodes = states.fragment.shape
        used = torch.zeros(
            n_states, n_nodes * self.tensors.n_sites, dtype=torch.long, device=states.device
        )
        joined = states.parent >= 0  # (B, N)
        one = joined.long()
        node = torch.arange(n_nodes, device=states.device).expand_as(joined)
        own = node * self.tensors.n_sites + states.entry_site
        far = states.parent * self.tensors.n_sites + states.parent_site
        used.scatter_add_(1, own.clamp(min=0), one)
        used.scatter_add_(1, far.clamp(min=0), one)
        return used.view(n_states, n_nodes, -1)

    def heavy_atoms(self, states: FragmentStates) -> Tensor:
        """Count heavy atoms.

        Args:
            states: B states.

        Returns:
            Shape ``(B,)``.
        """
        filled = states.fragment >= 0
        return (self.tensors.heavy_atoms[states.fragment.clamp(min=0)] * filled).sum(1)

    def weight_g_per_mol(self, states: FragmentStates) -> Tensor:
        """Compute the average molecular weight.

        Args:
            states: B states.

        Returns:
            Shape ``(B,)``, g/mol, float64.
        """
        filled = states.fragment >= 0
        total = (self.tensors.weight[states.fragment.clamp(min=0)] * filled).sum(1)
        n_bonds = (filled.sum(1) - 1).clamp(min=0)
        return total - WEIGHT_LOST_PER_BOND_G_PER_MOL * n_bonds

    def _fitting_fragments(self, states: FragmentStates) -> Tensor:
        """Fragments that keep the state within its size limits, shape (B, F)."""
        atoms_left = self.limits.max_heavy_atoms - self.heavy_atoms(states)
        lost = WEIGHT_LOST_PER_BOND_G_PER_MOL * (states.n_fragments > 0)
        weight_left = self.limits.max_weight_g_per_mol - (self.weight_g_per_mol(states) - lost)
        return (self.tensors.heavy_atoms <= atoms_left[:, None]) & (
            self.tensors.weight <= (weight_left + _WEIGHT_TOLERANCE_G_PER_MOL)[:, None]
        )

    def _attachable_types(self, states: FragmentStates) -> Tensor:
        """Junction types that some attachment that fits may bond to, shape (B, T)."""
        return (self._fitting_fragments(states).float() @ self.tensors.fragment_allowed.T) > 0

    def legal_row_mask(self, states: FragmentStates) -> Tensor:
        """Mask the rows; True = allowed.

        Stop is allowed from ``min_fragments`` on, and where nothing else is: a state never lacks
        an action.

        Args:
            states: B states, none of them stopped.

        Returns:
            Shape ``(B, N M + 1)``; the last column is stop.
        """
        tensors, n_fragments = self.tensors, states.n_fragments
        fragment = states.fragment.clamp(min=0).flatten()
        capacity = tensors.capacity.index_select(0, fragment).view(len(states), -1)
        free = capacity > self.used_capacity(states).flatten(1)  # (B, N M)
        may_grow = (states.fragment >= 0) & (n_fragments < self.limits.max_fragments)[:, None]
        free &= may_grow.repeat_interleave(tensors.n_sites, 1)
        site_type = tensors.site_type.index_select(0, fragment).view(len(states), -1)
        rows = free & self._attachable_types(states).gather(1, site_type)
        is_empty = n_fragments == 0
        rows[:, 0] |= is_empty
        stop = ~is_empty & ((n_fragments >= self.limits.min_fragments) | ~rows.any(1))
        return torch.cat([rows, stop[:, None]], 1)

    def legal_entry_mask(self, states: FragmentStates, rows: Tensor) -> Tensor:
        """Mask the entries for a chosen row; True = allowed.

        Args:
            states: B states.
            rows: A legal row of each, not ``STOP``, shape ``(B,)``.

        Returns:
            Shape ``(B, E)``.
        """
        return self.log_entry_mask(states, rows)[:, : self.tensors.n_entries] == 0

    def log_entry_mask(self, states: FragmentStates, rows: Tensor) -> Tensor:
        """Mask the entries for a chosen row as a term of their logits.

        Adding it takes a tenth of the time of filling by a mask.

        Args:
            states: B states.
            rows: A legal row of each, not ``STOP``, shape ``(B,)``.

        Returns:
            0 where allowed, else -inf, a fresh tensor of shape ``(B, n_entry_columns)``.
        """
        tensors = self.tensors
        node, site = rows // tensors.n_sites, rows % tensors.n_sites
        fragment = states.fragment.gather(1, node[:, None]).squeeze(1).clamp(min=0)
        empty_tree = len(self._log_allowed) - 1
        kind = tensors.site_type[fragment, site].masked_fill(states.n_fragments == 0, empty_tree)
        mask = self._log_allowed.index_select(0, kind)
        fitting = self._fitting_fragments(states)  # (B, F)
        tight = (~fitting.all(1)).nonzero().squeeze(1)  # in most states every fragment fits
        if len(tight):
            # Selecting rows of the transpose is many times faster than selecting columns.
            log_fitting = torch.where(fitting.index_select(0, tight).T, 0.0, -torch.inf)
            mask.index_add_(0, tight, log_fitting.index_select(0, self._column_fragment).T)
        return mask

    def may_end(self, states: FragmentStates) -> Tensor:
        """Tell which states a trajectory can reach and stop in.

        Args:
            states: B non-empty states of the vocabulary, of any size; ``stopped`` is not looked at.

        Returns:
            Mask, shape ``(B,)``.
        """
        heavy, weight = self.heavy_atoms(states), self.weight_g_per_mol(states)
        fits = (heavy <= self.limits.max_heavy_atoms) & (
            weight <= self.limits.max_weight_g_per_mol + _WEIGHT_TOLERANCE_G_PER_MOL
        )
        may_stop = self.legal_row_mask(states)[:, -1]
        # What cannot grow to min_fragments cannot be the first fragment either; where a tree has
        # two, its first one can grow.
        first = self._first[self.tensors.n_attachments + states.fragment[:, 0]]
        return fits & may_stop & (first | (states.n_fragments > 1))

    def _first_mask(self) -> Tensor:
        """Entries that may begin a molecule: with a partner that fits, where one is needed."""
        tensors, limits = self.tensors, self.limits
        mask = torch.zeros(tensors.n_entries, dtype=torch.bool, device=self.device)
        mask[tensors.n_attachments :] = True
        if limits.min_fragments < 2:
            return mask
        alone = FragmentStates.empty(tensors.n_fragments, limits.max_fragments, self.device)
        alone.fragment[:, 0] = torch.arange(tensors.n_fragments, device=self.device)
        attachable = self._attachable_types(alone)  # (F, T)
        types = attachable.gather(1, tensors.site_type)
        mask[tensors.n_attachments :] = (types & (tensors.capacity > 0)).any(1)
        return mask
