"""Canonical keys and automorphisms of fragment trees."""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache

from molgfn.fragments.tree import FragmentTree
from molgfn.fragments.vocabulary import Vocabulary

#: Rooted branches whose code is remembered; a few hundred bytes each.
_BRANCH_CACHE = 200_000
_TREE_CACHE = 10_000


class TreeSymmetry:
    """Canonical keys and |Aut| of the trees of one vocabulary.

    The tree is rooted at its centre and coded from the leaves up (Aho, Hopcroft, Ullman);
    every node takes the least labelling of its sites under the template's symmetry group and
    counts how many group elements attain it.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._groups = [f.site_group for f in vocabulary.fragments]
        self._kernels = [f.kernel_order for f in vocabulary.fragments]
        self._branch = lru_cache(maxsize=_BRANCH_CACHE)(self._code_branch)
        # A state's key and its |Aut| are asked for one after the other.
        self._coded = lru_cache(maxsize=_TREE_CACHE)(self._code_tree)

    def key_and_order(self, tree: FragmentTree) -> tuple[str, int]:
        """Code a tree.

        Returns:
            The canonical key, equal for two trees exactly when they are the same state, and
            |Aut|, the number of automorphisms of the assembled heavy-atom graph that map
            junctions to junctions, templates onto templates and frozen nodes onto frozen nodes.
        """
        return self._coded(tree)

    def _code_tree(self, tree: FragmentTree) -> tuple[str, int]:
        neighbours: list[list[tuple[int, int, int]]] = [[] for _ in tree.fragments]
        for node, site, other, other_site in tree.bonds():
            neighbours[node].append((site, other, other_site))
            neighbours[other].append((other_site, node, site))

        def rooted(node: int, entry: int, origin: int) -> tuple[str, int]:
            children = sorted(
                (site, *rooted(other, other_site, node))
                for site, other, other_site in neighbours[node]
                if other != origin
            )
            frozen = node < tree.n_frozen
            return self._branch(tree.fragments[node], frozen, entry, tuple(children))

        centre = _centre(neighbours)
        if len(centre) == 1:
            return rooted(centre[0], -1, -1)
        left, right = centre
        site, other_site = next((s, t) for s, other, t in neighbours[left] if other == right)
        (key, order), (other_key, other_order) = (
            rooted(left, site, right),
            rooted(right, other_site, left),
        )
        swap = 2 if key == other_key else 1
        return "~".join(sorted((key, other_key))), swap * order * other_order

    def _code_branch(
        self, fragment: int, frozen: bool, entry: int, children: tuple[tuple[int, str, int], ...]
    ) -> tuple[str, int]:
        best: tuple[int, list[tuple[int, str]]] | None = None
        n_best = 0
        for g in self._groups[fragment]:
            image = (
                -1 if entry < 0 else g[entry],
                sorted((g[site], code) for site, code, _ in children),
            )
            if best is None or image < best:
                best, n_best = image, 1
            elif image == best:
                n_best += 1
        if best is None:
            raise ValueError(f"fragment {fragment} has an empty symmetry group")
        order = n_best * self._kernels[fragment]
        for _, _, child_order in children:
            order *= child_order
        # Equal branches on one site may be exchanged: the site group does not see them.
        for repeats in Counter((site, code) for site, code, _ in children).values():
            order *= math.factorial(repeats)
        door, placed = best
        inner = ",".join(f"{site}:{code}" for site, code in placed)
        mark = "*" if frozen else ""
        return f"{fragment}{mark}{'' if door < 0 else f'^{door}'}({inner})", order


def _centre(neighbours: list[list[tuple[int, int, int]]]) -> list[int]:
    """Peel leaves until the one or two central nodes remain."""
    degree = [len(near) for near in neighbours]
    layer = [v for v, d in enumerate(degree) if d <= 1]
    remaining = len(degree)
    while remaining > 2:
        remaining -= len(layer)
        following = []
        for leaf in layer:
            for _, other, _ in neighbours[leaf]:
                degree[other] -= 1
                if degree[other] == 1:
                    following.append(other)
        layer = following
    return layer
