"""Mining a library of molecules for a vocabulary that rebuilds as many of them as it can."""

from __future__ import annotations

import hashlib
import heapq
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from molgfn.chem.molecule import Molecule, Unreadable, read_or_reason
from molgfn.errors import VocabularyError
from molgfn.fragments.cut_library import CutLibrary
from molgfn.fragments.cutting import (
    Decomposition,
    Piece,
    check_composition,
    decompose,
    is_sound_pair,
)
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.vocabulary import Vocabulary

#: Rows without a molecule that are told with their reason.
MAX_REASONS = 10


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
        n_molecules: Distinct usable molecules among them.
        n_duplicates: Rows whose molecule was there before.
        n_unreadable: Rows that are no molecule.
        unreadable: ``(row, reason)`` of the first of them.
        unsuitable: How many molecules were left out, by reason.
    """

    n_rows: int = 0
    n_molecules: int = 0
    n_duplicates: int = 0
    n_unreadable: int = 0
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


def read_library(rows: Iterable[tuple[int, str]], report: LibraryReport) -> Iterator[Molecule]:
    """Read the distinct usable molecules of a library, without stereo, keeping none.

    Args:
        rows: ``(row number, SMILES)``.
        report: Filled with what was read and what was left out.

    Yields:
        The molecules in the order of their first row.
    """
    seen: set[bytes] = set()
    for row, smiles in rows:
        report.n_rows += 1
        molecule = read_or_reason(smiles, keep_stereo=False)
        if isinstance(molecule, Unreadable):
            report.n_unreadable += 1
            if len(report.unreadable) < MAX_REASONS:
                report.unreadable.append((row, molecule.reason))
            continue
        reason = check_composition(molecule.mol)
        if reason:
            report.unsuitable[reason] += 1
            continue
        digest = _digest(molecule)[:16]
        if digest in seen:
            report.n_duplicates += 1
            continue
        seen.add(digest)
        report.n_molecules += 1
        yield molecule


def is_held_out(molecule: Molecule) -> bool:
    """Whether a molecule belongs to the tenth that mining does not see.

    The choice depends on the molecule alone, not on its place in the library.
    """
    return _digest(molecule)[0] * 10 < 256


def _digest(molecule: Molecule) -> bytes:
    return hashlib.sha256(molecule.smiles.encode()).digest()


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
    the fragment that the fewest rebuilt molecules need is dropped, again and again. Templates that
    are too symmetric for a fragment are left out.

    Args:
        molecules: Distinct molecules without stereo, see :func:`read_library`; each is needed once.
        name: Name of the vocabulary.
        options: Size and thresholds.
        excluded: Says which templates must not become fragments.

    Raises:
        VocabularyError: No fragment passes the thresholds.
    """
    seen, unseen = CutLibrary(), CutLibrary()
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
        for fragment in _merge(_frequent(seen, options)).values()
        if not excluded(fragment.mol)
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
    cuts: Iterable[Decomposition], vocabulary: Vocabulary, max_fragments: int
) -> Coverage:
    """Count the molecules that a vocabulary, mined by the same rule, can build by it."""
    largest = max(fragment.n_heavy_atoms for fragment in vocabulary.fragments)

    @cache
    def fits(piece: Piece) -> bool:
        # What is larger than any fragment is none, and large templates are slow to look up.
        number = None if piece.n_heavy_atoms > largest else vocabulary.index.get(_template(piece))
        if number is None:
            return False
        if not piece.cuts:
            return True
        wanted = Fragment.build(piece.smiles, dict(piece.cuts), close=True)
        have = vocabulary.fragments[number].capacities
        return all(have.get(atom, 0) >= n for atom, n in wanted.capacities.items())

    counts: Counter[str] = Counter()
    for cut in cuts:
        counts["all"] += 1
        counts["single"] += len(cut.pieces) == 1
        counts["too many"] += len(cut.pieces) > max_fragments
        counts["rebuilt"] += (
            2 <= len(cut.pieces) <= max_fragments
            and all(pair in (vocabulary.pairs or ()) for pair in cut.junctions)
            and all(fits(piece) for piece in cut.pieces)
        )
    return Coverage(counts["all"], counts["rebuilt"], counts["too many"], counts["single"])


def _frequent(cuts: Iterable[Decomposition], options: MiningOptions) -> Counter[Piece]:
    """Pieces of the templates that are seen often enough and are small enough."""
    pieces = Counter(
        piece
        for cut in cuts
        for piece in cut.pieces
        if piece.n_heavy_atoms <= options.max_heavy_atoms
    )
    seen: Counter[str] = Counter()
    for piece, n in pieces.items():
        seen[_template(piece)] += n
    return Counter(
        {
            piece: n
            for piece, n in pieces.items()
            if (template := _template(piece)) and seen[template] >= options.min_count
        }
    )


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
    seen: Iterable[Decomposition],
    candidates: dict[str, Fragment],
    pairs: dict[tuple[str, str], int],
    options: MiningOptions,
) -> list[Fragment]:
    """Peel off the fragment that the fewest still rebuilt molecules need."""
    names = list(candidates)
    numbers = {smiles: number for number, smiles in enumerate(names)}
    # Of molecule m the fragments are needs[ends[m] : ends[m + 1]], each once.
    needs, ends = array("I"), array("Q", [0])
    for cut in seen:
        if 2 <= len(cut.pieces) <= options.max_fragments and all(p in pairs for p in cut.junctions):
            small = all(piece.n_heavy_atoms <= options.max_heavy_atoms for piece in cut.pieces)
            need = {numbers.get(_template(p), -1) for p in cut.pieces} if small else {-1}
            if -1 not in need:
                needs.extend(need)
                ends.append(len(needs))
    n_users, users = _users(needs, ends, len(names))
    heap = [(n_users[i], candidates[s].count, s) for i, s in enumerate(names)]
    heapq.heapify(heap)
    kept = set(candidates)
    is_lost = bytearray(len(ends) - 1)
    while heap and (len(kept) > options.size or heap[0][0] == 0):
        n, count, smiles = heapq.heappop(heap)
        number = numbers[smiles]
        if n != n_users[number]:
            heapq.heappush(heap, (n_users[number], count, smiles))
            continue
        kept.remove(smiles)
        for molecule in users[number].tolist():
            if not is_lost[molecule]:
                is_lost[molecule] = True
                for other in needs[ends[molecule] : ends[molecule + 1]]:
                    n_users[other] -= 1
    return sorted((candidates[s] for s in kept), key=lambda f: (-f.count, f.smiles))


def _users(
    needs: array[int], ends: array[int], n: int
) -> tuple[list[int], list[NDArray[np.int64]]]:
    """For each of n fragments how many molecules need it, and which."""
    fragment = np.asarray(needs, dtype=np.int64)
    n_needed = np.asarray(ends[1:], dtype=np.int64) - np.asarray(ends[:-1], dtype=np.int64)
    molecule = np.repeat(np.arange(len(n_needed)), n_needed)
    n_users = np.bincount(fragment, minlength=n)
    by_fragment = molecule[np.argsort(fragment, kind="stable")]
    return n_users.tolist(), np.split(by_fragment, np.cumsum(n_users)[:-1])


def _template(piece: Piece) -> str:
    """Canonical SMILES of a piece with hydrogens in its place; empty where it is no fragment."""
    return _canonical(piece.smiles)


@lru_cache(1_000_000)
def _canonical(smiles: str) -> str:
    try:
        return Fragment.build(smiles, {}).smiles
    except VocabularyError:  # more automorphisms than a fragment may have
        return ""
