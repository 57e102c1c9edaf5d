"""Mining a library of molecules for a vocabulary that rebuilds as many of them as it can."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from rdkit import Chem

from molgfn.chem.molecule import Molecule, Unreadable, read_or_reason
from molgfn.errors import VocabularyError
from molgfn.fragments.cutting import (
    Decomposition,
    Piece,
    check_composition,
    decompose,
    is_sound_pair,
)
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.vocabulary import Vocabulary


@dataclass(frozen=True)
class MiningOptions:
    """What a vocabulary is made of.

    Attributes:
        size: Most fragments to keep.
        min_count: Fragments seen less often are dropped.
        min_pair_count: Junctions of two atom types seen less often are not allowed.
        max_heavy_atoms: Largest fragment, heavy atoms.
        max_fragments: Largest number of fragments per molecule that counts as rebuilt.
    """

    size: int = 250
    min_count: int = 3
    min_pair_count: int = 5
    max_heavy_atoms: int = 18
    max_fragments: int = 9


@dataclass
class LibraryReport:
    """How the rows of a library were read.

    Attributes:
        n_rows: Rows read.
        n_duplicates: Rows whose molecule was there before.
        unreadable: ``(row, reason)`` of every row that is no molecule.
        unsuitable: How many molecules were left out, by reason.
    """

    n_rows: int = 0
    n_duplicates: int = 0
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    unsuitable: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Coverage:
    """How much of a set of molecules a vocabulary can build.

    Attributes:
        n_molecules: Molecules asked about.
        n_rebuilt: Those that are built within the limit on fragments.
        n_too_many: Those that fall into more fragments than the limit.
        n_single: Those that are one fragment, with no bond to cut.
    """

    n_molecules: int
    n_rebuilt: int
    n_too_many: int
    n_single: int

    @property
    def share(self) -> float:
        """Rebuilt share of the molecules, 0 to 1; NaN for no molecules."""
        return self.n_rebuilt / self.n_molecules if self.n_molecules else float("nan")

    def __str__(self) -> str:
        return (
            f"{self.n_rebuilt} of {self.n_molecules} ({self.share:.1%}); "
            f"{self.n_too_many} have too many fragments, {self.n_single} only one"
        )


@dataclass(frozen=True)
class MiningResult:
    """A mined vocabulary with what the library says about it.

    Attributes:
        vocabulary: The fragments, most frequent first, and the allowed pairs.
        pair_counts: How often each allowed pair was seen.
        dropped_pairs: How often each pair was seen that is not allowed.
        library: Coverage of the nine tenths that were mined.
        held_out: Coverage of the tenth that was not.
    """

    vocabulary: Vocabulary
    pair_counts: dict[tuple[str, str], int]
    dropped_pairs: dict[tuple[str, str], int]
    library: Coverage
    held_out: Coverage


def read_library(rows: Iterable[tuple[int, str]], report: LibraryReport) -> list[Molecule]:
    """Read the distinct usable molecules of a library, without stereo.

    Args:
        rows: ``(row number, SMILES)``.
        report: Filled with what was read and what was left out.

    Returns:
        The molecules in the order of their first row.
    """
    molecules: dict[str, Molecule] = {}
    for row, smiles in rows:
        report.n_rows += 1
        molecule = read_or_reason(smiles, keep_stereo=False)
        if isinstance(molecule, Unreadable):
            report.unreadable.append((row, molecule.reason))
            continue
        reason = check_composition(molecule.mol)
        if reason:
            report.unsuitable[reason] += 1
        elif molecule.smiles in molecules:
            report.n_duplicates += 1
        else:
            molecules[molecule.smiles] = molecule
    return list(molecules.values())


def is_held_out(molecule: Molecule) -> bool:
    """Whether a molecule belongs to the tenth that mining does not see.

    The choice depends on the molecule alone, not on its place in the library.
    """
    return hashlib.sha256(molecule.smiles.encode()).digest()[0] * 10 < 256


def mine(
    molecules: Iterable[Molecule],
    name: str,
    options: MiningOptions,
    *,
    excluded: Callable[[Chem.Mol], bool] = lambda _: False,
) -> MiningResult:
    """Mine a vocabulary from nine tenths of a library and try it on the other tenth.

    Fragments, sites, capacities and pairs are those seen; sites are closed under symmetry. Of
    the fragments seen often enough, those are kept that together rebuild the most molecules:
    the fragment that the fewest rebuilt molecules need is dropped, again and again.

    Args:
        molecules: Distinct molecules without stereo, see :func:`read_library`.
        name: Name of the vocabulary.
        options: Size and thresholds.
        excluded: Says which templates must not become fragments.

    Raises:
        VocabularyError: No fragment passes the thresholds.
    """
    seen: list[Decomposition] = []
    unseen: list[Decomposition] = []
    for molecule in molecules:
        (unseen if is_held_out(molecule) else seen).append(decompose(molecule.mol))
    junctions = Counter(pair for cut in seen for pair in cut.junctions)
    pairs = {
        pair: n
        for pair, n in junctions.items()
        if n >= options.min_pair_count and is_sound_pair(*pair)
    }
    candidates = {
        fragment.smiles: fragment
        for fragment in _merge(Counter(piece for cut in seen for piece in cut.pieces)).values()
        if fragment.count >= options.min_count
        and fragment.n_heavy_atoms <= options.max_heavy_atoms
        and not excluded(fragment.mol)
    }
    kept = _select(seen, candidates, pairs, options)
    if not kept:
        raise VocabularyError(
            f"no fragment was seen {options.min_count} times in {len(seen)} molecules with a "
            "partner to bond to; give a larger library or a smaller --min-count"
        )
    types = {kind for fragment in kept for kind in fragment.site_types}
    used = {pair: n for pair, n in pairs.items() if set(pair) <= types}
    vocabulary = Vocabulary(name, tuple(kept), frozenset(used))
    return MiningResult(
        vocabulary,
        used,
        {pair: n for pair, n in junctions.items() if pair not in pairs},
        measure_coverage(seen, vocabulary, options.max_fragments),
        measure_coverage(unseen, vocabulary, options.max_fragments),
    )


def measure_coverage(
    cuts: Sequence[Decomposition], vocabulary: Vocabulary, max_fragments: int
) -> Coverage:
    """Count the molecules that a vocabulary, mined by the same rule, can build by it."""

    @cache
    def fits(piece: Piece) -> bool:
        number = vocabulary.index.get(_template(piece.smiles))
        if number is None:
            return False
        if not piece.cuts:
            return True
        wanted = Fragment.build(piece.smiles, dict(piece.cuts), close=True)
        have = vocabulary.fragments[number].capacities
        return all(have.get(atom, 0) >= n for atom, n in wanted.capacities.items())

    sizes = [len(cut.pieces) for cut in cuts]
    rebuilt = [
        2 <= len(cut.pieces) <= max_fragments
        and all(pair in (vocabulary.pairs or ()) for pair in cut.junctions)
        and all(fits(piece) for piece in cut.pieces)
        for cut in cuts
    ]
    return Coverage(len(cuts), sum(rebuilt), sum(n > max_fragments for n in sizes), sizes.count(1))


def _merge(pieces: Counter[Piece]) -> dict[str, Fragment]:
    """Make one fragment of all pieces with the same template, in canonical numbering."""
    capacities: dict[str, dict[int, int]] = defaultdict(dict)
    counts: Counter[str] = Counter()
    for piece, n in pieces.items():
        counts[piece.smiles] += n
        best = capacities[piece.smiles]
        for atom, capacity in piece.cuts:
            best[atom] = max(best.get(atom, 0), capacity)
    fragments: dict[str, Fragment] = {}
    for smiles in sorted(capacities):
        fragment = Fragment.build(smiles, capacities[smiles], count=counts[smiles], close=True)
        twin = fragments.get(fragment.smiles)
        if twin is not None:
            both = {
                a: max(twin.capacities.get(a, 0), fragment.capacities.get(a, 0))
                for a in {*twin.capacities, *fragment.capacities}
            }
            fragment = Fragment.build(
                fragment.smiles, both, count=twin.count + fragment.count, close=True
            )
        fragments[fragment.smiles] = fragment
    return fragments


def _select(
    seen: Sequence[Decomposition],
    candidates: dict[str, Fragment],
    pairs: dict[tuple[str, str], int],
    options: MiningOptions,
) -> list[Fragment]:
    """Peel off the fragment that the fewest still rebuilt molecules need."""
    needs = [
        {_template(piece.smiles) for piece in cut.pieces}
        for cut in seen
        if 2 <= len(cut.pieces) <= options.max_fragments
        and all(pair in pairs for pair in cut.junctions)
    ]
    needs = [need for need in needs if need <= candidates.keys()]
    users: dict[str, set[int]] = {smiles: set() for smiles in candidates}
    for number, need in enumerate(needs):
        for smiles in need:
            users[smiles].add(number)
    heap = [(len(users[s]), fragment.count, s) for s, fragment in candidates.items()]
    heapq.heapify(heap)
    kept = set(candidates)
    while heap and (len(kept) > options.size or heap[0][0] == 0):
        n, count, smiles = heapq.heappop(heap)
        if n != len(users[smiles]):
            heapq.heappush(heap, (len(users[smiles]), count, smiles))
            continue
        kept.remove(smiles)
        for number in list(users[smiles]):
            for other in needs[number]:
                users[other].discard(number)
    return sorted((candidates[s] for s in kept), key=lambda f: (-f.count, f.smiles))


@cache
def _template(smiles: str) -> str:
    return Fragment.build(smiles, {}).smiles
