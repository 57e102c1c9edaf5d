"""Reading PDB files as they are found: one conformer of the first model.

Programs differ in what they write, so nothing is believed that the columns of the format do not
say plainly: a coordinate that is cut or displaced is refused and never read as another one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from molgfn.errors import TargetError
from molgfn.reward.docking.docking_target import Triple
from molgfn.reward.docking.residue_names import (
    AMINO_ACIDS,
    ION_NAMES,
    NUCLEOTIDES,
    WATER,
    is_chain_link,
    is_written_with_four_letters,
)

#: Atoms of different residues that are closer than this are bonded, Å.
LINK_A = 2.1
#: Atoms of different residues are never as close as this, Å: a bond of carbon and nitrogen is 1.3.
_SAME_PLACE_A = 1.0
#: Numbers end where their columns do; one that does not has lost a digit, or the line a letter.
_NUMBER = re.compile(r" *[-+]?(\d+\.?\d*|\.\d+|nan|inf)", re.IGNORECASE)
#: Coordinates about where they should be, and records that may look so.
_COORDINATES = re.compile(r".{26,32}( *-?\d+\.\d{3}){3}\b")
_WITH_NUMBERS = frozenset(
    ("REMARK", "ORIGX", "SCALE", "MTRIX", "SIGATM", "ANISOU", "TVECT", "USER", "TITLE")
)
_DECIMAL_POINTS = (34, 42, 50)
#: An atom that begins each link of a chain but occurs once in it.
_ONCE_IN_A_LINK = frozenset(("N", "CA", "C", "P", "C1'"))
#: Elements of two letters that occur in molecules; ``CA`` or ``HG`` of one are carbon and hydrogen.
_TWO_LETTERS = frozenset(("CL", "BR", "FE", "ZN", "MG", "MN", "CU", "SE", "SI", "CO", "NI", "MO"))


@dataclass(frozen=True, slots=True)
class Atom:
    """An atom of a PDB file.

    Attributes:
        name: Its name in the residue, upper case.
        element: Symbol, such as ``Cl``; found from the name where the file has none.
        columns: Its coordinates as they were written, 24 characters.
        point: The same as numbers, Å.
        alternate: Letter of its alternate location, mostly ``""``.
    """

    name: str
    element: str
    columns: str
    point: Triple
    alternate: str


@dataclass(frozen=True, slots=True)
class Residue:
    """A residue, or a small molecule or ion, which PDB files treat alike.

    Attributes:
        name: Its name, upper case.
        chain: Letter of its chain.
        number: Number with insertion code, as written.
        atoms: Its atoms, one conformer.
    """

    name: str
    chain: str
    number: str
    atoms: tuple[Atom, ...]

    @property
    def label(self) -> str:
        """How messages call it, such as ``SER A5``."""
        return f"{self.name} {self.chain}{self.number}"

    @property
    def atom_names(self) -> frozenset[str]:
        """Names of its atoms."""
        return frozenset(atom.name for atom in self.atoms)

    @property
    def elements(self) -> frozenset[str]:
        """Symbols of its elements other than hydrogen."""
        return frozenset(atom.element for atom in self.atoms) - {"H"}

    @property
    def heavy_points(self) -> NDArray[np.float64]:
        """Coordinates of its atoms other than hydrogen, shape ``(atoms, 3)``, Å."""
        points = [atom.point for atom in self.atoms if atom.element != "H"]
        return np.array(points, dtype=np.float64).reshape(-1, 3)

    @property
    def is_link(self) -> bool:
        """Whether it is a link of a protein or nucleic acid."""
        return is_chain_link(self.name, self.atom_names)


def read_pdb(text: str, source: str) -> tuple[list[Residue], list[str]]:
    """Read the residues of a PDB file.

    Of several models the first counts, and of alternate locations the most complete, else the
    first. Serial numbers do not matter. Residues that are numbered alike stay apart, unless they
    lie in the same place.

    Args:
        text: Content of the file.
        source: Name of the file, for messages.

    Returns:
        Residues in the order of the file, and what was chosen, joined or left out, one line each.

    Raises:
        TargetError: A line has no proper coordinates; the message names it.
    """
    notes: list[str] = []
    residues: list[Residue] = []
    chosen: dict[str, list[str]] = {}
    for group in _grouped(_first_model(text, source, notes)):
        residue, alternate = group.chosen()
        residues.append(residue)
        if alternate:
            chosen.setdefault(alternate, []).append(residue.label)
    notes += [f"chosen: alternate location {a} of {listed(r)}" for a, r in sorted(chosen.items())]
    return _apart(residues, notes), notes


def coordinates(line: str, where: str) -> Triple:
    """Read columns 31 to 54 of a line.

    Raises:
        TargetError: They are not three finite numbers, each in its columns.
    """
    fields = [line[start : start + 8] for start in (30, 38, 46)]
    n_decimals = [len(field.partition(".")[2]) for field in fields]
    # A digit right behind the last one belongs to it where it has fewer decimals than the others.
    is_cut = n_decimals[2] < n_decimals[1] and line[54:55].isdigit()
    if len(line) < 54 or is_cut or not all(map(_NUMBER.fullmatch, fields)):
        raise TargetError(
            f"{where}: no coordinates in columns 31 to 54; is the line cut or displaced?"
        )
    x, y, z = map(float, fields)
    if not all(map(math.isfinite, (x, y, z))):
        raise TargetError(f"{where}: the coordinates {x}, {y}, {z} are not finite")
    return x, y, z


def listed(names: Sequence[str], limit: int = 8) -> str:
    """Names for a message, the first few and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def counted(n: int, what: str) -> str:
    """A number of things for a message."""
    return f"{n} {what}{'' if n == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class _Line:
    """An atom with what tells its residue."""

    atom: Atom
    residue: str
    chain: str
    number: str


