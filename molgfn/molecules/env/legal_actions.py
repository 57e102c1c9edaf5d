"""What is legal in a state of the fragment environment: sizes, capacities, masks of actions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from molgfn.config.schema import LimitsConfig
from molgfn.gfn.draw import BLOCK
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.env.vocabulary_tensors import (
    WEIGHT_LOST_PER_BOND_G_PER_MOL,
    VocabularyTensors,
)

#: Rounding of a sum of weights; a molecule exactly at the limit is legal.
_WEIGHT_TOLERANCE_G_PER_MOL = 1e-6


@dataclass(frozen=True)
class Sizes:
    """How large B states are, what their sites are like, and which fragments still fit.

    Attributes:
        heavy_atoms: Number of heavy atoms, shape ``(B,)``, float64.
        weight_g_per_mol: Average molecular weight, shape ``(B,)``, g/mol, float64.
        capacity: Junctions that every site may have, 0 where there is none, shape ``(B, N M)``.
        row_type: Junction type of every row, shape ``(B, N M)``; T, the one after the last, at an
            empty place and so for the first fragment.
        fitting: Fragments that keep the state within its limits, shape ``(B, F)``.
    """

    heavy_atoms: Tensor
    weight_g_per_mol: Tensor
    capacity: Tensor
    row_type: Tensor
    fitting: Tensor


class LegalActions:
    """Masks of the legal actions, True = allowed.

    An action is a pair (row, entry): the row names an open site, ``node * n_sites + site``, or
    stop; the entry names the new fragment and the site by which it comes in. The first fragment
    is row 0 of the empty tree.

    Entries fill the first ``n_entries`` of ``n_entry_columns`` columns; the others, up to a
    multiple of :data:`BLOCK`, are never legal.
    """

    def __init__(self, tensors: VocabularyTensors, limits: LimitsConfig) -> None:
        self.limits = limits
        self._prepare(tensors)

    def _prepare(self, tensors: VocabularyTensors) -> None:
        """Make tables on the device of the tensors.

        On a GPU the host must not wait for an answer: what depends on a question about the states
        is done for all of them, and batches keep their size. ``lockstep`` tells so.
        """
        self.tensors = tensors
        self.lockstep = self.device.type != "cpu"
        # Fragment -1, an empty place, is row 0 of these. Types of sites come after capacities.
        n_types = len(tensors.entry_allowed)
        self._sites = torch.cat(
            [
                functional.pad(tensors.capacity, (0, 0, 1, 0)),
                functional.pad(tensors.site_type, (0, 0, 1, 0), value=n_types),
            ],
            1,
        )
        self._heavy_atoms = tensors.heavy_atoms.double()
        weight = tensors.weight - WEIGHT_LOST_PER_BOND_G_PER_MOL
        self._size = functional.pad(torch.stack([self._heavy_atoms, weight], 1), (0, 0, 1, 0))
        # Nothing is attached to an empty place.
        self._allowed_by_type = functional.pad(tensors.fragment_allowed, (0, 0, 0, 1)).T
        self._entry = torch.stack([tensors.entry_fragment, tensors.entry_site], 1)
        self._first = self._first_mask()
        # A row for each junction type, then one for the empty tree.
        allowed = torch.cat([tensors.entry_allowed, self._first[None]])
        spare = self.n_entry_columns - tensors.n_entries
        self._log_allowed = functional.pad(allowed.float().log(), (0, spare), value=-torch.inf)
        self._column_fragment = functional.pad(tensors.entry_fragment, (0, spare))

    @property
    def n_entry_columns(self) -> int:
        """Number of columns of entries."""
        return -(-self.tensors.n_entries // BLOCK) * BLOCK

    @property
    def device(self) -> torch.device:
        """Device of the tensors."""
        return self.tensors.capacity.device

    def used_capacity(self, states: FragmentStates) -> Tensor:
        """Count the junctions at every site, shape ``(B, N, M)``."""
        n_nodes, n_sites = states.n_nodes, self.tensors.n_sites
        node = torch.arange(0, n_nodes * n_sites, n_sites, device=states.device)
        own = node + states.entry_site
        far = states.parent * n_sites + states.parent_site
        joined = (states.parent >= 0).long()
        used = torch.zeros(len(states), n_nodes * n_sites, dtype=torch.long, device=states.device)
        used.scatter_add_(1, own.clamp_(min=0), joined)
        used.scatter_add_(1, far.clamp_(min=0), joined)
        return used.view(len(states), n_nodes, n_sites)

    def sizes(self, states: FragmentStates) -> Sizes:
        """Measure states."""
        limits, (n_states, n_nodes) = self.limits, states.fragment.shape
        place = (states.fragment + 1).flatten()
        size = self._size.index_select(0, place).view(n_states, n_nodes, 2)
        heavy, weight = size.sum(1).unbind(1)
        sites = self._sites.index_select(0, place).view(n_states, n_nodes, 2, self.tensors.n_sites)
        capacity, row_type = sites.unbind(2)
        fits_atoms = self._heavy_atoms <= (limits.max_heavy_atoms - heavy)[:, None]
        # A junction costs weight, and the first fragment has none: both sides lack one.
        weight_left = (limits.max_weight_g_per_mol + _WEIGHT_TOLERANCE_G_PER_MOL) - weight
        fits_weight = self.tensors.weight <= weight_left[:, None]
        weight = weight + WEIGHT_LOST_PER_BOND_G_PER_MOL * (states.n_fragments > 0)
        return Sizes(
            heavy, weight, capacity.flatten(1), row_type.flatten(1), fits_atoms & fits_weight
        )

    def _attachable_types(self, fitting: Tensor) -> Tensor:
        """Junction types that some attachment that fits may bond to, shape (B, T + 1)."""
        return (fitting.float() @ self._allowed_by_type) > 0

    def legal_row_mask(self, states: FragmentStates, sizes: Sizes | None = None) -> Tensor:
        """Mask the rows; True = allowed.

        Stop is allowed from ``min_fragments`` on, and where nothing else is: a state never lacks
        an action.

        Returns:
            Shape ``(B, N M + 1)``; the last column is stop.
        """
        n_fragments, limits = states.n_fragments, self.limits
        sizes = self.sizes(states) if sizes is None else sizes
        rows = sizes.capacity > self.used_capacity(states).flatten(1)  # (B, N M)
        rows &= self._attachable_types(sizes.fitting).gather(1, sizes.row_type)
        rows &= (n_fragments < limits.max_fragments)[:, None]
        is_empty = n_fragments == 0
        rows[:, 0] |= is_empty
        stop = ~is_empty & ((n_fragments >= limits.min_fragments) | ~rows.any(1))
        return torch.cat([rows, stop[:, None]], 1)

    def legal_entry_mask(self, states: FragmentStates, rows: Tensor) -> Tensor:
        """Mask the entries for a chosen row; True = allowed.

        Args:
            states: B states.
            rows: A legal row of each, not ``STOP``, shape ``(B,)``.

        Returns:
            Shape ``(B, E)``.
        """
        sizes = self.sizes(states)
        row_type = sizes.row_type.gather(1, rows[:, None]).squeeze(1)
        mask = self.log_entry_mask(row_type, sizes.fitting)
        return mask[:, : self.tensors.n_entries] == 0

    def log_entry_mask(self, row_type: Tensor, fitting: Tensor) -> Tensor:
        """Mask the entries for a chosen row as a term of their logits.

        Adding it takes a tenth of the time of filling by a mask.

        Args:
            row_type: Junction type of a legal row of B states, as in :class:`Sizes`, ``(B,)``.
            fitting: Fragments that fit, likewise, shape ``(B, F)``.

        Returns:
            0 where allowed, else -inf, a fresh tensor of shape ``(B, n_entry_columns)``.
        """
        mask = self._log_allowed.index_select(0, row_type)
        if self.lockstep:
            tight = torch.arange(len(mask), device=mask.device)
        else:  # in most states every fragment fits
            tight = (~fitting.all(1)).nonzero().squeeze(1)
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
        sizes = self.sizes(states)
        fits = (sizes.heavy_atoms <= self.limits.max_heavy_atoms) & (
            sizes.weight_g_per_mol <= self.limits.max_weight_g_per_mol + _WEIGHT_TOLERANCE_G_PER_MOL
        )
        may_stop = self.legal_row_mask(states, sizes)[:, -1]
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
        alone = torch.arange(tensors.n_fragments, device=self.device)[:, None]
        none = torch.full_like(alone, -1)
        sizes = self.sizes(FragmentStates.of(alone, none, none, none))
        attachable = self._attachable_types(sizes.fitting)  # (F, T + 1)
        types = attachable.gather(1, tensors.site_type)
        mask[tensors.n_attachments :] = (types & (tensors.capacity > 0)).any(1)
        return mask
