"""Taking a molecule apart into the fragment trees that make it."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass

from rdkit import Chem

from molgfn.errors import MoleculeError
from molgfn.fragments.symmetry import TreeSymmetry
from molgfn.fragments.tree import FragmentTree
from molgfn.fragments.vocabulary import Vocabulary

#: Ways to cover a part of a molecule that are looked at before the parser gives up.
MAX_COVERS = 200_000

_MAX_MATCHES = 100_000


@dataclass(frozen=True, slots=True)
class _Placement:
    """A template laid on a molecule.

    Attributes:
        fragment: Fragment number.
        atoms: The atoms of the molecule it covers.
        cuts: Bonds to be cut, ``(own atom, atom beyond)``.
        sites: Site number of every own atom with a cut bond.
    """

    fragment: int
    atoms: frozenset[int]
    cuts: tuple[tuple[int, int], ...]
    sites: Mapping[int, int]


_Cover = tuple[_Placement, ...]


class Parser:
    """Parser for one vocabulary; keep it when many molecules are parsed.

    A tree of the molecule is a set of templates that covers every atom once, with acyclic single
    bonds in between. What lies behind a cut bond is covered independently of the rest, so covers
    are combined from the ends of the molecule inwards.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._symmetry = TreeSymmetry(vocabulary)
        self._elements = [_elements(fragment.mol) for fragment in vocabulary.fragments]
        self._sites = [
            {atom: site for site, atom in enumerate(fragment.site_atoms)}
            for fragment in vocabulary.fragments
        ]
        self._atoms = [
            [(a.GetFormalCharge(), a.GetTotalNumHs(), a.GetDegree()) for a in f.mol.GetAtoms()]
            for f in vocabulary.fragments
        ]

    def trees(self, mol: Chem.Mol, max_fragments: int = 9) -> list[FragmentTree]:
        """Find every tree that assembles to a molecule.

        A tree counts when its sites have the capacity, its pairs are allowed and, where
        fragments restrict their entries, there is a first fragment from which all the others
        attach by an entry.

        Args:
            mol: Sanitised molecule; stereo is ignored.
            max_fragments: Trees with more fragments are left out.

        Returns:
            One tree per state, sorted by canonical key; empty when there is none.

        Raises:
            MoleculeError: The molecule can be cut in more than ``MAX_COVERS`` ways.
        """
        if mol.GetNumAtoms() == 0 or len(Chem.GetMolFrags(mol)) > 1:
            return []
        by_key: dict[str, FragmentTree] = {}
        for cover in self._covers(mol, max_fragments):
            tree = self._tree(cover)
            if tree is not None:
                by_key.setdefault(self._symmetry.key_and_order(tree)[0], tree)
        return [by_key[key] for key in sorted(by_key)]

    def _covers(self, mol: Chem.Mol, max_fragments: int) -> list[_Cover]:
        """Combine placements to covers; the placement nearest to atom 0 comes first in each."""
        depth, above = _breadth_first(mol)
        tops: dict[int, list[_Placement]] = defaultdict(list)
        for placement in self._placements(mol):
            # Unique: a placement hangs on the part nearer to atom 0 by one acyclic bond.
            tops[min(placement.atoms, key=depth.__getitem__)].append(placement)
        covers: dict[int, list[_Cover]] = {}
        for top in sorted(tops, key=depth.__getitem__, reverse=True):
            found: list[_Cover] = []
            for placement in tops[top]:
                partial: list[_Cover] = [(placement,)]
                for own, beyond in placement.cuts:
                    if above[own] == beyond:
                        continue
                    branches = covers.get(beyond, [])
                    _check_work(len(found) + len(partial) * len(branches), mol)
                    partial = [
                        (*cover, *branch)
                        for branch in branches
                        if self._allows(placement, own, branch[0], beyond)
                        for cover in partial
                        if len(cover) + len(branch) <= max_fragments
                    ]
                found.extend(partial)
            covers[top] = found
        return covers.get(0, [])

    def _placements(self, mol: Chem.Mol) -> list[_Placement]:
        elements = _elements(mol)
        placements = []
        for number, fragment in enumerate(self._vocabulary.fragments):
            if not self._elements[number] <= elements:
                continue
            seen: set[frozenset[int]] = set()
            # All matches, not one per set of atoms: which of them fits the hydrogens ([nH]) is
            # only known afterwards. Those that fit differ by an automorphism of the template.
            for match in mol.GetSubstructMatches(
                fragment.mol, uniquify=False, maxMatches=_MAX_MATCHES
            ):
                atoms = frozenset(match)
                if atoms not in seen:
                    placement = self._place(mol, number, match, atoms)
                    if placement is not None:
                        seen.add(atoms)
                        placements.append(placement)
        return placements

    def _place(
        self, mol: Chem.Mol, number: int, match: tuple[int, ...], atoms: frozenset[int]
    ) -> _Placement | None:
        """Check a match atom by atom; the search itself looks at elements and bonds only."""
        capacities = self._vocabulary.fragments[number].capacities
        cuts: list[tuple[int, int]] = []
        sites: dict[int, int] = {}
        for index, place in enumerate(match):
            atom = mol.GetAtomWithIdx(place)
            charge, n_hydrogens, degree = self._atoms[number][index]
            n_cuts = atom.GetDegree() - degree
            if (
                atom.GetFormalCharge() != charge
                or atom.GetTotalNumHs() + n_cuts != n_hydrogens
                or n_cuts > capacities.get(index, 0)
                or atom.GetIsotope()
            ):
                return None
            if n_cuts:
                outside = [b for b in atom.GetBonds() if b.GetOtherAtomIdx(place) not in atoms]
                if len(outside) != n_cuts or not all(map(_is_cuttable, outside)):
                    return None
                cuts.extend((place, bond.GetOtherAtomIdx(place)) for bond in outside)
                sites[place] = self._sites[number][index]
        return _Placement(number, atoms, tuple(cuts), sites)

    def _allows(self, first: _Placement, atom: int, second: _Placement, other: int) -> bool:
        fragments = self._vocabulary.fragments
        return self._vocabulary.allows(
            fragments[first.fragment].site_types[first.sites[atom]],
            fragments[second.fragment].site_types[second.sites[other]],
        )

    def _tree(self, cover: _Cover) -> FragmentTree | None:
        """Number the nodes of a cover from a root that lets all others in by an entry."""
        owner = {atom: node for node, part in enumerate(cover) for atom in part.atoms}
        near: list[list[tuple[int, int, int]]] = [
            [
                (part.sites[own], owner[beyond], cover[owner[beyond]].sites[beyond])
                for own, beyond in part.cuts
            ]
            for part in cover
        ]
        return next(
            (tree for root in range(len(cover)) if (tree := self._rooted(cover, near, root))), None
        )

    def _rooted(
        self, cover: _Cover, near: list[list[tuple[int, int, int]]], root: int
    ) -> FragmentTree | None:
        rows = [(root, -1, -1, -1)]
        origin = {root: -1}
        for number, (node, *_) in enumerate(rows):
            for site, other, entry in near[node]:
                if other == origin[node]:
                    continue
                fragment = self._vocabulary.fragments[cover[other].fragment]
                if fragment.site_atoms[entry] not in fragment.entries:
                    return None
                origin[other] = node
                rows.append((other, number, site, entry))
        return FragmentTree(
            tuple(cover[node].fragment for node, *_ in rows),
            tuple(row[1] for row in rows),
            tuple(row[2] for row in rows),
            tuple(row[3] for row in rows),
        )


def _check_work(n_covers: int, mol: Chem.Mol) -> None:
    if n_covers > MAX_COVERS:
        raise MoleculeError(
            f"{Chem.MolToSmiles(mol)} can be cut in too many ways, more than {MAX_COVERS}; "
            "use a vocabulary that decodes uniquely, or a smaller molecule"
        )


def _is_cuttable(bond: Chem.Bond) -> bool:
    return bond.GetBondType() == Chem.BondType.SINGLE and not bond.IsInRing()


def _elements(mol: Chem.Mol) -> Counter[tuple[int, bool]]:
    return Counter((atom.GetAtomicNum(), atom.GetIsAromatic()) for atom in mol.GetAtoms())


def _breadth_first(mol: Chem.Mol) -> tuple[dict[int, int], dict[int, int]]:
    """Depth of every atom below atom 0, and its neighbour on the way there."""
    depth, above = {0: 0}, {0: -1}
    queue = deque([0])
    while queue:
        atom = queue.popleft()
        for neighbour in mol.GetAtomWithIdx(atom).GetNeighbors():
            index = neighbour.GetIdx()
            if index not in depth:
                depth[index], above[index] = depth[atom] + 1, atom
                queue.append(index)
    return depth, above
