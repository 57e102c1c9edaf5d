"""Fast evaluation of an ensemble: equal surroundings of atoms are computed once and remembered.

After l rounds of message passing the state of an atom depends on nothing but its surroundings up
to l bonds away. Molecules made of the same fragments share most of these, so every round computes
the distinct ones alone, and keeps them in a table under a hash of the surroundings. The neighbours
of an atom are added up in an order given by their hashes, so a state depends neither on the
molecule it was computed for nor on what was in the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from molgfn.chem.atom_arrays import mix
from molgfn.reward.proxy.features import N_BOND_CODES, Graphs, atom_codes
from molgfn.reward.proxy.network import ProxyNetwork, RoundWeights

#: States kept for each round, a power of two; 1.3 kB each for 5 members of width 64.
CAPACITY = 1 << 14
#: Molecules per pass: enough to fill the matrix products, few enough to stay in the cache.
_CHUNK = 128
#: Smaller products, or a head with rows left over, are rounded differently by the library.
_MIN_ROWS = 4
_HEAD_ROWS = 16


class EnsembleInference:
    """Evaluates the members of an ensemble; remembers states of atoms, a bounded number of them."""

    def __init__(self, networks: Sequence[ProxyNetwork]) -> None:
        """Hold networks of one architecture.

        Args:
            networks: The members, in evaluation mode; their weights must not change any more.
        """
        self._networks = tuple(networks)
        n_rounds = len(networks[0].convs)
        self._rounds = [[network.round_weights(i) for network in networks] for i in range(n_rounds)]
        width = networks[0].atom.embedding_dim
        self._tables = [_StateTable(len(networks), width) for _ in range(n_rounds)]

    def __call__(self, graphs: Graphs) -> NDArray[np.float64]:
        """Evaluate every member on every molecule.

        Args:
            graphs: B molecules.

        Returns:
            Standardised predictions, shape ``(members, B)``.
        """
        predicted = np.zeros((len(self._networks), len(graphs)))
        with torch.inference_mode():
            for start in range(0, len(graphs), _CHUNK):
                part = slice(start, start + _CHUNK)
                predicted[:, part] = self._evaluate(graphs[part])
        return predicted

    def _evaluate(self, graphs: Graphs) -> NDArray[np.float32]:
        rows, states = self._compute_states(graphs)
        starts = torch.from_numpy(graphs.offsets)
        counts = torch.from_numpy(graphs.sizes).unsqueeze(1)
        descriptors = torch.from_numpy(graphs.descriptors)
        # Padding with copies of the last molecule keeps the rounding of every batch the same.
        n_molecules = len(graphs)
        n_rows = -(-n_molecules // _HEAD_ROWS) * _HEAD_ROWS
        padded = torch.arange(n_rows).clamp(max=n_molecules - 1)
        predicted = np.zeros((len(self._networks), n_molecules), dtype=np.float32)
        for member, (network, state) in enumerate(zip(self._networks, states, strict=True)):
            total = functional.embedding_bag(rows, state, starts, mode="sum")
            top = functional.embedding_bag(rows, state, starts, mode="max")
            read_out = network.read_out(total, counts, top, descriptors)
            values = network.head(read_out[padded]).squeeze(1)
            predicted[member] = values[:n_molecules].numpy()
        return predicted

    def _compute_states(self, graphs: Graphs) -> tuple[Tensor, list[Tensor]]:
        """States after the last round: row of each atom ``(V,)``, rows of each member."""
        bonds, n_atoms = graphs.bonds, len(graphs.types)
        hashes = [mix(graphs.types.astype(np.uint64))]
        for _ in self._rounds:
            hashes.append(bonds.widen(hashes[-1]))
        # From the last round down: a state not in the table needs those of the atom and its
        # neighbours of the round before.
        atoms = np.arange(n_atoms)
        needs = []
        for table, keys in zip(reversed(self._tables), reversed(hashes[1:]), strict=True):
            needs.append(_Need.of(atoms, keys, table, n_atoms))
            new = needs[-1].new
            needed = np.zeros(n_atoms, dtype=bool)
            needed[new] = True
            needed[bonds.targets[bonds.of_atoms(new)[1]]] = True
            atoms = np.flatnonzero(needed)
        needs.reverse()

        before = np.zeros(n_atoms, dtype=np.int64)
        before[atoms], types = pd.factorize(graphs.types[atoms])
        codes = torch.from_numpy(atom_codes(types))
        states = [network.atom(codes) for network in self._networks]
        rounds = zip(self._rounds, self._tables, needs, hashes[:-1], strict=True)
        for weights, table, need, keys in rounds:
            fresh: Sequence[Tensor | None] = [None] * len(states)
            if len(need.new):
                messages = _Messages.of(need.new, before, keys, graphs)
                fresh = [_round(w, s, messages) for w, s in zip(weights, states, strict=True)]
            states = table.join(need, fresh)
            before = need.row
        return torch.from_numpy(before), states


@dataclass(frozen=True)
class _Need:
    """Which distinct states of a round are wanted, new ones first, and where they come from."""

    row: NDArray[np.int64]  # of each atom that is wanted, (V,)
    new: NDArray[np.int64]  # an atom for each state to compute, with repeats up to _MIN_ROWS
    new_keys: NDArray[np.uint64]
    held: NDArray[np.int64]  # places in the table of the others

    @classmethod
    def of(
        cls,
        atoms: NDArray[np.int64],
        keys: NDArray[np.uint64],
        table: _StateTable,
        n_atoms: int,
    ) -> _Need:
        number, distinct = pd.factorize(keys[atoms])
        held = table.holds(distinct)
        new_first = np.where(held, (~held).sum() + np.cumsum(held), np.cumsum(~held)) - 1
        row = np.zeros(n_atoms, dtype=np.int64)
        row[atoms] = new_first[number]
        first = np.zeros(len(distinct), dtype=np.int64)
        first[number[::-1]] = atoms[::-1]
        new = first[~held]
        padded = np.resize(new, max(len(new), _MIN_ROWS)) if len(new) else new
        return cls(row, padded, distinct[~held], table.places(distinct[held]))


@dataclass(frozen=True)
class _Messages:
    """Who hears what: a message depends on the sender's state and the bond alone."""

    sender: Tensor  # row of the sender's state, (M,)
    code: Tensor  # bond code, (M,)
    along: Tensor  # message along each bond, the bonds of a receiver together, (E,)
    starts: Tensor  # first bond of each receiver, (R,)
    receiver: Tensor  # row of the receiver's own state, (R,)

    @classmethod
    def of(
        cls,
        receivers: NDArray[np.int64],
        row: NDArray[np.int64],
        hashes: NDArray[np.uint64],
        graphs: Graphs,
    ) -> _Messages:
        bonds = graphs.bonds
        degrees, edges = bonds.of_atoms(receivers)
        # By receiver, then by hash: whatever the order of the atoms, the sum is the same.
        owner = np.repeat(np.arange(len(receivers), dtype=np.uint64), degrees)
        labels = bonds.labels(hashes)[edges]
        edges = edges[np.argsort((owner << np.uint64(40)) | (labels >> np.uint64(24)))]
        sent = row[bonds.targets[edges]] * N_BOND_CODES + bonds.codes[edges]
        used = np.zeros((int(row.max()) + 1) * N_BOND_CODES, dtype=bool)
        used[sent] = True
        sender, code = np.divmod(np.flatnonzero(used), N_BOND_CODES)
        return cls(
            sender=torch.from_numpy(sender),
            code=torch.from_numpy(code),
            along=torch.from_numpy((np.cumsum(used) - 1)[sent]),
            starts=torch.from_numpy(np.cumsum(degrees) - degrees),
            receiver=torch.from_numpy(row[receivers]),
        )


