"""Many substructure patterns searched in many molecules, nearly all ruled out beforehand.

Matching one pattern costs RDKit some 10 µs, whether it is there or not. A pattern can only match
where every one of its *stars*, an atom with the bonds and atoms around it, fits some atom of the
molecule, and as many atoms as the pattern has copies of that star. Which stars fit an atom follows
from its kind and its neighbours' kinds, so it is worked out once for each such neighbourhood and
remembered. Of 640 patterns some seven are left to be matched in a drug-like molecule.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from molgfn.chem.properties.atom_arrays import KINDS, N_BOND_CODES, AtomArrays

#: Neighbourhoods remembered by a screen; at most 2 kB each.
CAPACITY = 10_000
#: Atoms with more neighbours are taken to fit every star.
_MAX_DEGREE = 4
#: A bond of every code that patterns can ask about: code, SMILES with the bond as its first.
_BOND_EXAMPLES = (
    (0, "CC"),
    (1, "C=C"),
    (2, "C#C"),
    (5, "C1CC1"),
    (6, "C1=CC1"),
    (7, "C1#CCCCCCC1"),
    (8, "c1ccccc1"),
)
#: What an atom's kind does not tell: what it is not part of, sizes of rings, isotopes.
_BEYOND_KIND = re.compile(r"!\$|!?r\d|!?\d+\*")
_LABELLED = re.compile(r"[1-9]\d*\*")
#: Any atom with an isotope label.
_ISOTOPE = Chem.MolFromSmarts("[!0*]")

_Star = tuple[str, tuple[tuple[str, str], ...]]


class PatternScreen:
    """Substructure patterns that are searched together."""

    def __init__(self, patterns: Iterable[tuple[str, str]]) -> None:
        """Prepare the patterns.

        Args:
            patterns: Name and SMARTS of each pattern; explicit hydrogens in a SMARTS are merged
                into their neighbours, because molecules carry theirs implicitly.

        Raises:
            ValueError: A SMARTS cannot be read.
        """
        self.names: list[str] = []
        self._queries: list[Chem.Mol] = []
        self._isotopic: list[bool] = []
        self._labels: dict[str, int] = {}
        self._bonds: dict[str, Chem.Bond] = {}
        self._stars: dict[_Star, int] = {}
        needed: list[Counter[int]] = []
        for name, smarts in patterns:
            query: Chem.Mol | None = Chem.MolFromSmarts(smarts)
            if query is None:
                raise ValueError(f"pattern {name!r}: RDKit cannot read the SMARTS {smarts!r}")
            query = Chem.MergeQueryHs(query)
            self.names.append(name)
            self._queries.append(query)
            self._isotopic.append(
                any(_LABELLED.search(atom.GetSmarts()) for atom in query.GetAtoms())
            )
            needed.append(self._stars_of(query))
        self._stars_needed, self._times_needed = self._sort_demands(needed)
        slots = sorted({slot for _, around in self._stars for slot in around})
        self._slot_bond = np.array([list(self._bonds).index(b) for b, _ in slots], dtype=np.int64)
        self._slot_label = np.array([self._labels[label] for _, label in slots], dtype=np.int64)
        self._layout = self._lay_out({slot: i for i, slot in enumerate(slots)})
        self._bond_fits = self._match_bonds()
        self._kind_fits = np.zeros((0, len(self._labels)), dtype=bool)
        self._row: dict[int, int] = {}
        self._rows = np.zeros((CAPACITY, len(self._stars)), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.names)

    def matches(self, mol: Chem.Mol) -> list[str]:
        """Names of the patterns found in a molecule, in the order of the patterns."""
        return [self.names[i] for i in self.find([mol], AtomArrays.of([mol]))[0]]

    def find(self, mols: Sequence[Chem.Mol], atoms: AtomArrays) -> list[list[int]]:
        """Numbers of the patterns found in each molecule, ascending."""
        possible = self._possible(atoms)
        return [self._match(m, row) for m, row in zip(mols, possible, strict=True)]

    def _possible(self, atoms: AtomArrays) -> list[list[int]]:
        """Numbers of the patterns whose demands each molecule meets."""
        rows = self._find_rows(atoms)
        counts = np.zeros((atoms.n_molecules, len(self._stars) + 1), dtype=np.uint8)
        counts[:, -1] = 1
        for count, start, size in zip(counts, atoms.offsets, atoms.sizes, strict=True):
            # Counted modulo 256, which no molecule comes near and no pattern asks for.
            np.add.reduce(self._rows[rows[start : start + size]], axis=0, out=count[:-1])
        molecules, patterns = np.nonzero(counts[:, self._stars_needed[0]] >= self._times_needed[0])
        for star, times in zip(self._stars_needed[1:], self._times_needed[1:], strict=True):
            met = counts[molecules, star[patterns]] >= times[patterns]
            molecules, patterns = molecules[met], patterns[met]
        found: list[list[int]] = [[] for _ in range(atoms.n_molecules)]
        for molecule, pattern in zip(molecules.tolist(), patterns.tolist(), strict=True):
            found[molecule].append(pattern)
        return found

    def _match(self, mol: Chem.Mol, possible: list[int]) -> list[int]:
        """Numbers of the patterns in a molecule among those that are possible."""
        if any(self._isotopic[i] for i in possible) and not mol.HasSubstructMatch(_ISOTOPE):
            possible = [i for i in possible if not self._isotopic[i]]
        return [i for i in possible if mol.HasSubstructMatch(self._queries[i])]

    # ------------------------------------------------------------------ stars of the patterns

    def _stars_of(self, query: Chem.Mol) -> Counter[int]:
        """Number the stars of a pattern and count them."""
        labels = [atom.GetSmarts() for atom in query.GetAtoms()]
        stars: Counter[int] = Counter()
        for atom, label in zip(query.GetAtoms(), labels, strict=True):
            self._labels.setdefault(label, len(self._labels))
            slots = []
            for bond in atom.GetBonds():
                self._bonds.setdefault(bond.GetSmarts(), bond)
                slots.append((bond.GetSmarts(), labels[bond.GetOtherAtomIdx(atom.GetIdx())]))
            # An atom with many neighbours is left with fewer demands, which rules out less.
            star = (label, tuple(sorted(slots[:_MAX_DEGREE])))
            stars[self._stars.setdefault(star, len(self._stars))] += 1
        return stars

    def _sort_demands(
        self, needed: Sequence[Counter[int]]
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Stars that each pattern (column) needs and how often, the rarest in the first row.

        The star after the last, which every molecule has, fills up the columns.
        """
        rarity = Counter(star for stars in needed for star in stars)
        shape = max((len(stars) for stars in needed), default=1), len(needed)
        stars_needed = np.full(shape, len(self._stars), dtype=np.int64)
        times_needed = np.ones(shape, dtype=np.uint8)
        for pattern, stars in enumerate(needed):
            ordered = sorted(stars, key=lambda star: rarity[star])
            stars_needed[: len(stars), pattern] = ordered
            times_needed[: len(stars), pattern] = [stars[star] for star in ordered]
        return stars_needed, times_needed

    def _lay_out(
        self, slot_number: dict[tuple[str, str], int]
    ) -> list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """Stars by their number of slots: their numbers, centres and slots."""
        layout = []
        for n_slots in range(_MAX_DEGREE + 1):
            stars = [(s, i) for s, i in self._stars.items() if len(s[1]) == n_slots]
            centres = [self._labels[label] for (label, _), _ in stars]
            slots = [[slot_number[slot] for slot in around] for (_, around), _ in stars]
            layout.append(
                (
                    np.array([i for _, i in stars], dtype=np.int64),
                    np.array(centres, dtype=np.int64),
                    np.array(slots, dtype=np.int64).reshape(len(stars), n_slots),
                )
            )
        return layout

    def _match_bonds(self) -> NDArray[np.bool_]:
        """Whether a pattern's bond allows a bond code; what is not known is allowed."""
        fits = np.ones((N_BOND_CODES, len(self._bonds)), dtype=bool)
        for code, smiles in _BOND_EXAMPLES:
            example = Chem.MolFromSmiles(smiles).GetBondWithIdx(0)
            fits[code] = [bond.Match(example) for bond in self._bonds.values()]
        return fits

    # ------------------------------------------------------------------ stars of the molecules

    def _find_rows(self, atoms: AtomArrays) -> NDArray[np.int64]:
        """Row of each atom in the table of the stars that fit it, shape ``(V,)``."""
        keys: list[int] = atoms.neighbourhoods.tolist()
        new = {key: i for i, key in enumerate(keys) if key not in self._row}
        if len(self._row) + len(new) > CAPACITY:
            new = {key: i for i, key in enumerate(keys)}
            self._row = {}
            if len(new) > len(self._rows):
                self._rows = np.zeros((len(new), len(self._stars)), dtype=np.uint8)
        if new:
            start = len(self._row)
            self._row |= zip(new, range(start, start + len(new)), strict=True)
            positions = np.array(list(new.values()), dtype=np.int64)
            rows = np.arange(start, start + len(positions))
            degrees = atoms.bonds.degrees[positions]
            for degree in np.unique(degrees).tolist():
                alike = np.flatnonzero(degrees == degree)
                fits = self._fit_stars(atoms, positions[alike], degree)
                self._rows[rows[alike]] = fits
        return np.fromiter(map(self._row.__getitem__, keys), dtype=np.int64, count=len(keys))

    def _fit_stars(
        self, atoms: AtomArrays, positions: NDArray[np.int64], degree: int
    ) -> NDArray[np.bool_]:
        """Work out which stars fit n atoms of one degree, shape ``(n, len(self._stars))``."""
        stars = np.ones((len(positions), len(self._stars)), dtype=bool)
        if degree > _MAX_DEGREE:
            return stars
        kind_fits, bonds = self._fits_of_kinds(), atoms.bonds
        # Whether neighbour i fits a slot, (degree, n, slots).
        edges = bonds.starts[positions] + np.arange(degree)[:, None]
        fits = self._bond_fits[bonds.codes[edges]][:, :, self._slot_bond]
        fits &= kind_fits[atoms.kinds[bonds.targets[edges]]][:, :, self._slot_label]
        centre = kind_fits[atoms.kinds[positions]]
        for n_slots, (numbers, centres, slots) in enumerate(self._layout):
            around = np.full((len(positions), len(numbers)), n_slots == 0)
            for order in permutations(range(degree), n_slots) if n_slots else ():
                one = fits[order[0]][:, slots[:, 0]]
                for slot, i in enumerate(order[1:], start=1):
                    one &= fits[i][:, slots[:, slot]]
                around |= one
            stars[:, numbers] = around & centre[:, centres]
        return stars

    def _fits_of_kinds(self) -> NDArray[np.bool_]:
        """Whether an atom of a kind may be an atom of the patterns, ``(kinds, labels)``."""
        if len(self._kind_fits) < len(KINDS):
            known = len(self._kind_fits)
            rows = [
                [odd > 0 or _may_be(label, atom) for label in self._labels]
                for atom, odd in zip(KINDS.atoms[known:], KINDS.column("odd")[known:], strict=True)
            ]
            self._kind_fits = np.concatenate([self._kind_fits, np.array(rows, dtype=bool)])
        return self._kind_fits


