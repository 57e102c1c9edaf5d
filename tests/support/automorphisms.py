"""Automorphisms counted the slow way, to check the symmetry of fragment trees."""

from __future__ import annotations

from collections import defaultdict

from rdkit import Chem

from molgfn.fragments.tree import FragmentTree
from molgfn.fragments.vocabulary import Vocabulary


def automorphism_order_by_matching(tree: FragmentTree, vocabulary: Vocabulary) -> int:
    """Count |Aut| of a tree the slow way, by self-matches of the assembled graph.

    Every junction is subdivided by a marker atom, so that junctions map to junctions; atoms are
    compared as in the templates, hydrogens included. It shares no code with
    :class:`~molgfn.fragments.symmetry.TreeSymmetry` beyond the vocabulary and checks it.

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
