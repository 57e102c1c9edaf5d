"""Fast evaluation of an ensemble: equal surroundings of atoms are computed once and remembered.

The members stand side by side: the M states of an atom, of width H each, are one row.

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
from molgfn.reward.proxy.architecture import Weights, read_out
from molgfn.reward.proxy.features import N_BOND_CODES, Graphs, atom_codes

#: States kept for each round, a power of two; 1 kB each for 5 members of width 48.
CAPACITY = 1 << 14
#: Molecules per pass: enough to fill the matrix products, few enough to stay in the cache.
_CHUNK = 128
#: Smaller products, or a head with rows left over, are rounded differently by the library.
_MIN_ROWS = 4
_HEAD_ROWS = 16


class EnsembleInference:
    """Evaluates the members of an ensemble; remembers states of atoms, a bounded number of them."""

    def __init__(self, networks: Sequence[Weights]) -> None:
        """Put the weights of the members side by side.

        Args:
            networks: Weights of the members, all of one architecture.
        """
        self._n_members = len(networks)
        self._atoms = torch.cat([network["atom.weight"] for network in networks], 1)
        layers = range(sum(name.startswith("bonds.") for name in networks[0]))
        self._rounds = [_Round.of(networks, layer) for layer in layers]
        self._head = _Head.of(networks)
        self._tables = [_StateTable(self._atoms.shape[1]) for _ in layers]

    def __call__(self, graphs: Graphs) -> NDArray[np.float64]:
        """Evaluate every member on every molecule.

        Args:
            graphs: B molecules.

        Returns:
            Standardised predictions, shape ``(members, B)``.
        """
        predicted = np.zeros((self._n_members, len(graphs)))
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
        total = functional.embedding_bag(rows, states, starts, mode="sum")
        top = functional.embedding_bag(rows, states, starts, mode="max")
        # Padding with copies of the last molecule keeps the rounding of every batch the same.
        n_molecules = len(graphs)
        n_rows = -(-n_molecules // _HEAD_ROWS) * _HEAD_ROWS
        padded = torch.arange(n_rows).clamp(max=n_molecules - 1)
        parts = (part.index_select(0, padded) for part in (total, counts, top, descriptors))
        return np.asarray(self._head(*parts)[:, :n_molecules].numpy())

    def _compute_states(self, graphs: Graphs) -> tuple[Tensor, Tensor]:
        """States after the last round: row of each atom ``(V,)``, rows ``(R, M H)``."""
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
        states = functional.embedding_bag(codes, self._atoms, mode="sum")
        rounds = zip(self._rounds, self._tables, needs, hashes[:-1], strict=True)
        for compute, table, need, keys in rounds:
            fresh = None
            if len(need.new):
                fresh = compute(states, _Messages.of(need.new, before, keys, graphs))
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


@dataclass(frozen=True)
class _Round:
    """One round of message passing of all members.

    The new state is s + f(own * n + sum of relu(n' + bond)). Here n = norm(s), n' that of a
    neighbour, and f(x) = relu(x @ inner + inner_bias) @ outer + outer_bias.
    """

    norm_scale: Tensor  # (M H,)
    norm_shift: Tensor  # (M H,)
    bonds: Tensor  # (N_BOND_CODES, M H)
    own: Tensor  # (M H,)
    inner: Tensor  # (M, H, H)
    inner_bias: Tensor  # (M, 1, H)
    outer: Tensor  # (M, H, H)
    outer_bias: Tensor  # (M, 1, H)

    @classmethod
    def of(cls, networks: Sequence[Weights], layer: int) -> _Round:
        norm, conv = f"norms.{layer}", f"convs.{layer}"
        width = len(networks[0][f"{norm}.weight"])
        own = [1.0 + network[f"{conv}.eps"] for network in networks]
        return cls(
            norm_scale=torch.cat([network[f"{norm}.weight"] for network in networks]),
            norm_shift=torch.cat([network[f"{norm}.bias"] for network in networks]),
            bonds=torch.cat([network[f"bonds.{layer}.weight"] for network in networks], 1),
            own=torch.cat(own).repeat_interleave(width),
            inner=_matrices(networks, f"{conv}.nn.0"),
            inner_bias=_biases(networks, f"{conv}.nn.0"),
            outer=_matrices(networks, f"{conv}.nn.2"),
            outer_bias=_biases(networks, f"{conv}.nn.2"),
        )

    def __call__(self, states: Tensor, messages: _Messages) -> Tensor:
        """Compute the receivers' new states from all states, both with M H columns."""
        n_members, width = self.inner.shape[:2]
        normed = functional.layer_norm(states.view(-1, n_members, width), (width,))
        normed = torch.addcmul(self.norm_shift, normed.view_as(states), self.norm_scale)
        said = normed.index_select(0, messages.sender)
        said.add_(self.bonds.index_select(0, messages.code)).relu_()
        heard = functional.embedding_bag(messages.along, said, messages.starts, mode="sum")
        heard.addcmul_(normed.index_select(0, messages.receiver), self.own)
        by_member = heard.view(-1, n_members, width).transpose(0, 1)
        hidden = torch.baddbmm(self.inner_bias, by_member, self.inner).relu_()
        change = torch.baddbmm(self.outer_bias, hidden, self.outer)
        kept = states.index_select(0, messages.receiver)
        kept.view(-1, n_members, width).add_(change.transpose(0, 1))
        return kept


@dataclass(frozen=True)
class _Head:
    """The read-out of all members."""

    descriptor_mean: Tensor  # (M, D)
    descriptor_sd: Tensor  # (M, D)
    inner: Tensor  # (M, 3 H + D, H)
    inner_bias: Tensor  # (M, 1, H)
    outer: Tensor  # (M, H, 1)
    outer_bias: Tensor  # (M, 1, 1)

    @classmethod
    def of(cls, networks: Sequence[Weights]) -> _Head:
        return cls(
            descriptor_mean=torch.stack([network["descriptor_mean"] for network in networks]),
            descriptor_sd=torch.stack([network["descriptor_sd"] for network in networks]),
            inner=_matrices(networks, "head.1"),
            inner_bias=_biases(networks, "head.1"),
            outer=_matrices(networks, "head.4"),
            outer_bias=_biases(networks, "head.4"),
        )

    def __call__(self, total: Tensor, counts: Tensor, top: Tensor, descriptors: Tensor) -> Tensor:
        """Predict, shape ``(M, B)``; sums and maxima have M H columns."""
        n_members = len(self.inner)
        total, top = (part.view(len(part), n_members, -1) for part in (total, top))
        scaled = (descriptors.unsqueeze(1) - self.descriptor_mean) / self.descriptor_sd
        inputs = read_out(total, counts.unsqueeze(1), top, scaled).transpose(0, 1)
        hidden = torch.baddbmm(self.inner_bias, inputs, self.inner).relu_()
        return torch.baddbmm(self.outer_bias, hidden, self.outer).squeeze(2)


def _matrices(networks: Sequence[Weights], name: str) -> Tensor:
    """Weights of a linear layer, to multiply from the right, ``(M, n_in, n_out)``."""
    return torch.stack([network[f"{name}.weight"].t() for network in networks]).contiguous()


def _biases(networks: Sequence[Weights], name: str) -> Tensor:
    """Biases of a linear layer, ``(M, 1, n_out)``."""
    return torch.stack([network[f"{name}.bias"] for network in networks]).unsqueeze(1)


class _StateTable:
    """States of one round by hash; a hash has one place, where the latest state lies."""

    def __init__(self, width: int) -> None:
        self._rows = torch.zeros(CAPACITY, width)
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

    def join(self, need: _Need, fresh: Tensor | None) -> Tensor:
        """Put new states and those held together, and keep the new."""
        n_new, held = len(need.new_keys), torch.from_numpy(need.held)
        states = torch.empty(n_new + len(held), self._rows.shape[1])
        torch.index_select(self._rows, 0, held, out=states[n_new:])
        if fresh is not None:
            states[:n_new] = fresh[:n_new]
            places = self.places(need.new_keys)
            self._keys[places] = need.new_keys
            # Of several new states with one place the last is kept.
            kept = np.flatnonzero(self._keys[places] == need.new_keys)
            source, target = torch.from_numpy(kept), torch.from_numpy(places[kept])
            self._rows.index_copy_(0, target, fresh.index_select(0, source))
        return states