def _may_be(label: str, atom: Chem.Atom) -> bool:
    """Whether an atom's own properties allow it to match the SMARTS of one atom."""
    body = label[1:-1] if label.startswith("[") else label
    return all(
        any(
            all(_allows(term, atom) for term in _split(choice, "&"))
            for choice in _split(demand, ",")
        )
        for demand in _split(body, ";")
    )


def _allows(term: str, atom: Chem.Atom) -> bool:
    if _BEYOND_KIND.match(term):
        return True
    if term.startswith("$("):
        return _may_be(_first_atom(term[2:-1]), atom)
    return bool(_term_query(term).Match(atom))


@cache
def _term_query(term: str) -> Chem.Atom:
    return Chem.MolFromSmarts(f"[*;{term}]").GetAtomWithIdx(0)


def _first_atom(smarts: str) -> str:
    """SMARTS of the first atom of a pattern."""
    if not smarts.startswith("["):
        return smarts[:2] if smarts[:2] in ("Cl", "Br") else smarts[:1]
    depth = 0
    for end, character in enumerate(smarts, start=1):
        depth += (character == "[") - (character == "]")
        if depth == 0:
            return smarts[:end]
    raise ValueError(f"the SMARTS {smarts!r} has an open bracket")


@cache
def _split(text: str, separator: str) -> tuple[str, ...]:
    """Split at separators that stand outside brackets and parentheses."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return tuple(parts)