class _Group:
    """Lines of one residue, with all its alternate locations."""

    def __init__(self, first: _Line) -> None:
        self.lines = [first]
        self._seen = {(first.atom.name, first.atom.alternate)}

    def takes(self, line: _Line, follows: bool) -> bool:
        """Whether a line of the same chain and number belongs here.

        Args:
            line: The line.
            follows: Whether it comes right after the last one here.
        """
        last, atom = self.lines[-1], line.atom
        if line.residue != last.residue:
            alternates = atom.alternate, last.atom.alternate
            return all(alternates) and alternates[0] != alternates[1]
        is_repeated = (atom.name, atom.alternate) in self._seen
        # Small molecules may name all atoms alike; a link that begins anew is another one.
        is_link = line.residue in AMINO_ACIDS or line.residue in NUCLEOTIDES
        return not is_repeated or (follows and not (is_link and atom.name in _ONCE_IN_A_LINK))

    def add(self, line: _Line) -> None:
        self.lines.append(line)
        self._seen.add((line.atom.name, line.atom.alternate))

    def chosen(self) -> tuple[Residue, str]:
        """One conformer, and its letter if there are any."""
        alternates = sorted({line.atom.alternate for line in self.lines} - {""})
        lines = self.lines
        best = ""
        if alternates:
            conformers = {letter: self._conformer(letter) for letter in alternates}
            best = max(alternates, key=lambda letter: len(conformers[letter]))
            lines = conformers[best]
        first = next((line for line in lines if line.atom.alternate), lines[0])
        atoms = tuple(line.atom for line in lines if line.residue == first.residue)
        return Residue(first.residue, first.chain, first.number, atoms), best

    def _conformer(self, letter: str) -> list[_Line]:
        common = {line.atom.name for line in self.lines if not line.atom.alternate}
        return [
            line
            for line in self.lines
            if not line.atom.alternate
            or (line.atom.alternate == letter and line.atom.name not in common)
        ]


def _grouped(lines: Iterable[_Line]) -> list[_Group]:
    groups: list[_Group] = []
    latest: dict[tuple[str, str], _Group] = {}
    for line in lines:
        key = line.chain, line.number
        group = latest.get(key)
        if group is not None and group.takes(line, follows=group is groups[-1]):
            group.add(line)
        else:
            latest[key] = _Group(line)
            groups.append(latest[key])
    return groups


def _first_model(text: str, source: str, notes: list[str]) -> list[_Line]:
    """Atoms of the first model, and of what follows it without being a model or a copy."""
    kept: list[_Line] = []
    known: set[tuple[str, str, str, str]] = set()
    n_models = 0
    for number, is_model, block in _blocks(text, source):
        keys = {(line.chain, line.number, line.residue, line.atom.name) for line in block}
        if not kept:
            kept, known = block, keys
        elif is_model:
            n_models += 1
        elif known & keys:
            notes.append(
                f"left out: {counted(len(block), 'atom')} after line {number}, a copy of those "
                "before"
            )
        else:
            notes.append(
                f"joined: {counted(len(block), 'atom')} after line {number}, beyond the end"
            )
            kept, known = kept + block, known | keys
    if n_models:
        notes.append(f"left out: {counted(n_models, 'more model')}; the first counts")
    return kept


