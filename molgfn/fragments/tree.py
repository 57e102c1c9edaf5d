"""Fragment trees and their assembly to a molecule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from rdkit import Chem

from molgfn.fragments.vocabulary import Vocabulary


@dataclass(frozen=True)
class FragmentTree:
    """Fragments joined by single bonds, nodes in an order of construction.

    Attributes:
        fragments: Fragment number of every node; at least one node.
        parents: Node to which a node was attached; -1 for node 0, smaller than the node's own
            number for the others.
        parent_sites: Site number used in the parent, -1 for node 0.
        entry_sites: Site number used in the node itself, -1 for node 0.
        n_frozen: Number of nodes that belong to the start and are never removed; they come first.
    """

    fragments: tuple[int, ...]
    parents: tuple[int, ...]
    parent_sites: tuple[int, ...]
    entry_sites: tuple[int, ...]
    n_frozen: int = 0

    def __len__(self) -> int:
        return len(self.fragments)

    def bonds(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield every junction as (node, site, other node, other site)."""
        for node in range(1, len(self)):
            yield self.parents[node], self.parent_sites[node], node, self.entry_sites[node]


def check_tree(tree: FragmentTree, vocabulary: Vocabulary) -> None:
    """Refuse what no vocabulary's sites can hold.

    Whether the vocabulary would join the fragments so, by their pairs and entries, is not asked.

    Raises:
        ValueError: A node is no fragment, hangs on no node before it, or uses a site that is not
            there or more often than its capacity allows; the message names it.
    """
    columns = tree.fragments, tree.parents, tree.parent_sites, tree.entry_sites
    if not len(tree) or len({len(column) for column in columns}) > 1:
        raise ValueError(f"a tree needs one value for each node in every column, got {tree}")
    for node, number in enumerate(tree.fragments):
        if not 0 <= number < len(vocabulary.fragments):
            raise ValueError(f"node {node}: no fragment {number} among {len(vocabulary.fragments)}")
        if not (0 <= tree.parents[node] < node or (node == 0 and tree.parents[node] == -1)):
            raise ValueError(
                f"node {node} hangs on node {tree.parents[node]}, which is not before it"
            )
    used = Counter(
        end
        for node, site, other, other_site in tree.bonds()
        for end in ((node, site), (other, other_site))
    )
    for (node, site), n_bonds in used.items():
        fragment = vocabulary.fragments[tree.fragments[node]]
        atoms = fragment.site_atoms
        capacity = fragment.capacities[atoms[site]] if 0 <= site < len(atoms) else 0
        if n_bonds > capacity:
            raise ValueError(
                f"site {site} of node {node}, {fragment.smiles}, takes {capacity} bonds, "
                f"got {n_bonds}"
            )


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
