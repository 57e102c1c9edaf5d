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

from molgfn.chem.properties.atom_arrays import mix
from molgfn.reward.proxy.architecture import Weights, read_out
from molgfn.reward.proxy.features import N_BOND_CODES, Graphs, atom_codes

#: States kept for each round, a power of two; 2 kB each for 5 members of width 48.
CAPACITY = 1 << 14
#: Molecules per pass: enough to fill the matrix products, few enough to stay in the cache.
_CHUNK = 128
#: Smaller products, or a head with rows left over, are rounded differently by the library.
_MIN_ROWS = 4
_HEAD_ROWS = 16


class Ensemble:
    """Evaluates the members of an ensemble; remembers states of atoms, a bounded number of them."""

    def __init__(self, networks: Sequence[Weights]) -> None:
        self._n_members = len(networks)
        self._atoms = torch.cat([network["atom.weight"] for network in networks], 1)
        layers = range(sum(name.startswith("bonds.") for name in networks[0]))
        self._rounds = [_Round.of(networks, layer) for layer in layers]
        self._head = _Head.of(networks)
        self._tables = [
            _StateTable(listener, self._atoms.shape[1]) for listener in [*self._rounds[1:], None]
        ]

    def __call__(self, graphs: Graphs) -> NDArray[np.float64]:
        """Evaluate every member on every molecule.

        Returns:
            Standardised predictions, shape ``(members, B)``.
        """
        predicted = np.zeros((self._n_members, len(graphs)))
        with torch.inference_mode():
            for start in range(0, len(graphs), _CHUNK):
                part = slice(start, start + _CHUNK)
                whole = len(graphs) <= _CHUNK
                predicted[:, part] = self._evaluate(graphs if whole else graphs[part])
        return predicted

    def _evaluate(self, graphs: Graphs) -> NDArray[np.float32]:
        rows, states = self._compute_states(graphs)
        starts = torch.from_numpy(graphs.offsets)
        counts = torch.from_numpy(graphs.sizes).unsqueeze(1)
        descriptors = torch.from_numpy(graphs.descriptors)
        total = functional.embedding_bag(rows, states, starts, mode="sum")
        # The library's embedding bag takes ten times as long for maxima.
        owner = torch.repeat_interleave(torch.from_numpy(graphs.sizes))
        top = torch.zeros_like(total).scatter_reduce_(
            0,
            owner.unsqueeze(1).expand(-1, total.shape[1]),
            states.index_select(0, rows),
            "amax",
            include_self=False,
        )
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
        normed = self._rounds[0].norm(states)
        rounds = zip(self._rounds, self._tables, needs, hashes[:-1], strict=True)
        for compute, table, need, keys in rounds:
            if len(need.new):
                messages = _Messages.of(need.new, before, keys, graphs)
                table.put(need, compute(states, normed, messages))
            before, states, normed = need.row, table.states, table.normed
        return torch.from_numpy(before), states


@dataclass(frozen=True)
class _Need:
    """Which distinct states of a round are wanted, and where they lie in its table."""

    row: NDArray[np.int64]  # of each atom that is wanted, (V,)
    new: NDArray[np.int64]  # an atom for each state to compute, with repeats up to _MIN_ROWS
    new_rows: NDArray[np.int64]
    new_keys: NDArray[np.uint64]

    @classmethod
    def of(
        cls,
        atoms: NDArray[np.int64],
        keys: NDArray[np.uint64],
        table: _StateTable,
        n_atoms: int,
    ) -> _Need:
        number, distinct = pd.factorize(keys[atoms])
        rows, fresh = table.find(distinct)
        row = np.zeros(n_atoms, dtype=np.int64)
        row[atoms] = rows[number]
        first = np.zeros(len(distinct), dtype=np.int64)
        first[number[::-1]] = atoms[::-1]
        new = first[fresh]
        padded = np.resize(new, max(len(new), _MIN_ROWS)) if len(new) else new
        return cls(row, padded, rows[fresh], distinct[fresh])


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
        along, distinct = pd.factorize(sent)
        sender, code = np.divmod(distinct, N_BOND_CODES)
        return cls(
            sender=torch.from_numpy(sender),
            code=torch.from_numpy(code),
            along=torch.from_numpy(along),
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

    def norm(self, states: Tensor) -> Tensor:
        """Norm states, which have M H columns, each member for itself."""
        n_members, width = self.inner.shape[:2]
        normed = functional.layer_norm(states.view(-1, n_members, width), (width,))
        return torch.addcmul(self.norm_shift, normed.view_as(states), self.norm_scale)

    def __call__(self, states: Tensor, normed: Tensor, messages: _Messages) -> Tensor:
        """Compute the receivers' new states from states and normed states, M H columns each."""
        n_members, width = self.inner.shape[:2]
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
    """States of one round by hash, and what they are normed to for the next.

    A hash has one row, where the latest state lies. States whose row another one of the same pass
    has lie behind, until the next pass.
    """

    def __init__(self, listener: _Round | None, width: int) -> None:
        """Start empty.

        Args:
            listener: The next round, which reads normed states; ``None`` after the last.
            width: Columns of a state.
        """
        self._listener = listener
        # A hash that belongs elsewhere stands for an empty row.
        self._keys = np.arange(CAPACITY, dtype=np.uint64) ^ np.uint64(1)
        self._claims = np.zeros(CAPACITY, dtype=np.int64)
        self.states = torch.zeros(CAPACITY, width)
        self.normed = torch.zeros(CAPACITY if listener else 0, width)

    def find(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Find the rows of distinct hashes.

        Returns:
            Row of each, all different, and whether its state has yet to be put there.
        """
        rows = (keys & np.uint64(len(self._keys) - 1)).astype(np.int64)
        numbers = np.arange(len(keys))
        held = self._keys[rows] == keys
        self._claims[rows] = numbers
        self._claims[rows[held]] = numbers[held]
        beaten = self._claims[rows] != numbers
        rows[beaten] = len(self._keys) + np.arange(beaten.sum())
        return rows, ~held

    def put(self, need: _Need, fresh: Tensor) -> None:
        """Put new states where :meth:`find` said."""
        fresh = fresh[: len(need.new_rows)]
        lasting = need.new_rows < len(self._keys)
        rows, keys = need.new_rows[lasting], need.new_keys[lasting]
        # The hashes come last: a stop on the way leaves empty rows, no wrong ones.
        self._keys[rows] = rows.astype(np.uint64) ^ np.uint64(1)
        self.states = _put(self.states, need.new_rows, fresh)
        if self._listener is not None:
            self.normed = _put(self.normed, need.new_rows, self._listener.norm(fresh))
        self._keys[rows] = keys


def _put(table: Tensor, rows: NDArray[np.int64], values: Tensor) -> Tensor:
    """Write rows of a table, made longer where need be."""
    missing = int(rows.max()) + 1 - len(table)
    if missing > 0:
        table = torch.cat([table, table.new_zeros(missing, table.shape[1])])
    # NumPy's writing takes a third of the time of the library's.
    table.numpy()[rows] = values.numpy()
    return table
