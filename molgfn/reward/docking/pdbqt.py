"""PDBQT receptors: what vina reads in them, checked before vina is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from molgfn.errors import TargetError
from molgfn.reward.docking.docking_target import DockingTarget
from molgfn.reward.docking.pdb import coordinates, listed

#: Vina's types of metal atoms by symbol, with the charge that is written; vina does not use it.
METALS = {
    "Na": 1,
    "K": 1,
    "Mg": 2,
    "Ca": 2,
    "Mn": 2,
    "Fe": 3,
    "Co": 2,
    "Ni": 2,
    "Cu": 2,
    "Zn": 2,
    "Cd": 2,
    "Hg": 2,
    "U": 6,
}
HALIDES = {"F": -1, "Cl": -1, "Br": -1, "I": -1}
_OTHERS = "H HD C A N NA O OA S SA P Si Se At"
#: Atom types that vina has parameters for and a receptor may hold.
ATOM_TYPES = frozenset((*METALS, *HALIDES, *_OTHERS.split()))
_PDB_CURE = "a PDB file is prepared when its name ends in .pdb"
_IGNORED = ("REMARK", "TER", "END", "WARNING")
_OF_LIGANDS = ("ROOT", "ENDROOT", "BRANCH", "ENDBRANCH", "TORSDOF", "BEGIN_RES", "END_RES")


def receptor_coordinates(text: str, source: str) -> NDArray[np.float64]:
    """Check a PDBQT receptor and give the coordinates of its atoms.

    Returns:
        Shape ``(atoms, 3)``, Å.

    Raises:
        TargetError: It is not a rigid PDBQT receptor that vina can read; the message names the
            line.
    """
    points = []
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"{source} line {number}"
        if line.startswith(("ATOM", "HETATM")):
            points.append(coordinates(line, where))
            _check_atom(line, where)
        elif line.startswith(_OF_LIGANDS):
            raise TargetError(
                f"{where}: {line.split()[0]} belongs to a ligand or flexible residue; expected a "
                "rigid receptor"
            )
        elif line.startswith("MODEL"):
            raise TargetError(f"{where}: MODEL; expected one rigid receptor, keep one model")
        elif line and not line.startswith(_IGNORED):
            raise TargetError(
                f"{where}: expected ATOM, HETATM, TER or REMARK, got {line[:20].strip()!r}; "
                f"remove such lines, or {_PDB_CURE}"
            )
    if not points:
        raise TargetError(f"{source} holds no atoms; expected a receptor as PDBQT or PDB")
    return np.array(points)


def check_receptor(target: DockingTarget) -> None:
    """Refuse a target whose receptor vina cannot read, before vina is asked; tens of milliseconds.

    Raises:
        TargetError: The file is gone, or was changed into what is no receptor.
    """
    receptor_coordinates(read_text(target.receptor), f"target {target.name}: {target.receptor}")


def read_text(path: Path) -> str:
    """Read the text of a receptor or ligand file.

    Raises:
        TargetError: It is missing or cannot be read.
    """
    try:
        return path.read_text("utf-8", errors="replace")
    except FileNotFoundError as error:
        raise TargetError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:  # a name may hold what no file name can
        reason = error.strerror if isinstance(error, OSError) else error
        raise TargetError(f"{path}: cannot be read: {reason}") from error


def receptor_notes(text: str) -> list[str]:
    """What is odd about a PDBQT receptor that vina can read, one line each.

    Alternate locations are kept as they are: receptors that energies were published for have them.
    """
    letters: dict[str, set[str]] = {}
    kinds = set()
    for line in text.splitlines():
        if line.startswith(("ATOM", "HETATM")):
            kinds.add(line[77:79].strip())
            label = f"{line[17:20].strip()} {line[21:27].replace(' ', '')}"
            letters.setdefault(label, set()).add(line[16].strip())
    notes = []
    overlaid = [label for label, found in letters.items() if len(found - {""}) > 1]
    if overlaid:
        notes.append(f"kept: all alternate locations of {listed(overlaid)}; vina sees them at once")
    if kinds & {"N", "NA", "O", "OA"} and "HD" not in kinds:
        notes.append("kept: a receptor without polar hydrogens (HD); vina sees no hydrogen bonds")
    return notes


def _check_atom(line: str, where: str) -> None:
    kind, charge, serial = line[77:79].strip(), line[68:76].strip(), line[6:11].strip()
    if not kind:
        raise TargetError(
            f"{where}: no AutoDock atom type in columns 78 and 79; this is no PDBQT ({_PDB_CURE})"
        )
    try:
        float(charge)
    except ValueError as error:
        raise TargetError(
            f"{where}: no partial charge in columns 69 to 76; this is no PDBQT ({_PDB_CURE})"
        ) from error
    if kind not in ATOM_TYPES:
        near = next((known for known in ATOM_TYPES if known.lower() == kind.lower()), None)
        hint = f"; did you mean {near}?" if near else ""
        raise TargetError(f"{where}: vina has no atom type {kind!r}{hint}")
    if not serial.isdecimal():
        raise TargetError(f"{where}: the atom has no decimal number in columns 7 to 11; renumber")


def atom_line(
    serial: int,
    name: str,
    residue: str,
    chain: str,
    number: str,
    columns: str,
    charge: float,
    kind: str,
) -> str:
    """Write an atom as meeko does.

    Args:
        serial: Number of the atom.
        name: Name of the atom.
        residue: Name of its residue.
        chain: Letter of its chain.
        number: Number of its residue with the insertion code in the last of five columns.
        columns: Coordinates, 24 characters.
        charge: Its partial charge.
        kind: Its AutoDock type.
    """
    name = f" {name}" if len(name) < 4 else name
    return (
        f"ATOM  {serial % 100_000:5d} {name:<4} {residue:<3} {chain:1}{number}   {columns}"
        f"  1.00  0.00  {charge:+8.3f} {kind:<2}\n"
    )