def _round(weights: RoundWeights, states: Tensor, messages: _Messages) -> Tensor:
    """One round of message passing of one member; returns the receivers' new states."""
    shape = states.shape[1:]
    normed = functional.layer_norm(states, shape, weights.norm_scale, weights.norm_shift)
    said = normed.index_select(0, messages.sender)
    said.add_(weights.bonds.index_select(0, messages.code)).relu_()
    heard = functional.embedding_bag(messages.along, said, messages.starts, mode="sum")
    heard.addcmul_(normed.index_select(0, messages.receiver), weights.own)
    hidden = torch.addmm(weights.inner_bias, heard, weights.inner).relu_()
    kept = states.index_select(0, messages.receiver).add_(weights.outer_bias)
    return kept.addmm_(hidden, weights.outer)


class _StateTable:
    """States of one round by hash; a hash has one place, where the latest state lies."""

    def __init__(self, n_members: int, width: int) -> None:
        self._rows = [torch.zeros(CAPACITY, width) for _ in range(n_members)]
        # A hash that belongs elsewhere stands for an empty place.
        self._keys = np.arange(CAPACITY, dtype=np.uint64) ^ np.uint64(1)
        self._mask = np.uint64(CAPACITY - 1)

    def places(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Place of each key."""
        return (keys & self._mask).astype(np.int64)

    def holds(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Whether the state of each key is there."""
        held: NDArray[np.bool_] = self._keys[self.places(keys)] == keys
        return held

    def join(self, need: _Need, fresh: Sequence[Tensor | None]) -> list[Tensor]:
        """Put new states and those held together, one tensor for each member; keep the new."""
        n_new, held = len(need.new_keys), torch.from_numpy(need.held)
        places = self.places(need.new_keys)
        self._keys[places] = need.new_keys
        # Of several new states with one place the last is kept.
        kept = np.flatnonzero(self._keys[places] == need.new_keys)
        source, target = torch.from_numpy(kept), torch.from_numpy(places[kept])
        joined = []
        for rows, new in zip(self._rows, fresh, strict=True):
            states = torch.empty(n_new + len(held), rows.shape[1])
            torch.index_select(rows, 0, held, out=states[n_new:])
            if new is not None:
                states[:n_new] = new[:n_new]
                rows.index_copy_(0, target, new.index_select(0, source))
            joined.append(states)
        return joined
