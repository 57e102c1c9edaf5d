"""A batch of fragment trees as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from molgfn.fragments.tree import FragmentTree

#: Numbers that a state holds for each of its places.
N_COLUMNS = 4
#: Bit of the flags of a state that is set once it has stopped.
STOPPED = 1


@dataclass(frozen=True)
class FragmentStates:
    """B states of at most N fragments, treated as read-only.

    Nodes stand in an order of construction: a parent comes before its children, empty places
    (-1) come last. Frozen nodes, those of the start, come first. What follows from these numbers,
    such as used capacity, is not stored.

    Attributes:
        packed: All numbers of a state in one row, so that one operation moves states about,
            shape ``(B, 4 N + 1)``: the four columns below one after the other, then flags, 1
            for a stopped state plus twice the number of its frozen nodes.
    """

    packed: Tensor

    @cached_property
    def fragment(self) -> Tensor:
        """Fragment number, -1 where empty, shape ``(B, N)``."""
        return self._column(0)

    @cached_property
    def parent(self) -> Tensor:
        """Parent node, -1 for node 0 and empty places, shape ``(B, N)``."""
        return self._column(1)

    @cached_property
    def parent_site(self) -> Tensor:
        """Site used in the parent, -1 likewise, shape ``(B, N)``."""
        return self._column(2)

    @cached_property
    def entry_site(self) -> Tensor:
        """Site used in the node itself, -1 likewise, shape ``(B, N)``."""
        return self._column(3)

    @cached_property
    def stopped(self) -> Tensor:
        """Whether the state is terminal, shape ``(B,)``."""
        return (self.packed[:, -1] & STOPPED) > 0

    @cached_property
    def n_frozen(self) -> Tensor:
        """Number of frozen nodes of every state, shape ``(B,)``."""
        return self.packed[:, -1] >> 1

    @cached_property
    def n_fragments(self) -> Tensor:
        """Number of fragments of every state, shape ``(B,)``."""
        return (self.fragment >= 0).sum(1)

    @property
    def n_nodes(self) -> int:
        """N, the number of places for fragments."""
        return self.packed.shape[1] // N_COLUMNS

    def _column(self, number: int) -> Tensor:
        return self.packed[:, number * self.n_nodes : (number + 1) * self.n_nodes]

    @classmethod
    def of(
        cls,
        fragment: Tensor,
        parent: Tensor,
        parent_site: Tensor,
        entry_site: Tensor,
        n_frozen: Tensor | None = None,
    ) -> FragmentStates:
        """Put columns together.

        Args:
            fragment: As the attribute, shape ``(B, N)``.
            parent: Likewise.
            parent_site: Likewise.
            entry_site: Likewise.
            n_frozen: Likewise, shape ``(B,)``; default: none.
        """
        flags = torch.zeros_like(fragment[:, 0]) if n_frozen is None else 2 * n_frozen
        return cls(torch.cat([fragment, parent, parent_site, entry_site, flags[:, None]], 1))

    @classmethod
    def empty(cls, n_states: int, n_nodes: int, device: torch.device) -> FragmentStates:
        """Make a batch of empty trees."""
        packed = torch.full((n_states, N_COLUMNS * n_nodes + 1), -1, device=device)
        packed[:, -1] = 0
        return cls(packed)

    @classmethod
    def from_trees(
        cls, trees: Sequence[FragmentTree], n_nodes: int, device: torch.device
    ) -> FragmentStates:
        """Make terminal states of fragment trees.

        Args:
            trees: Trees of at most ``n_nodes`` fragments.
            n_nodes: N.
            device: Device of the tensors.

        Returns:
            The terminal states, in the order of the trees.

        Raises:
            ValueError: A tree has more than ``n_nodes`` fragments.
        """
        largest = max((len(tree) for tree in trees), default=0)
        if largest > n_nodes:
            raise ValueError(f"a tree has {largest} fragments, the states hold {n_nodes}")

        def padded(rows: Sequence[Sequence[int]]) -> Tensor:
            flat = [[*row, *([-1] * (n_nodes - len(row)))] for row in rows]
            return torch.tensor(flat, dtype=torch.long, device=device).reshape(-1, n_nodes)

        return cls.of(
            padded([tree.fragments for tree in trees]),
            padded([tree.parents for tree in trees]),
            padded([tree.parent_sites for tree in trees]),
            padded([tree.entry_sites for tree in trees]),
            torch.tensor([tree.n_frozen for tree in trees], dtype=torch.long, device=device),
        ).stopped_copy()

    @classmethod
    def cat(cls, batches: Sequence[FragmentStates]) -> FragmentStates:
        """Join batches one after the other.

        Args:
            batches: At least one batch, all with the same N.
        """
        return cls(torch.cat([batch.packed for batch in batches]))

    def __len__(self) -> int:
        return self.packed.shape[0]

    def __getitem__(self, index: Tensor) -> FragmentStates:
        """Select states by an integer or boolean tensor.

        Args:
            index: Indices from 0 on, shape ``(S,)``, or a mask over the batch.
        """
        chosen = index.nonzero().squeeze(1) if index.dtype == torch.bool else index
        return FragmentStates(self.packed.index_select(0, chosen))

    @property
    def device(self) -> torch.device:
        """Device of the tensors."""
        return self.packed.device

    def stopped_copy(self) -> FragmentStates:
        """Make the terminal states that stopping here gives.

        Returns:
            The same trees, all stopped.
        """
        packed = self.packed.clone()
        packed[:, -1].bitwise_or_(STOPPED)
        return FragmentStates(packed)

    def going_copy(self) -> FragmentStates:
        """Make the states that a trajectory may go on from.

        Returns:
            The same trees, none stopped.
        """
        packed = self.packed.clone()
        packed[:, -1].bitwise_and_(~STOPPED)
        return FragmentStates(packed)

    def narrowed(self, n_nodes: int) -> FragmentStates:
        """Drop places that no state fills.

        Returns:
            The same states.
        """
        if n_nodes >= self.n_nodes:
            return self
        columns = self.packed[:, :-1].unflatten(1, (N_COLUMNS, self.n_nodes))
        return FragmentStates(
            torch.cat([columns[:, :, :n_nodes].flatten(1), self.packed[:, -1:]], 1)
        )

    def without(self, leaves: Tensor) -> FragmentStates:
        """Remove one leaf of every state and close the gap in the numbering; flags stay.

        Where node 0 is the leaf, its only neighbour is node 1, which becomes the root.

        Args:
            leaves: A node of degree 0 or 1 of every state, not frozen, shape ``(B,)``.
        """
        leaf, n_nodes = leaves[:, None], self.n_nodes
        source = torch.arange(n_nodes, device=self.device)[None, :]
        source = source + (source >= leaf).long()
        beyond = source >= n_nodes
        source = source.clamp_(max=n_nodes - 1)
        columns = self.packed[:, :-1].unflatten(1, (N_COLUMNS, n_nodes))  # (B, 4, N)
        shifted = columns.gather(2, source[:, None].expand_as(columns))
        shifted = shifted.masked_fill_(beyond[:, None], -1)
        parent = shifted[:, 1]
        orphan = (parent == leaf) & (parent >= 0)
        parent -= (parent > leaf).long()
        # An orphan has nothing but its fragment.
        shifted[:, 1:].masked_fill_(orphan[:, None], -1)
        return FragmentStates(torch.cat([shifted.flatten(1), self.packed[:, -1:]], 1))

    def trees(self) -> list[FragmentTree]:
        """Turn the states into fragment trees; an empty state has none.

        Returns:
            One tree per state, in order.

        Raises:
            ValueError: A state is empty.
        """
        counts = self.n_fragments.tolist()
        if 0 in counts:
            raise ValueError(f"state {counts.index(0)} is the empty tree")
        n_nodes = self.n_nodes
        return [
            FragmentTree(
                tuple(row[:n]),
                tuple(row[n_nodes : n_nodes + n]),
                tuple(row[2 * n_nodes : 2 * n_nodes + n]),
                tuple(row[3 * n_nodes : 3 * n_nodes + n]),
                row[-1] >> 1,
            )
            for n, row in zip(counts, self.packed.tolist(), strict=True)
        ]

    def to_tensor(self) -> Tensor:
        """Pack the batch into one integer tensor, for storage, shape ``(B, 4 N + 1)``."""
        return self.packed

    @classmethod
    def from_tensor(cls, packed: Tensor) -> FragmentStates:
        """Undo :meth:`to_tensor`.

        Args:
            packed: Shape ``(B, 4 N + 1)``.
        """
        return cls(packed)
