"""Atom graphs straight from fragment trees, without making molecules.

Every atom of a tree is an atom of a template. A junction takes a hydrogen from each of its two
atoms and adds a neighbour; rings, charges and elements stay. Hybridisation alone may change: an
amine bonded to an aromatic ring is flat. It depends on the fragment and on what its neighbours
show the atoms that may change, so RDKit is asked once for each such situation, of a small molecule
made of the fragment and its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from molgfn.chem.properties.atom_arrays import KINDS, N_BOND_TYPES, AtomArrays, BondList, mix
from molgfn.fragments.tree import FragmentTree, assemble
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.molecules.env.states import FragmentStates
from molgfn.reward.proxy.features import Graphs, atom_types, describe

#: Situations of fragments that are remembered; a few hundred bytes each.
CAPACITY = 200_000

_DEGREE = KINDS.COLUMNS.index("degree")
_HYDROGENS = KINDS.COLUMNS.index("hydrogens")
_HYBRIDISATION = KINDS.COLUMNS.index("hybridisation")
_ODD = np.uint64(0x9E3779B97F4A7C15)


class TreeFeaturiser:
    """Turns fragment trees of one vocabulary into the graphs of their molecules."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        fragments = vocabulary.fragments
        mols = [fragment.mol for fragment in fragments]
        templates = AtomArrays.of(mols)
        bonds = templates.bonds
        self.vocabulary = vocabulary
        self._sizes, self._first_atom = templates.sizes, templates.offsets
        self._properties = KINDS.table[templates.kinds]
        n_bonds = templates.count(bonds.degrees)
        self._n_bonds, self._first_bond = n_bonds, np.cumsum(n_bonds) - n_bonds
        shift = templates.offsets[templates.owner]
        self._sources = bonds.sources - shift[bonds.sources]
        self._targets = bonds.targets - shift[bonds.sources]
        self._codes = bonds.codes
        n_sites = max(1, *(fragment.n_sites for fragment in fragments))
        self._site_atom = np.zeros((len(fragments), n_sites), dtype=np.int64)
        for row, fragment in zip(self._site_atom, fragments, strict=True):
            row[: fragment.n_sites] = fragment.site_atoms
        sites = self._first_atom[:, None] + self._site_atom
        self._shown = _show(self._properties, bonds)[sites]
        # Only atoms with a lone pair to share change, and only at a junction of their own.
        valence = self._properties[:, _DEGREE] + self._properties[:, _HYDROGENS]
        sp3 = self._properties[:, _HYBRIDISATION] == int(Chem.HybridizationType.SP3)
        self._changes = (sp3 & (valence <= 3))[sites]
        self._rings = np.array([mol.GetRingInfo().NumRings() for mol in mols])
        self._aromatic_rings = np.array([rdMolDescriptors.CalcNumAromaticRings(m) for m in mols])
        self._hybridisations: dict[int, NDArray[np.int64]] = {}

    def __call__(self, states: FragmentStates) -> Graphs:
        """Make the graphs of trees.

        Returns:
            Graphs with the atoms in the order of :func:`~molgfn.fragments.tree.assemble`.
        """
        columns = (states.fragment, states.parent, states.parent_site, states.entry_site)
        fragment, parent, parent_site, entry_site = (c.cpu().numpy() for c in columns)
        tree, place = np.nonzero(fragment >= 0)
        node = np.zeros(fragment.shape, dtype=np.int64)
        node[tree, place] = np.arange(len(tree))
        kind = fragment[tree, place]
        junctions = _Junctions.of(tree, place, node, parent, parent_site, entry_site)
        sizes = self._sizes[kind]
        first = np.cumsum(sizes) - sizes
        atoms = _ranges(self._first_atom[kind], sizes)
        properties = self._properties[atoms].copy()
        ends = first[junctions.node] + self._site_atom[kind[junctions.node], junctions.site]
        np.add.at(properties[:, _DEGREE], ends, 1)
        np.subtract.at(properties[:, _HYDROGENS], ends, 1)
        properties[:, _HYBRIDISATION] = self._hybridise(kind, junctions)

        # The bonds of the templates, then both directions of the junctions, sorted by atom.
        n_bonds = self._n_bonds[kind]
        inner, shift = _ranges(self._first_bond[kind], n_bonds), np.repeat(first, n_bonds)
        half = len(ends) // 2
        far_ends = np.concatenate([ends[half:], ends[:half]])
        sources = np.concatenate([self._sources[inner] + shift, ends])
        targets = np.concatenate([self._targets[inner] + shift, far_ends])
        codes = np.concatenate([self._codes[inner], np.zeros(len(ends), dtype=np.int64)])
        order = np.lexsort((targets, sources))
        starts = np.searchsorted(sources[order], np.arange(len(atoms) + 1))
        bonds = BondList(starts, targets[order], codes[order])

        def total(values: NDArray[np.int64]) -> NDArray[np.int64]:
            return np.bincount(tree, values[kind], len(fragment)).astype(np.int64)

        molecules = AtomArrays(total(self._sizes), np.zeros(len(atoms), dtype=np.int64), bonds)
        rings, aromatic_rings = total(self._rings), total(self._aromatic_rings)
        return Graphs(
            sizes=molecules.sizes,
            types=atom_types(properties),
            bonds=bonds,
            descriptors=describe(molecules, properties, rings, aromatic_rings),
        )

    def _hybridise(self, fragments: NDArray[np.int64], junctions: _Junctions) -> NDArray[np.int64]:
        """Hybridisation of the atoms of all nodes, one node after the other."""
        keys = mix(fragments.astype(np.uint64) + _ODD)
        changing = np.flatnonzero(self._changes[fragments[junctions.node], junctions.site])
        far_node, far_site = junctions.far_node[changing], junctions.far_site[changing]
        sites = mix(junctions.site[changing].astype(np.uint64) + _ODD)
        terms = mix(self._shown[fragments[far_node], far_site] ^ sites)
        np.add.at(keys, junctions.node[changing], terms)
        listed: list[int] = keys.tolist()
        if len(self._hybridisations) > CAPACITY:
            self._hybridisations.clear()
        for node in [i for i, key in enumerate(listed) if key not in self._hybridisations]:
            own = np.flatnonzero(junctions.node == node)
            self._hybridisations[listed[node]] = self._ask(node, fragments, junctions, own)
        return np.concatenate([self._hybridisations[key] for key in listed])

    def _ask(
        self,
        node: int,
        fragments: NDArray[np.int64],
        junctions: _Junctions,
        own: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Hybridisation of a fragment's atoms in the molecule of it and its neighbours."""
        star = FragmentTree(
            fragments=(int(fragments[node]), *fragments[junctions.far_node[own]].tolist()),
            parents=(-1, *[0] * len(own)),
            parent_sites=(-1, *junctions.site[own].tolist()),
            entry_sites=(-1, *junctions.far_site[own].tolist()),
        )
        mol = assemble(star, self.vocabulary)
        n_atoms = int(self._sizes[fragments[node]])
        atoms = (mol.GetAtomWithIdx(i) for i in range(n_atoms))
        return np.array([int(atom.GetHybridization()) for atom in atoms], dtype=np.int64)


def _show(properties: NDArray[np.int64], bonds: BondList) -> NDArray[np.uint64]:
    """What an atom shows its neighbours: itself and the atoms it is joined to by multiple bonds.

    That decides whether it conjugates with them.
    """
    element, degree, hydrogens, charge, _, aromatic = properties.T[:6]
    labels = ((element * 32 + degree + hydrogens) * 64 + charge + 32) * 2 + aromatic
    hashes = mix(labels.astype(np.uint64) + _ODD)
    multiple = bonds.codes % N_BOND_TYPES != 0
    terms = np.where(multiple, bonds.labels(hashes), np.uint64(0))
    return mix(hashes * _ODD + bonds.total(terms))


@dataclass(frozen=True)
class _Junctions:
    """Both directions of J junctions: first all as seen from the parent, then from the child."""

    node: NDArray[np.int64]  # (2 J,)
    site: NDArray[np.int64]
    far_node: NDArray[np.int64]
    far_site: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        tree: NDArray[np.int64],
        place: NDArray[np.int64],
        node: NDArray[np.int64],
        parent: NDArray[np.int64],
        parent_site: NDArray[np.int64],
        entry_site: NDArray[np.int64],
    ) -> _Junctions:
        """Read them from the columns of the states; ``node`` numbers the filled places."""
        joined = parent[tree, place] >= 0
        tree, place = tree[joined], place[joined]
        child, above = node[tree, place], node[tree, parent[tree, place]]
        site, far_site = parent_site[tree, place], entry_site[tree, place]
        return cls(
            node=np.concatenate([above, child]),
            site=np.concatenate([site, far_site]),
            far_node=np.concatenate([child, above]),
            far_site=np.concatenate([far_site, site]),
        )


def _ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers from each start on, one range after the other."""
    numbers = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    numbers += np.arange(len(numbers))
    return numbers
