"""Fast evaluation of an ensemble: equal surroundings of atoms are computed once and remembered.

After l rounds of message passing the state of an atom depends on nothing but its surroundings up
to l bonds away. Molecules made of the same fragments share most of these, so states are kept in a
table for each round under a hash of the surroundings, and only the missing ones are computed. The
neighbours of an atom are added up in an order given by their hashes, so a state does not depend on
the molecule it was computed for, nor on what was in the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from molgfn.chem.atom_arrays import mix
from molgfn.reward.proxy.features import N_BOND_CODES, Graphs, atom_codes
from molgfn.reward.proxy.network import ProxyNetwork, RoundWeights

#: States kept for each round of message passing; 1.3 kB each for 5 members of width 64.
CAPACITY = 16_384
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
        self._rounds = [
            _Round.of([network.round_weights(i) for network in networks])
            for i in range(len(networks[0].convs))
        ]
        self._atoms = torch.cat([network.atom.weight for network in networks], dim=1).detach()
        self._width = networks[0].atom.embedding_dim
        self._tables = [_StateTable(self._atoms.shape[1]) for _ in range(len(self._rounds) + 1)]

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
        slots = torch.from_numpy(self._fill_tables(graphs))
        starts = torch.from_numpy(graphs.offsets)
        states = self._tables[-1].rows
        totals = functional.embedding_bag(slots, states, starts, mode="sum").split(self._width, 1)
        tops = functional.embedding_bag(slots, states, starts, mode="max").split(self._width, 1)
        counts = torch.from_numpy(graphs.sizes).unsqueeze(1)
        descriptors = torch.from_numpy(graphs.descriptors)
        # Padding with copies of the last molecule keeps the rounding of every batch the same.
        n_molecules = len(graphs)
        n_rows = -(-n_molecules // _HEAD_ROWS) * _HEAD_ROWS
        padded = torch.arange(n_rows).clamp(max=n_molecules - 1)
        predicted = np.zeros((len(self._networks), n_molecules), dtype=np.float32)
        members = zip(self._networks, totals, tops, strict=True)
        for member, (network, total, top) in enumerate(members):
            read_out = network.read_out(total, counts, top, descriptors)
            values = network.head(read_out[padded]).squeeze(1)
            predicted[member] = values[:n_molecules].numpy()
        return predicted

    def _fill_tables(self, graphs: Graphs) -> NDArray[np.int64]:
        """Compute the missing states; return the place of each atom's last one, ``(V,)``."""
        bonds, n_atoms = graphs.bonds, len(graphs.types)
        hashes = [mix(graphs.types.astype(np.uint64))]
        for _ in self._tables[1:]:
            hashes.append(bonds.widen(hashes[-1]))
        # From the last round down: a missing state needs those of the atom and its neighbours.
        atoms = np.arange(n_atoms)
        rounds = []
        for table, keys in zip(reversed(self._tables), reversed(hashes), strict=True):
            table.make_room(n_atoms)
            places = np.zeros(n_atoms, dtype=np.int64)
            places[atoms], unknown = table.find(keys[atoms])
            # Padding with repeats keeps the rounding of small products the same.
            new = np.resize(atoms[unknown], max(len(unknown), _MIN_ROWS) if len(unknown) else 0)
            degrees, edges = bonds.of_atoms(new)
            rounds.append((new, (degrees, edges), places))
            needed = np.zeros(n_atoms, dtype=bool)
            needed[new] = True
            needed[bonds.targets[edges]] = True
            atoms = np.flatnonzero(needed)
        (first, _, before), *later = reversed(rounds)
        if len(first):
            codes = torch.from_numpy(atom_codes(graphs.types[first]))
            rows = functional.embedding_bag(codes, self._atoms, mode="sum")
            self._tables[0].rows.index_copy_(0, torch.from_numpy(before[first]), rows)
        for level, (new, (degrees, edges), after) in enumerate(later, start=1):
            if len(new):
                owner = np.repeat(np.arange(len(new)), degrees)
                edges = edges[np.lexsort((bonds.labels(hashes[level - 1])[edges], owner))]
                sent = before[bonds.targets[edges]] * N_BOND_CODES + bonds.codes[edges]
                self._pass_messages(level, sent, degrees, before[new], after[new])
            before = after
        return before

    def _pass_messages(
        self,
        level: int,
        sent: NDArray[np.int64],
        degrees: NDArray[np.int64],
        before: NDArray[np.int64],
        after: NDArray[np.int64],
    ) -> None:
        """Compute states after one more round.

        A message depends on the sender's state and the bond: each such pair is computed once.

        Args:
            level: Number of the round, from 1.
            sent: Place of the sender's state times the number of bond codes, plus the bond's code,
                for each bond of each atom, ``(E,)``.
            degrees: Bonds of each atom, ``(n,)``.
            before: Place of each atom's state of the round before, ``(n,)``.
            after: Place for its new state, ``(n,)``.
        """
        pairs, message = np.unique(sent, return_inverse=True)
        read, row = np.unique(np.concatenate([pairs // N_BOND_CODES, before]), return_inverse=True)
        rows = torch.from_numpy(row)
        senders, receivers = rows[: len(pairs)], rows[len(pairs) :]
        bond_codes = torch.from_numpy(pairs % N_BOND_CODES)
        starts = torch.from_numpy(np.cumsum(degrees) - degrees)

        weights, width = self._rounds[level - 1], self._width
        states = self._tables[level - 1].rows.index_select(0, torch.from_numpy(read))  # (S, K H)
        normed = functional.layer_norm(states.view(-1, width), (width,)).view_as(states)
        normed = torch.addcmul(weights.norm_shift, normed, weights.norm_scale)
        said = normed.index_select(0, senders)
        said.add_(weights.bonds.index_select(0, bond_codes)).relu_()
        heard = functional.embedding_bag(torch.from_numpy(message), said, starts, mode="sum")
        heard.addcmul_(normed.index_select(0, receivers), weights.own)  # (R, K H)
        hidden = weights.inner_bias.repeat(len(heard), 1)
        columns = zip(hidden.split(width, 1), heard.split(width, 1), weights.inner, strict=True)
        for target, source, matrix in columns:
            target.addmm_(source, matrix)
        hidden.relu_()
        following = states.index_select(0, receivers).add_(weights.outer_bias)
        columns = zip(following.split(width, 1), hidden.split(width, 1), weights.outer, strict=True)
        for target, source, matrix in columns:
            target.addmm_(source, matrix)
        self._tables[level].rows.index_copy_(0, torch.from_numpy(after), following)


@dataclass(frozen=True)
class _Round:
    """Weights of one round of message passing of K members side by side."""

    norm_scale: Tensor  # (K H,)
    norm_shift: Tensor  # (K H,)
    bonds: Tensor  # (bond codes, K H)
    own: Tensor  # (K H,)
    inner: tuple[Tensor, ...]  # K of (H, H)
    inner_bias: Tensor  # (K H,)
    outer: tuple[Tensor, ...]  # K of (H, H)
    outer_bias: Tensor  # (K H,)

    @classmethod
    def of(cls, members: Sequence[RoundWeights]) -> _Round:
        def joined(name: str) -> Tensor:
            return torch.cat([getattr(member, name) for member in members], dim=-1)

        return cls(
            norm_scale=joined("norm_scale"),
            norm_shift=joined("norm_shift"),
            bonds=joined("bonds"),
            own=joined("own"),
            inner=tuple(member.inner for member in members),
            inner_bias=joined("inner_bias"),
            outer=tuple(member.outer for member in members),
            outer_bias=joined("outer_bias"),
        )


class _StateTable:
    """States of atoms by hash, the oldest forgotten first."""

    def __init__(self, width: int) -> None:
        self.rows = torch.zeros(CAPACITY, width)
        self._keys = np.zeros(CAPACITY, dtype=np.uint64)
        self._slot: dict[int, int] = {}
        self._next = 0
        self._free = CAPACITY

    def make_room(self, n: int) -> None:
        """Forget the oldest states until n more fit."""
        capacity = len(self._keys)
        if n > capacity:
            self.rows = torch.zeros(n, self.rows.shape[1])
            self._keys = np.zeros(n, dtype=np.uint64)
            self._slot, self._next, self._free = {}, 0, n
        elif n > self._free:
            start = self._next + self._free
            oldest = np.arange(start, start + n - self._free) % capacity
            for key in self._keys[oldest].tolist():
                del self._slot[key]
            self._free = n

    def find(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places of n keys, unknown ones included, and positions of the latter without repeats."""
        listed: list[int] = keys.tolist()
        places = np.array([self._slot.get(key, -1) for key in listed], dtype=np.int64)
        lacking = np.flatnonzero(places < 0).tolist()
        if not lacking:
            return places, np.zeros(0, dtype=np.int64)
        first = {listed[i]: i for i in reversed(lacking)}
        positions = np.array(list(first.values()), dtype=np.int64)
        fresh = np.arange(self._next, self._next + len(first)) % len(self._keys)
        self._slot |= zip(first, fresh.tolist(), strict=True)
        self._keys[fresh] = keys[positions]
        self._next = (self._next + len(first)) % len(self._keys)
        self._free -= len(first)
        places[lacking] = [self._slot[listed[i]] for i in lacking]
        return places, positions
