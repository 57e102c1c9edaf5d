"""Fragment trees and their assembly to a molecule."""

from __future__ import annotations

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
