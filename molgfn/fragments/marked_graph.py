"""Fragment trees as graphs with marked junctions, whose isomorphism RDKit alone decides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from molgfn.errors import VocabularyError
from molgfn.fragments.tree import FragmentTree
from molgfn.fragments.vocabulary import Vocabulary

#: Self matches are listed one by one; a small vocabulary stays far below.
MAX_MATCHES = 1_000_000
#: Isotope of the atoms that subdivide the junctions.
_JUNCTION = 1


class MarkedGraphs:
    """Makes marked graphs of the trees of one vocabulary.

    Every atom is a wildcard whose isotope stands for its fragment, element, charge, aromaticity,
    isotope and hydrogens in the template, and every junction is subdivided by one more wildcard.
    An isomorphism of two such graphs is one of the assembled molecules that maps fragments onto
    fragments and junctions onto junctions: their canonical SMILES are equal exactly for equal
    states. Stereo is left out, as it is from the symmetry of the templates.

    The marker of a node comes just before its atoms, so nodes can be added and removed without
    changing how the others are counted: node i begins at (atoms of the nodes before it) + i.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._site_atoms = [f.site_atoms for f in vocabulary.fragments]
        labels: dict[tuple[object, ...], int] = {}
        numbered = list(enumerate(vocabulary.fragments))
        self._templates = [_labelled(i, f.mol, labels) for i, f in numbered]
        self._frozen = [_labelled((i, "frozen"), f.mol, labels) for i, f in numbered]
        self._doors: dict[tuple[int, int], Chem.Mol] = {
            (i, site): self._door(i, site)
            for i, f in enumerate(vocabulary.fragments)
            for site in range(f.n_sites)
        }

    def _door(self, fragment: int, site: int) -> Chem.Mol:
        graph = Chem.RWMol()
        graph.AddAtom(_wildcard(_JUNCTION))
        graph.InsertMol(self._templates[fragment])
        graph.AddBond(0, 1 + self._site_atoms[fragment][site], Chem.BondType.SINGLE)
        return graph.GetMol()

    def offsets(self, fragments: Sequence[int]) -> list[int]:
        """Number the first atom of every node.

        Returns:
            One atom index per node.
        """
        found, n_atoms = [], 0
        for node, fragment in enumerate(fragments):
            found.append(n_atoms + node)
            n_atoms += int(self._templates[fragment].GetNumAtoms())
        return found

    def single(self, fragment: int) -> Chem.Mol:
        """Make the graph of a one-fragment tree.

        Returns:
            The graph; read-only.
        """
        return self._templates[fragment]

    def frozen(self, tree: FragmentTree) -> Chem.Mol:
        """Make the graph of a start, whose nodes differ from all others."""
        graph = Chem.RWMol(self._frozen[tree.fragments[0]])
        offsets = self.offsets(tree.fragments)
        for node, site, other, other_site in tree.bonds():
            marker = graph.AddAtom(_wildcard(_JUNCTION))
            graph.InsertMol(self._frozen[tree.fragments[other]])
            for end, end_site in ((node, site), (other, other_site)):
                atom = offsets[end] + self._site_atoms[tree.fragments[end]][end_site]
                graph.AddBond(marker, atom, Chem.BondType.SINGLE)
        return graph.GetMol()

    def attached(self, graph: Chem.Mol, atom: int, fragment: int, site: int) -> Chem.Mol:
        """Add a node."""
        grown = Chem.RWMol(graph)
        marker = grown.GetNumAtoms()
        grown.InsertMol(self._doors[fragment, site])
        grown.AddBond(atom, marker, Chem.BondType.SINGLE)
        return grown

    def removed(self, graph: Chem.Mol, tree: FragmentTree, leaf: int) -> Chem.Mol:
        """Take a leaf and its junction away."""
        begin = self.offsets(tree.fragments)[leaf]
        gone = set(range(begin, begin + self._templates[tree.fragments[leaf]].GetNumAtoms()))
        gone |= {
            int(near.GetIdx())
            for index in gone
            for near in graph.GetAtomWithIdx(index).GetNeighbors()
            if near.GetIsotope() == _JUNCTION
        }
        smaller = Chem.RWMol(graph)
        for index in sorted(gone, reverse=True):
            smaller.RemoveAtom(index)
        return smaller

    def entry_representatives(self, vocabulary: Vocabulary) -> dict[tuple[int, int], int]:
        """Say as which entry a fragment that hangs on a site has come in.

        Returns:
            For (fragment, site) the equivalent one of the fragment's ``entry_sites``; a site by
            which the fragment may not be attached is missing.
        """
        found = {}
        for i, fragment in enumerate(vocabulary.fragments):
            entry = {canonical_smiles(self._doors[i, site]): site for site in fragment.entry_sites}
            for site in range(fragment.n_sites):
                smiles = canonical_smiles(self._doors[i, site])
                if smiles in entry:
                    found[i, site] = entry[smiles]
        return found


def canonical_smiles(graph: Chem.Mol) -> str:
    """Write a marked graph.

    Returns:
        Canonical SMILES, equal for two graphs exactly when they are isomorphic.
    """
    return str(Chem.MolToSmiles(graph))


def self_matches(graph: Chem.Mol) -> tuple[int, NDArray[np.int64]]:
    """Count the automorphisms of a marked graph and find their orbits.

    Raises:
        VocabularyError: There are more than ``MAX_MATCHES``.
    """
    matches = graph.GetSubstructMatches(graph, uniquify=False, maxMatches=MAX_MATCHES + 1)
    if len(matches) > MAX_MATCHES:
        raise VocabularyError(
            f"a state has more than {MAX_MATCHES} automorphisms; leave its most symmetric "
            "fragments out of the vocabulary or lower limits.max_fragments"
        )
    return len(matches), np.asarray(matches, dtype=np.int64).min(axis=0)


def _labelled(
    number: object, template: Chem.Mol, labels: dict[tuple[object, ...], int]
) -> Chem.Mol:
    graph = Chem.RWMol()
    for atom in template.GetAtoms():
        kind = (
            number,
            atom.GetAtomicNum(),
            atom.GetFormalCharge(),
            atom.GetIsAromatic(),
            atom.GetTotalNumHs(),
            atom.GetIsotope(),
        )
        graph.AddAtom(_wildcard(labels.setdefault(kind, len(labels) + _JUNCTION + 1)))
    for bond in template.GetBonds():
        graph.AddBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), bond.GetBondType())
    return graph.GetMol()


def _wildcard(isotope: int) -> Chem.Atom:
    atom = Chem.Atom(0)
    atom.SetIsotope(isotope)
    atom.SetNoImplicit(True)
    return atom