def _blocks(text: str, source: str) -> Iterable[tuple[int, bool, list[_Line]]]:
    """Atoms between the records that end something: last line before, whether a model, atoms."""
    start, is_model, block = 0, False, list[_Line]()
    lines = text.splitlines()
    has_long_chains = any(map(_has_long_chain, lines))
    for number, line in enumerate(lines, start=1):
        record = _record(line)
        if record in ("ATOM", "HETATM"):
            block.append(_read_line(line, f"{source} line {number}", has_long_chains))
        elif record in ("MODEL", "ENDMDL", "END"):
            if block:
                yield start, is_model, block
            start, is_model, block = number, record == "MODEL", []
        elif record not in _WITH_NUMBERS and _COORDINATES.match(line):
            raise TargetError(
                f"{source} line {number}: coordinates, but neither ATOM nor HETATM before them; "
                "is the line cut or displaced?"
            )
    if block:
        yield start, is_model, block


def _record(line: str) -> str:
    letters = re.match(r"\s*([A-Za-z]*)", line)
    return letters[1].upper() if letters else ""


def _has_long_chain(line: str) -> bool:
    """Whether a chain of two letters takes the column after a residue of three.

    One such line tells of the file: alone, ``HISA`` may also be a histidine as GROMOS calls it.
    """
    residue = line[17:21].strip().upper()
    return (
        len(residue) == 4
        and residue[:3] in AMINO_ACIDS
        and not is_written_with_four_letters(residue)
        and _record(line) in ("ATOM", "HETATM")
    )


def _read_line(line: str, where: str, has_long_chains: bool) -> _Line:
    line = _aligned(line.rstrip())
    point = coordinates(line, where)
    name = line[12:16].strip().upper()
    number = line[22:27].strip()
    if " " in number or " " in name:
        raise TargetError(
            f"{where}: no name in columns 13 to 16 or no residue number in 23 to 27; is the line "
            "displaced?"
        )
    residue, chain = line[17:21].strip().upper(), line[21:22].strip()
    if has_long_chains:
        residue, chain = residue[:3], line[20:22].strip()
    alternate = line[16:17].strip()
    element = _element(line, name, residue)
    if element is None:
        raise TargetError(f"{where}: no element in columns 77 and 78, and none is called {name!r}")
    return _Line(Atom(name, element, line[30:54], point, alternate), residue, chain, number)


def _aligned(line: str) -> str:
    """Undo the displacement of all columns by a serial number of more than five digits."""
    digits = re.match(r"\d{6,}", line[6:])
    if digits is None or _has_points(line):
        return line
    moved = line[:11] + line[6 + digits.end() :]
    return moved if _has_points(moved) else line


def _has_points(line: str) -> bool:
    return len(line) >= 54 and all(line[place] == "." for place in _DECIMAL_POINTS)


def _element(line: str, name: str, residue: str) -> str | None:
    written = line[76:78].strip().capitalize()
    if written in _symbols():
        return "H" if written in ("D", "T") else written
    if residue in WATER:  # models of water have charges without atoms
        return "O" if name[:1] == "O" else "H"
    if name == residue and name in ION_NAMES:
        return ION_NAMES[name]
    letters = name.lstrip("0123456789'\"*")
    if residue == "MSE" and letters == "SE":
        return "Se"
    is_large = residue in AMINO_ACIDS or residue in NUCLEOTIDES
    two = letters[:2].capitalize()
    is_ion = letters.rstrip("0123456789+-") == residue.rstrip("0123456789+-")
    if two in _symbols() and len(two) == 2 and not is_large:
        # The symbol of an element ends in column 14, so that one of two letters begins before.
        begins_early = line[12:13].isalpha() and len(name) < 4
        if is_ion or (begins_early and two.upper() in _TWO_LETTERS):
            return two
    first = letters[:1]
    if first == "D":
        return "H"
    return first if first in _symbols() else None


@cache
def _symbols() -> frozenset[str]:
    table = Chem.GetPeriodicTable()
    return frozenset(table.GetElementSymbol(number) for number in range(1, 119)) | {"D", "T"}


def _apart(residues: list[Residue], notes: list[str]) -> list[Residue]:
    """Drop residues that repeat others in the same place; those elsewhere stay."""
    kept: list[Residue] = []
    by_place: dict[tuple[str, str], list[Residue]] = {}
    copies: list[str] = []
    alike: list[str] = []
    for residue in residues:
        same = by_place.setdefault((residue.chain, residue.number), [])
        if any(_touch(residue, other) for other in same):
            copies.append(residue.label)
            continue
        if any(other.is_link and residue.is_link for other in same):
            alike.append(residue.label)
        same.append(residue)
        kept.append(residue)
    if copies:
        notes.append(f"left out: {listed(copies)}, in the place of another of that number")
    if alike:
        notes.append(f"joined: {listed(alike)}, whose number another residue has")
    return kept


def _touch(first: Residue, second: Residue) -> bool:
    gaps = first.heavy_points[:, None, :] - second.heavy_points[None, :, :]
    return bool((np.linalg.norm(gaps, axis=2) < _SAME_PLACE_A).any())
