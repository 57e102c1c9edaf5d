"""Receptors: reading PDBQT as vina does, and making it from PDB with meeko."""

from __future__ import annotations

import logging
import math
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import rdBase

from molgfn.errors import TargetError
from molgfn.reward.docking.docking_target import Triple
from molgfn.reward.docking.packages import require_engine

#: A residue that cannot be prepared is left out where it is farther than this from the box, Å:
#: vina's energy ends at 8 Å.
MARGIN_A = 8.0
_WATER = frozenset(("HOH", "WAT", "DOD", "TIP", "TIP3", "SOL"))
_BACKBONE = frozenset(("N", "CA", "C"))


def receptor_coordinates(text: str, source: str) -> NDArray[np.float64]:
    """Coordinates of the atoms of a PDBQT receptor.

    Returns:
        Shape ``(atoms, 3)``, Å.

    Raises:
        TargetError: It is not a rigid PDBQT receptor; the message names the line.
    """
    points = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith(("ROOT", "BRANCH", "BEGIN_RES")):
            raise TargetError(
                f"{source} line {number}: {line.split()[0]} belongs to a ligand or flexible "
                "residue; expected a rigid receptor"
            )
        if not line.startswith(("ATOM", "HETATM")):
            continue
        point = _point(line, f"{source} line {number}")
        if not line[77:].strip():
            raise TargetError(
                f"{source} line {number}: no AutoDock atom type; this is no PDBQT (a PDB file "
                "is prepared when its name ends in .pdb)"
            )
        points.append(point)
    if not points:
        raise TargetError(f"{source} holds no atoms; expected a receptor as PDBQT or PDB")
    return np.array(points)


def prepare_pdb(text: str, source: str, center: Triple, size: Triple) -> tuple[str, list[str]]:
    """Make a rigid PDBQT receptor from a PDB file: hydrogens, charges, atom types.

    Water is left out; of other hetero atoms those stay that meeko has a template for, such as
    Zn and Mg. Of alternate locations the first counts, of several models too.

    Raises:
        MissingPackageError: meeko is not installed.
        TargetError: A residue near the box cannot be prepared; the message names it.
    """
    require_engine()
    from meeko import PDBQTWriterLegacy, Polymer, ResidueChemTemplates

    rdBase.LogToCppStreams()  # meeko has redirected RDKit's messages
    logging.getLogger("meeko").setLevel(logging.CRITICAL)  # what matters becomes an error or a note

    templates = ResidueChemTemplates.create_from_defaults()
    known = {*templates.residue_templates, *templates.ambiguous}
    lines, notes = _usable_lines(text, source, known)
    polymer, unmatched = _match(Polymer, lines, templates, source)
    if unmatched and any(_is_hydrogen(line) for line in lines):
        bare = [line for line in lines if not _is_hydrogen(line)]
        again, still_unmatched = _match(Polymer, bare, templates, source)
        if len(still_unmatched) < len(unmatched):
            notes.append("its hydrogens, which do not fit the residues; new ones were placed")
            polymer, unmatched, lines = again, still_unmatched, bare
    near, far = _by_distance(unmatched, lines, center, size)
    if near:
        raise TargetError(
            f"{source}: meeko cannot prepare {_listed(near)} in or near the box: atoms are "
            "missing, or it is no standard residue; repair them, or give a receptor as PDBQT"
        )
    if far:
        notes.append(f"{_listed(far)}, incomplete and more than {MARGIN_A:g} Å from the box")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rigid, _ = PDBQTWriterLegacy.write_string_from_polymer(polymer)
    return str(rigid), notes


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


def _usable_lines(text: str, source: str, known: set[str]) -> tuple[list[str], list[str]]:
    """Atoms of the first model that are prepared, and notes on those that are not."""
    kept: list[str] = []
    left_out: Counter[str] = Counter()
    backbone: dict[str, set[str]] = {}
    for number, line in _first_model(text):
        if line.startswith("TER"):
            kept.append(line)
        if not line.startswith(("ATOM", "HETATM")):
            continue
        _point(line, f"{source} line {number}")
        residue = line[17:20].strip()
        if residue in _WATER:
            continue
        if residue in known:
            kept.append(line)
            continue
        label = f"{residue} {line[21:27].replace(' ', '')}"
        left_out[label] += 1
        backbone.setdefault(label, set()).add(line[12:16].strip())
    chained = [label for label, atoms in backbone.items() if atoms >= _BACKBONE]
    if chained:
        raise TargetError(
            f"{source}: meeko has no template for {_listed(chained)} in the chain; rename such "
            "residues to what they derive from (MSE to MET, with SE as SD), or give a receptor as "
            "PDBQT"
        )
    if not any(line.startswith(("ATOM", "HETATM")) for line in kept):
        raise TargetError(f"{source} holds no protein or nucleic acid; expected a PDB receptor")
    return kept, [f"{_listed(list(left_out))}, no part of the protein"] if left_out else []


def _first_model(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("ENDMDL"):
            return
        yield number, line


def _match(
    polymer_class: Any, lines: Sequence[str], templates: Any, source: str
) -> tuple[Any, list[str]]:
    """Fit templates to residues: what meeko makes of them, and the keys of those it cannot."""
    try:
        with warnings.catch_warnings(), rdBase.BlockLogs():
            warnings.simplefilter("ignore")
            polymer = polymer_class.from_pdb_string(
                "\n".join([*lines, "END", ""]),
                chem_templates=templates,
                allow_bad_res=True,
                default_altloc="A",
            )
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        what = " ".join(str(error).split())[:300]
        raise TargetError(
            f"{source}: meeko cannot prepare it: {what}; give a receptor as PDBQT"
        ) from error
    return polymer, list(polymer.get_ignored_monomers())


def _by_distance(
    keys: Sequence[str], lines: Sequence[str], center: Triple, size: Triple
) -> tuple[list[str], list[str]]:
    """Residues near the box and far from it, each as name, chain and number."""
    points: dict[str, list[Triple]] = {key: [] for key in keys}
    names: dict[str, str] = {}
    for line in lines:
        if not line.startswith("TER"):
            key = f"{line[21:22].strip()}:{line[22:27].replace(' ', '')}"
            if key in points:
                points[key].append(_point(line, ""))
                names[key] = f"{line[17:20].strip()} {line[21:27].replace(' ', '')}"
    near: list[str] = []
    far: list[str] = []
    for key, found in points.items():
        is_near = box_distance(np.array(found), center, size).min() <= MARGIN_A
        (near if is_near else far).append(names[key])
    return near, far


def _point(line: str, where: str) -> Triple:
    try:
        x, y, z = (float(line[start : start + 8]) for start in (30, 38, 46))
    except ValueError as error:
        raise TargetError(f"{where}: no coordinates in columns 31 to 54") from error
    if not all(map(math.isfinite, (x, y, z))):
        raise TargetError(f"{where}: the coordinates {x}, {y}, {z} are not finite")
    return x, y, z


def _is_hydrogen(line: str) -> bool:
    element = line[76:78].strip().upper()
    name = line[12:16].strip().lstrip("0123456789")
    return not line.startswith("TER") and (
        element in ("H", "D") or (not element and name[:1] == "H")
    )


def _listed(names: Sequence[str], limit: int = 8) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def read_text(path: Path) -> str:
    """Read the text of a receptor or ligand file.

    Raises:
        TargetError: It is missing or cannot be read.
    """
    try:
        return path.read_text("utf-8", errors="replace")
    except FileNotFoundError as error:
        raise TargetError(f"{path}: no such file") from error
    except OSError as error:
        raise TargetError(f"{path}: cannot be read: {error.strerror}") from error
