"""Fragment trees: their assembly to a molecule, canonical key and automorphisms."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from rdkit import Chem

from molgfn.fragments.vocabulary import Vocabulary

#: Rooted branches whose code is remembered; a few hundred bytes each.
_BRANCH_CACHE = 200_000
_TREE_CACHE = 10_000


@dataclass(frozen=True)
class FragmentTree:
    """Fragments joined by single bonds, nodes in an order of construction.

    Attributes:
        fragments: Fragment number of every node; at least one node.
        parents: Node to which a node was attached; -1 for node 0, smaller than the node's own
            number for the others.
        parent_sites: Site number used in the parent, -1 for node 0.
        entry_sites: Site number used in the node itself, -1 for node 0.
    """

    fragments: tuple[int, ...]
    parents: tuple[int, ...]
    parent_sites: tuple[int, ...]
    entry_sites: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.fragments)

    def bonds(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield every junction as (node, site, other node, other site)."""
        for node in range(1, len(self)):
            yield self.parents[node], self.parent_sites[node], node, self.entry_sites[node]


def assemble(tree: FragmentTree, vocabulary: Vocabulary) -> Chem.Mol:
    """Join the fragments of a tree to a sanitised molecule.

    A junction is a single bond in place of two hydrogens and closes no ring, so rings and
    aromaticity are those of the templates. RDKit need not perceive them again, which would take
    longer than all the rest.

    Args:
        tree: The tree; its sites must have the capacity for its junctions.
        vocabulary: The vocabulary its numbers refer to.

    Returns:
        Sanitised molecule, hydrogens implicit; atoms in the order of nodes.
    """
    fragments = [vocabulary.fragments[i] for i in tree.fragments]
    mol = Chem.RWMol(fragments[0].mol)
    rings = mol.GetRingInfo()
    offsets = [0]
    for fragment in fragments[1:]:
        n_atoms, n_bonds = mol.GetNumAtoms(), mol.GetNumBonds()
        offsets.append(n_atoms)
        mol.InsertMol(fragment.mol)
        for atoms, bonds in fragment.rings:
            rings.AddRing([n_atoms + i for i in atoms], [n_bonds + i for i in bonds])
    for node, site, other, other_site in tree.bonds():
        ends = (
            offsets[node] + fragments[node].site_atoms[site],
            offsets[other] + fragments[other].site_atoms[other_site],
        )
        for index in ends:
            atom = mol.GetAtomWithIdx(index)
            # Only hydrogens written in the SMILES ([nH], charged atoms) are stored; the
            # others are implicit and counted anew below.
            if atom.GetNumExplicitHs():
                atom.SetNumExplicitHs(atom.GetNumExplicitHs() - 1)
        mol.AddBond(*ends, Chem.BondType.SINGLE)
    # What was asked of the first template, such as its matrix of bonds, came along with it.
    mol.ClearComputedProps(includeRings=False)
    mol.UpdatePropertyCache()
    Chem.SetConjugation(mol)
    Chem.SetHybridization(mol)
    return mol.GetMol()


class TreeSymmetry:
    """Canonical keys and |Aut| of the trees of one vocabulary.

    The tree is rooted at its centre and coded from the leaves up (Aho, Hopcroft, Ullman);
    every node takes the least labelling of its sites under the template's symmetry group and
    counts how many group elements attain it.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Prepare the symmetry groups.

        Args:
            vocabulary: The vocabulary that the trees refer to.
        """
        self._groups = [f.site_group for f in vocabulary.fragments]
        self._kernels = [f.kernel_order for f in vocabulary.fragments]
        self._branch = lru_cache(maxsize=_BRANCH_CACHE)(self._code_branch)
        # A state's key and its |Aut| are asked for one after the other.
        self._coded = lru_cache(maxsize=_TREE_CACHE)(self._code_tree)

    def key_and_order(self, tree: FragmentTree) -> tuple[str, int]:
        """Code a tree.

        Args:
            tree: Any tree of the vocabulary.

        Returns:
            The canonical key, equal for two trees exactly when they are the same state, and
            |Aut|, the number of automorphisms of the assembled heavy-atom graph that map
            junctions to junctions and templates onto templates.
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
            return self._branch(tree.fragments[node], entry, tuple(children))

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
        self, fragment: int, entry: int, children: tuple[tuple[int, str, int], ...]
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
        return f"{fragment}{'' if door < 0 else f'^{door}'}({inner})", order


def automorphism_order_by_matching(tree: FragmentTree, vocabulary: Vocabulary) -> int:
    """Count |Aut| of a tree the slow way, by self-matches of the assembled graph.

    Every junction is subdivided by a marker atom, so that junctions map to junctions; atoms are
    compared as in the templates, hydrogens included. It shares no code with
    :class:`TreeSymmetry` beyond the vocabulary and serves to check it.

    Args:
        tree: Any tree of the vocabulary.
        vocabulary: The vocabulary its numbers refer to.

    Returns:
        The number of automorphisms.
    """
    graph = Chem.RWMol()
    offsets = []
    labels: dict[tuple[object, ...], int] = defaultdict(lambda: len(labels) + 1)
    for number in tree.fragments:
        template = vocabulary.fragments[number].mol
        offsets.append(graph.GetNumAtoms())
        graph.InsertMol(template)
        for atom in template.GetAtoms():
            kind = (atom.GetSymbol(), atom.GetFormalCharge(), atom.GetTotalNumHs())
            copy = graph.GetAtomWithIdx(offsets[-1] + atom.GetIdx())
            copy.SetIsotope(labels[(*kind, atom.GetIsAromatic())])
    for node, site, other, other_site in tree.bonds():
        marker = graph.AddAtom(Chem.Atom(0))
        graph.GetAtomWithIdx(marker).SetIsotope(labels[("junction",)])
        for end, end_site in ((node, site), (other, other_site)):
            atom_index = vocabulary.fragments[tree.fragments[end]].site_atoms[end_site]
            graph.AddBond(marker, offsets[end] + atom_index, Chem.BondType.SINGLE)
    matches = graph.GetSubstructMatches(graph, uniquify=False, maxMatches=10_000_000)
    return len(matches)


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
