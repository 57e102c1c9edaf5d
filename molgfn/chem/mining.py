"""Cutting a library of molecules into a vocabulary.

One rule: cut every acyclic single bond that touches a ring atom. The pieces are ring systems and
acyclic groups; in every molecule built from them each junction touches a ring atom and no other
acyclic single bond does, so the molecule falls apart in one way only and has exactly one tree.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from rdkit import Chem

from molgfn.chem.fragment import Fragment, is_ring_type, junction_type
from molgfn.chem.molecule import Molecule, read_mol, read_molecule
from molgfn.chem.vocabulary import Vocabulary
from molgfn.errors import MoleculeError, VocabularyError

#: Elements of the fragments; anything rarer is no alphabet for drug-like molecules.
ELEMENTS = frozenset({"C", "N", "O", "F", "P", "S", "Cl", "Br", "I"})


@dataclass(frozen=True)
class MiningOptions:
    """What a vocabulary is made of.

    Attributes:
        size: Most fragments to keep.
        min_count: A fragment is kept when it was seen at least so often.
        min_pair_count: A junction of two atom types is allowed when seen at least so often.
        max_heavy_atoms: Largest fragment, heavy atoms.
        max_fragments: Largest number of fragments per molecule that counts as rebuilt.
    """

    size: int = 250
    min_count: int = 3
    min_pair_count: int = 5
    max_heavy_atoms: int = 18
    max_fragments: int = 9


@dataclass(frozen=True)
class Piece:
    """A part of a molecule between cuts.

    Attributes:
        smiles: SMILES of the piece, hydrogens in place of the cut bonds.
        cuts: ``(atom of smiles, number of cut bonds)``, ascending.
    """

    smiles: str
    cuts: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Decomposition:
    """A molecule cut by the rule.

    Attributes:
        pieces: The parts.
        junctions: For every cut the sorted junction types of its two atoms.
    """

    pieces: tuple[Piece, ...]
    junctions: tuple[tuple[str, str], ...]


@dataclass
class LibraryReport:
    """What became of the rows of a library.

    Attributes:
        n_rows: Rows read.
        n_duplicates: Rows whose molecule was there before.
        rejected: ``(line number, reason)`` of every row that gave no molecule.
    """

    n_rows: int = 0
    n_duplicates: int = 0
    rejected: list[tuple[int, str]] = field(default_factory=list)


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


def is_rule_bond(bond: Chem.Bond) -> bool:
    """Tell whether the rule cuts a bond.

    A bond between two charged atoms (N-oxide) is left alone: it is one charge-separated double
    bond, and its halves are no neutral molecules.

    Args:
        bond: Bond of a sanitised molecule.

    Returns:
        True for an acyclic single bond that touches a ring atom.
    """
    first, second = bond.GetBeginAtom(), bond.GetEndAtom()
    return bool(
        bond.GetBondType() == Chem.BondType.SINGLE
        and not bond.IsInRing()
        and (first.IsInRing() or second.IsInRing())
        and not (first.GetFormalCharge() and second.GetFormalCharge())
    )


def is_sound_pair(first: str, second: str) -> bool:
    """Tell whether a junction of two types makes a bond that lasts in a drug.

    Two hetero atoms are bonded only as sulfonamides and as phosphorus amides and esters: N-N,
    N-O, O-O, S-S and N-halogen bonds are seen in libraries, but mark reactive or unstable
    molecules far more often than good ones. Acyl and sulfonyl groups on an aromatic nitrogen
    come off again; chlorine, bromine and iodine on saturated carbon alkylate, so they go on
    flat ring carbon only.

    Args:
        first: Junction type of one atom.
        second: Junction type of the other.

    Returns:
        True when the pair may become part of a mined vocabulary.
    """
    kinds = {first, second}
    elements = sorted(_element(kind) for kind in (first, second))
    if not any(is_ring_type(kind) for kind in kinds):
        return False
    if kinds & {"Cl", "Br", "I"}:
        return bool(kinds & {"c", "C@="})
    if "n" in kinds and kinds & {"C=", "C@=", "S=", "S@="}:
        return False
    if "C" in elements:
        return True
    multiple = any(kind.endswith("=") and _element(kind) in "SP" for kind in kinds)
    partners = {("N", "S"), ("N", "P"), ("O", "P")}
    return multiple and tuple(elements) in partners


def check_composition(mol: Chem.Mol) -> str:
    """Say why a molecule cannot be mined.

    Args:
        mol: A standardised molecule.

    Returns:
        The reason; empty for a neutral molecule of common elements.
    """
    symbols = {atom.GetSymbol() for atom in mol.GetAtoms()}
    if symbols - ELEMENTS:
        return f"element {min(symbols - ELEMENTS)}"
    if Chem.GetFormalCharge(mol):
        return "net charge"
    if any(atom.GetIsotope() for atom in mol.GetAtoms()):
        return "isotope label"
    if any(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()):
        return "radical"
    return ""


def read_library(
    rows: Iterable[tuple[int, str]], report: LibraryReport
) -> list[Molecule]:
    """Read the distinct usable molecules of a library, without stereo.

    Args:
        rows: ``(line number, SMILES)``.
        report: Filled with what was read and what was left out.

    Returns:
        The molecules in the order of their first row.
    """
    molecules: dict[str, Molecule] = {}
    for line, smiles in rows:
        report.n_rows += 1
        try:
            molecule = read_molecule(smiles, keep_stereo=False)
        except MoleculeError as error:
            report.rejected.append((line, str(error)))
            continue
        reason = check_composition(molecule.mol)
        if reason:
            report.rejected.append((line, reason))
        elif molecule.smiles in molecules:
            report.n_duplicates += 1
        else:
            molecules[molecule.smiles] = molecule
    return list(molecules.values())


def is_held_out(molecule: Molecule) -> bool:
    """Tell whether a molecule belongs to the tenth that mining does not see.

    Args:
        molecule: The molecule.

    Returns:
        A choice that depends on the molecule alone, not on its place in the library.
    """
    return hashlib.sha256(molecule.smiles.encode()).digest()[0] * 10 < 256


def decompose(mol: Chem.Mol) -> Decomposition:
    """Cut a molecule by the rule.

    Args:
        mol: Sanitised molecule without stereo.

    Returns:
        Its pieces and junctions.

    Raises:
        MoleculeError: A piece is no molecule that RDKit reads back.
    """
    cuts = [bond for bond in mol.GetBonds() if is_rule_bond(bond)]
    ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in cuts]
    n_cuts = Counter(atom for pair in ends for atom in pair)
    parts = Chem.RWMol(mol)
    for first, second in ends:
        parts.RemoveBond(first, second)
    for index, n in n_cuts.items():
        atom = parts.GetAtomWithIdx(index)
        # All hydrogens explicit: [nH] and S(=O)(=O)H2 would not come back by valence rules.
        atom.SetNumExplicitHs(mol.GetAtomWithIdx(index).GetTotalNumHs() + n)
        atom.SetNoImplicit(True)
    members: list[tuple[int, ...]] = []
    pieces: list[Piece] = []
    place: dict[int, tuple[int, int]] = {}
    for number, piece in enumerate(
        Chem.GetMolFrags(parts, asMols=True, sanitizeFrags=False, fragsMolAtomMapping=members)
    ):
        piece.UpdatePropertyCache(strict=False)
        smiles = Chem.MolToSmiles(piece)
        order = list(piece.GetPropsAsDict(True, True)["_smilesAtomOutputOrder"])
        position = {members[number][old]: new for new, old in enumerate(order)}
        place |= {atom: (number, new) for atom, new in position.items()}
        cut_here = sorted((position[a], n_cuts[a]) for a in members[number] if a in n_cuts)
        pieces.append(Piece(smiles, tuple(cut_here)))
    junctions = []
    for pair in ends:
        where = [place[atom] for atom in pair]
        first, second = sorted(_site_types(pieces[n].smiles)[a] for n, a in where)
        junctions.append((first, second))
    return Decomposition(tuple(pieces), tuple(junctions))


def mine(
    molecules: Sequence[Molecule],
    name: str,
    options: MiningOptions,
    *,
    excluded: Callable[[Chem.Mol], bool] = lambda _: False,
    progress: Callable[[int], None] = lambda _: None,
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
        progress: Told the number of molecules cut so far.

    Returns:
        The vocabulary and its coverage.

    Raises:
        VocabularyError: No fragment passes the thresholds.
    """
    seen: list[Decomposition] = []
    unseen: list[Decomposition] = []
    for number, molecule in enumerate(molecules, 1):
        (unseen if is_held_out(molecule) else seen).append(decompose(molecule.mol))
        progress(number)
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


def measure_coverage(
    cuts: Sequence[Decomposition], vocabulary: Vocabulary, max_fragments: int
) -> Coverage:
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
    return Coverage(
        len(cuts), sum(rebuilt), sum(n > max_fragments for n in sizes), sizes.count(1)
    )


@cache
def _site_types(smiles: str) -> tuple[str, ...]:
    return tuple(junction_type(atom) for atom in read_mol(smiles).GetAtoms())


@cache
def _template(smiles: str) -> str:
    return Fragment.build(smiles, {}).smiles


def _element(kind: str) -> str:
    return kind.rstrip("@=+-").capitalize()
