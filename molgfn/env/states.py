"""A batch of fragment trees as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from molgfn.chem.tree import FragmentTree


@dataclass(frozen=True)
class FragmentStates:
    """B states of at most N fragments.

    Nodes stand in an order of construction: a parent comes before its children, empty places
    (-1) come last. What follows from these tensors, such as used capacity, is not stored.

    Attributes:
        fragment: Fragment number, -1 where empty, shape ``(B, N)``.
        parent: Parent node, -1 for node 0 and empty places, shape ``(B, N)``.
        parent_site: Site used in the parent, -1 likewise, shape ``(B, N)``.
        entry_site: Site used in the node itself, -1 likewise, shape ``(B, N)``.
        stopped: Whether the state is terminal, shape ``(B,)``.
    """

    fragment: Tensor
    parent: Tensor
    parent_site: Tensor
    entry_site: Tensor
    stopped: Tensor

    @classmethod
    def empty(cls, n_states: int, n_nodes: int, device: torch.device) -> FragmentStates:
        """Make a batch of empty trees.

        Args:
            n_states: B.
            n_nodes: N.
            device: Where the tensors shall live.

        Returns:
            B times the initial state.
        """
        blank = torch.full((n_states, n_nodes), -1, device=device)
        stopped = torch.zeros(n_states, dtype=torch.bool, device=device)
        return cls(blank, blank.clone(), blank.clone(), blank.clone(), stopped)

    @classmethod
    def from_trees(
        cls, trees: Sequence[FragmentTree], n_nodes: int, device: torch.device
    ) -> FragmentStates:
        """Make terminal states of fragment trees.

        Args:
            trees: Trees of at most ``n_nodes`` fragments.
            n_nodes: N.
            device: Where the tensors shall live.

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

        return cls(
            padded([tree.fragments for tree in trees]),
            padded([tree.parents for tree in trees]),
            padded([tree.parent_sites for tree in trees]),
            padded([tree.entry_sites for tree in trees]),
            torch.ones(len(trees), dtype=torch.bool, device=device),
        )

    @classmethod
    def cat(cls, batches: Sequence[FragmentStates]) -> FragmentStates:
        """Join batches one after the other.

        Args:
            batches: At least one batch, all with the same N.

        Returns:
            One batch.
        """
        names = [f.name for f in fields(cls)]
        return cls(*(torch.cat([getattr(b, name) for b in batches]) for name in names))

    def __len__(self) -> int:
        return self.fragment.shape[0]

    def __getitem__(self, index: Tensor) -> FragmentStates:
        """Select states by an integer or boolean tensor.

        Args:
            index: Indices from 0 on, shape ``(S,)``, or a mask over the batch.

        Returns:
            The selected states.
        """
        chosen = index.nonzero().squeeze(1) if index.dtype == torch.bool else index
        return FragmentStates(
            *(getattr(self, f.name).index_select(0, chosen) for f in fields(self))
        )

    @property
    def device(self) -> torch.device:
        """Device of the tensors."""
        return self.fragment.device

    @property
    def n_fragments(self) -> Tensor:
        """Number of fragments of every state, shape ``(B,)``."""
        return (self.fragment >= 0).sum(1)

    def stopped_copy(self) -> FragmentStates:
        """Make the terminal states that stopping here gives.

        Returns:
            The same trees, all stopped.
        """
        stopped = torch.ones_like(self.stopped)
        return FragmentStates(
            self.fragment, self.parent, self.parent_site, self.entry_site, stopped
        )

    def without(self, leaves: Tensor) -> FragmentStates:
        """Remove one leaf of every state and close the gap in the numbering.

        Where node 0 is the leaf, its only neighbour is node 1, which becomes the root.

        Args:
            leaves: A node of degree 0 or 1 of every state, shape ``(B,)``.

        Returns:
            The smaller states.
        """
        leaf, n_nodes = leaves[:, None], self.fragment.shape[1]
        source = torch.arange(n_nodes, device=self.device)[None, :]
        source = source + (source >= leaf).long()
        beyond = source >= n_nodes

        def shifted(column: Tensor) -> Tensor:
            return column.gather(1, source.clamp(max=n_nodes - 1)).masked_fill(beyond, -1)

        parent = shifted(self.parent)
        orphan = (parent == leaf) & (parent >= 0)
        return FragmentStates(
            shifted(self.fragment),
            (parent - (parent > leaf).long()).masked_fill(orphan, -1),
            shifted(self.parent_site).masked_fill(orphan, -1),
            shifted(self.entry_site).masked_fill(orphan, -1),
            self.stopped,
        )

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
        columns = [
            column.tolist()
            for column in (self.fragment, self.parent, self.parent_site, self.entry_site)
        ]
        return [
            FragmentTree(*(tuple(row[:n]) for row in rows))
            for n, *rows in zip(counts, *columns, strict=True)
        ]

    def to_tensor(self) -> Tensor:
        """Pack the batch into one integer tensor, for storage.

        Returns:
            Shape ``(B, 4 N + 1)``.
        """
        parts = [self.fragment, self.parent, self.parent_site, self.entry_site]
        return torch.cat([*parts, self.stopped[:, None].long()], 1)

    @classmethod
    def from_tensor(cls, packed: Tensor) -> FragmentStates:
        """Undo :meth:`to_tensor`.

        Args:
            packed: Shape ``(B, 4 N + 1)``.

        Returns:
            The batch.
        """
        n_nodes = packed.shape[1] // 4
        parts = packed[:, :-1].split(n_nodes, 1)
        return cls(parts[0], parts[1], parts[2], parts[3], packed[:, -1].bool())
