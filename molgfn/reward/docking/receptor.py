"""Receptors from PDB files: what is kept, hydrogens and atom types, by meeko."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain as chained
from itertools import product
from string import ascii_letters, ascii_uppercase, digits
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import rdBase

from molgfn.chem.molecule import quiet_rdkit
from molgfn.errors import TargetError
from molgfn.reward.docking.docking_target import Triple
from molgfn.reward.docking.packages import MEEKO_FAULTS, require_engine
from molgfn.reward.docking.pdb import LINK_A, Atom, Residue, counted, listed, read_pdb
from molgfn.reward.docking.pdbqt import HALIDES, METALS, atom_line
from molgfn.reward.docking.residue_names import WATER, meaning

#: A residue that cannot be prepared is left out where it is farther than this from the box, Å:
#: vina's energy ends at 8 Å.
MARGIN_A = 8.0
#: An atom this close to one of the ligand is that atom, Å.
_SAME_ATOM_A = 0.5
_CURE = "repair them, or give a receptor as PDBQT"
#: Histidines by their hydrogens, at the ends of a chain too.
_MORE_TEMPLATES = {name: [name, f"N{name}", f"C{name}"] for name in ("HID", "HIE", "HIP")}
#: Types of the atoms that are kept without meeko: metals, halides, clusters, haem and its like.
_TYPES = {
    **{element: element for element in (*METALS, *HALIDES, "C", "N", "P", "Se")},
    "O": "OA",
    "S": "SA",
    "H": "HD",
}
#: Farther hydrogens are not bonded to an atom, Å.
_HYDROGEN_A = 1.2


@dataclass
class _Sorted:
    """Residues by what is done with them."""

    links: list[Residue] = field(default_factory=list)
    metals: list[Residue] = field(default_factory=list)
    unknown_links: list[Residue] = field(default_factory=list)
    others: list[Residue] = field(default_factory=list)


def prepare_pdb(
    text: str,
    source: str,
    center: Triple,
    size: Triple,
    ligand: NDArray[np.float64] | None = None,
) -> tuple[str, list[str]]:
    """Make a rigid PDBQT receptor from a PDB file: hydrogens, charges, atom types.

    Water is left out; of other hetero atoms metals and halides stay that vina has a type for, and
    what meeko has a template for. Of alternate locations and models the first counts.

    Args:
        text: Content of the file.
        source: Name of the file, for messages.
        center: Middle of the box, Å.
        size: Sides of the box, Å.
        ligand: Heavy atoms of the bound ligand, shape ``(atoms, 3)``, Å; what lies where they
            are is left out.

    Returns:
        The receptor, and what was chosen, joined, renamed or left out, one line each.

    Raises:
        MissingPackageError: meeko is not installed.
        TargetError: The file cannot be read, or a residue near the box cannot be prepared; the
            message names it.
    """
    require_engine()
    from meeko import PDBQTWriterLegacy

    rdBase.LogToCppStreams()  # meeko has redirected RDKit's messages
    quiet_rdkit()
    logging.getLogger("meeko").setLevel(logging.CRITICAL)  # what matters becomes an error or a note

    templates = _templates()
    residues, notes = read_pdb(text, source)
    residues = _without_ligand(residues, ligand, notes)
    kinds = _sorted({*templates.residue_templates, *templates.ambiguous}, residues, notes)
    _set_free(kinds)
    if not kinds.links:
        raise TargetError(f"{source} holds no protein or nucleic acid; expected a PDB receptor")
    near, far = _by_distance(kinds.unknown_links, center, size)
    if near:
        raise TargetError(
            f"{source}: meeko has no template for {listed(near)} in the chain, in or near the box; "
            "rename such residues to what they derive from, or give a receptor as PDBQT"
        )
    if far:
        notes.append(f"left out: {listed(far)}, unknown and more than {MARGIN_A:g} Å from the box")
    polymer, unmatched = _prepared(kinds.links, templates, source, notes)
    near, far = _by_distance(unmatched, center, size)
    if near:
        raise TargetError(
            f"{source}: meeko cannot prepare {listed(near)} in or near the box: atoms are "
            f"missing or displaced, or it is no standard residue; {_CURE}"
        )
    if far:
        notes.append(
            f"left out: {listed(far)}, incomplete and more than {MARGIN_A:g} Å from the box"
        )
    notes += _notes_on_others(kinds.others, center, size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            rigid, _ = PDBQTWriterLegacy.write_string_from_polymer(polymer)
        except MEEKO_FAULTS as error:
            raise TargetError(
                f"{source}: meeko cannot write what it prepared; give a receptor as PDBQT"
            ) from error
    return _with_metals(str(rigid), kinds.metals), notes


@cache
def _templates() -> Any:
    from meeko import ResidueChemTemplates

    templates = ResidueChemTemplates.create_from_defaults()
    templates.ambiguous.update(_MORE_TEMPLATES)
    return templates


def box_distance(points: NDArray[np.float64], center: Triple, size: Triple) -> NDArray[np.float64]:
    """Distance of points from a box.

    Args:
        points: Shape ``(n, 3)``, Å.
        center: Middle of the box, Å.
        size: Sides of the box, Å.

    Returns:
        Shape ``(n,)``, Å, 0 inside.
    """
    beyond = np.abs(points - np.array(center)) - np.array(size) / 2
    return np.asarray(np.linalg.norm(np.maximum(beyond, 0.0), axis=1))


def _without_ligand(
    residues: list[Residue], ligand: NDArray[np.float64] | None, notes: list[str]
) -> list[Residue]:
    """Take the ligand out of the receptor, where a whole complex was given for it."""
    if ligand is None:
        return residues
    rest: list[Residue] = []
    same: list[Residue] = []
    for residue in residues:
        gaps = residue.heavy_points[:, None, :] - ligand[None, :, :]
        is_same = (np.linalg.norm(gaps, axis=2) < _SAME_ATOM_A).any(axis=1)
        (same if len(is_same) and is_same.all() else rest).append(residue)
    if not any(residue.is_link for residue in rest):
        notes.append("kept: all that the ligand covers; nothing else would be a receptor")
        return residues
    if same:
        notes.append(f"left out: {listed([r.label for r in same])}, the ligand itself")
    return rest


def _sorted(known: set[str], residues: Sequence[Residue], notes: list[str]) -> _Sorted:
    kinds = _Sorted()
    n_waters = 0
    read_as: dict[str, list[str]] = {}
    for residue in residues:
        if residue.name in WATER:
            n_waters += sum(atom.element == "O" for atom in residue.atoms)
            continue
        name = meaning(residue.name, residue.atom_names)
        if _is_of_metals(residue):
            kinds.metals.append(residue)
        # RU is ruthenium as well as uridine.
        elif name in known and ("C" in residue.elements or residue.is_link):
            if name != residue.name:
                read_as.setdefault(name, []).append(residue.label)
            kinds.links.append(residue)
        elif residue.is_link:
            kinds.unknown_links.append(residue)
        else:
            kinds.others.append(residue)
    notes += [f"read as {name}: {listed(labels)}" for name, labels in sorted(read_as.items())]
    complexes = [residue.label for residue in kinds.metals if "C" in residue.elements]
    if complexes:
        notes.append(f"kept: {listed(complexes)}, with no hydrogens but those of the file")
    if n_waters:
        notes.append(f"left out: {counted(n_waters, 'water')}")
    return kinds


def _set_free(kinds: _Sorted) -> None:
    """Count unknown residues that look like links of a chain and hang on none as ligands."""
    for residue in list(kinds.unknown_links):
        others = [r for r in (*kinds.links, *kinds.unknown_links) if r is not residue]
        points = np.concatenate([np.empty((0, 3)), *(other.heavy_points for other in others)])
        gaps = np.linalg.norm(points[:, None, :] - residue.heavy_points[None, :, :], axis=2)
        if gaps.min(initial=np.inf) > LINK_A:
            kinds.unknown_links.remove(residue)
            kinds.others.append(residue)


def _is_of_metals(residue: Residue) -> bool:
    """Whether it is a halide or holds a metal, as ions, clusters and haem do, and all has types."""
    elements = residue.elements
    if len(residue.atoms) == 1 and elements <= set(HALIDES):
        return bool(elements)
    return bool(elements & set(METALS)) and elements <= set(_TYPES)


def _notes_on_others(others: Sequence[Residue], center: Triple, size: Triple) -> list[str]:
    notes = []
    strange = [residue for residue in others if not residue.elements <= set(_TYPES)]
    if strange:
        elements = sorted({e for r in strange for e in r.elements if e not in _TYPES})
        notes.append(
            f"left out: {listed([r.label for r in strange])}; vina has no atom type for "
            f"{', '.join(elements)}"
        )
    near, far = _by_distance([r for r in others if r not in strange], center, size)
    if near:
        notes.append(
            f"left out: {listed(near)}, no part of the protein, in or near the box; to keep a "
            "cofactor, give a receptor as PDBQT"
        )
    if far:
        notes.append(f"left out: {listed(far)}, no part of the protein")
    return notes


def _prepared(
    residues: list[Residue], templates: Any, source: str, notes: list[str]
) -> tuple[Any, list[Residue]]:
    """What meeko makes of residues, and those it cannot prepare."""
    broken: list[Residue] = []
    try:
        polymer, unmatched = _match(residues, templates)
    except MEEKO_FAULTS as error:
        broken = [residue for residue in residues if not _can_be_read(residue, templates)]
        sound = [residue for residue in residues if residue not in broken]
        try:
            polymer, unmatched = _match(sound, templates)
        except MEEKO_FAULTS:
            raise TargetError(
                f"{source}: meeko cannot prepare it: residues overlap or are bonded as none are; "
                f"{_CURE}"
            ) from error
        residues = sound
    if unmatched and any(atom.element == "H" for residue in residues for atom in residue.atoms):
        try:
            again, still_unmatched = _match([_bare(residue) for residue in residues], templates)
        except MEEKO_FAULTS:
            return polymer, unmatched + broken
        if len(still_unmatched) < len(unmatched):
            notes.append(
                "left out: its hydrogens, which do not fit the residues; new ones were placed"
            )
            polymer, unmatched = again, still_unmatched
    return polymer, unmatched + broken


def _can_be_read(residue: Residue, templates: Any) -> bool:
    try:
        _match([residue], templates)
    except MEEKO_FAULTS:
        return False
    return True


def _match(residues: Sequence[Residue], templates: Any) -> tuple[Any, list[Residue]]:
    """Fit templates to residues: what meeko makes of them, and those it cannot fit."""
    from meeko import Polymer

    by_key = dict(zip(_keys(residues), residues, strict=True))
    lines = chained.from_iterable(_lines(key, residue) for key, residue in by_key.items())
    with warnings.catch_warnings(), rdBase.BlockLogs():
        warnings.simplefilter("ignore")
        polymer = Polymer.from_pdb_string(
            "\n".join([*lines, "END", ""]), chem_templates=templates, allow_bad_res=True
        )
    ignored = polymer.get_ignored_monomers()
    return polymer, [r for (c, n), r in by_key.items() if f"{c}:{n.replace(' ', '')}" in ignored]


def _keys(residues: Sequence[Residue]) -> Iterator[tuple[str, str]]:
    """A chain and a number in five columns for each residue, its own where no other has it."""
    taken: set[tuple[str, str]] = set()
    for residue in residues:
        key = next(key for key in _candidates(residue) if key not in taken)
        taken.add(key)
        yield key


def _candidates(residue: Residue) -> Iterator[tuple[str, str]]:
    number, code = residue.number, ""
    if number[-1:].isalpha():
        number, code = number[:-1], number[-1]
    is_plain = number.removeprefix("-").isdecimal() and len(number) <= 4
    if is_plain and len(residue.chain) < 2:
        yield residue.chain, f"{number:>4}{code or ' '}"
        yield from ((residue.chain, f"{number:>4}{letter}") for letter in ascii_uppercase)
    for chain, count, letter in product(ascii_letters + digits, range(10_000), ascii_uppercase):
        yield chain, f"{count:4d}{letter}"


def _lines(key: tuple[str, str], residue: Residue) -> Iterator[str]:
    chain, number = key
    called = meaning(residue.name, residue.atom_names)
    for atom in residue.atoms:
        name = atom.name[:4]
        # The residues that stand for others have selenium where those have sulfur.
        element = "S" if atom.element == "Se" and called != residue.name else atom.element
        yield (
            f"ATOM      1 {name:<4} {called:>3} {chain:1}{number}   {atom.columns}"
            f"  1.00  0.00          {element.upper():>2}"
        )


def _bare(residue: Residue) -> Residue:
    heavy = tuple(atom for atom in residue.atoms if atom.element != "H")
    return Residue(residue.name, residue.chain, residue.number, heavy)


def _with_metals(rigid: str, metals: Sequence[Residue]) -> str:
    """Add metals and halides, which meeko cannot type in all cases."""
    lines = rigid.splitlines(keepends=True)
    for serial in range(100_000, len(lines) + 1):  # a sixth digit would displace the columns
        lines[serial - 1] = f"ATOM  {serial % 100_000:5d}{lines[serial - 1][12:]}"
    for residue in metals:
        chain, number = next(_candidates(residue))
        is_ion = len(residue.elements) == 1
        for atom in residue.atoms:
            if atom.element == "H" and not _is_polar(atom, residue):
                continue
            charge = METALS.get(atom.element, HALIDES.get(atom.element, 0)) if is_ion else 0
            lines.append(
                atom_line(
                    len(lines) + 1,
                    *(atom.name[:4], residue.name[:3], chain, number, atom.columns),
                    *(charge, _TYPES[atom.element]),
                )
            )
    return "".join(lines)


def _is_polar(hydrogen: Atom, residue: Residue) -> bool:
    heavy = [atom for atom in residue.atoms if atom.element in ("N", "O", "S")]
    return any(math.dist(atom.point, hydrogen.point) < _HYDROGEN_A for atom in heavy)


def _by_distance(
    residues: Sequence[Residue], center: Triple, size: Triple
) -> tuple[list[str], list[str]]:
    """Labels of residues near the box and far from it."""
    near: list[str] = []
    far: list[str] = []
    for residue in residues:
        points = np.array([atom.point for atom in residue.atoms])
        is_near = box_distance(points, center, size).min() <= MARGIN_A
        (near if is_near else far).append(residue.label)
    return near, far
