"""Adding a target of the user's own: a receptor, and a box from a ligand or by numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from molgfn.errors import TargetError
from molgfn.machine.files import replacing_folder
from molgfn.machine.sealed import seal
from molgfn.reward.docking.bound_ligand import read_bound_ligand
from molgfn.reward.docking.catalogue import (
    FORMAT,
    find_target,
    own_targets_directory,
    target_names,
)
from molgfn.reward.docking.docking_target import DockingTarget, Triple, check_box
from molgfn.reward.docking.pdbqt import read_text, receptor_coordinates, receptor_notes
from molgfn.reward.docking.receptor import box_distance, prepare_pdb

#: Room around the ligand on every side, Å, and the shortest side of a box made from one.
PADDING_A = 5.0
SHORTEST_SIDE_A = 18.0
#: A ligand with no atom this close to the receptor was not bound to it, Å.
CONTACT_A = 5.0
#: Fewer receptor atoms in or near the box than this are no pocket.
FEWEST_ATOMS = 10


def add_target(
    name: str, receptor: Path, center: Triple, size: Triple, ligand: Path | None = None
) -> tuple[DockingTarget, list[str]]:
    """Check a target and store it, whole or not at all.

    Args:
        name: New name: letters, digits, ``_``, ``-``, ``.``.
        receptor: PDBQT file, or PDB file to be prepared.
        center: Middle of the box, Å.
        size: Sides of the box, Å.
        ligand: File that the box was made from, for the record and to check that it touches the
            receptor.

    Returns:
        The target, and what was chosen, joined, renamed or left out of the files, one line each.

    Raises:
        TargetError: The name is taken, a file cannot be used, or the box lies beside the receptor.
        MissingPackageError: A PDB receptor, and meeko is not installed.
        OutputError: The directory of targets cannot be written.
    """
    _check_name(name)
    check_box(center, size)
    text = read_text(receptor)
    bound = None if ligand is None else read_bound_ligand(ligand)
    notes = [] if bound is None else list(bound.notes)
    if receptor.suffix.lower() in (".pdb", ".ent"):
        around = None if bound is None else bound.points
        text, more = prepare_pdb(text, str(receptor), center, size, around)
        notes += more
    elif receptor.suffix.lower() != ".pdbqt":
        raise TargetError(f"{receptor}: expected a receptor whose name ends in .pdbqt or .pdb")
    points = receptor_coordinates(text, str(receptor))
    notes += receptor_notes(text)
    if ligand is not None and bound is not None:
        _check_contact(points, bound.points, ligand)
    _check_pocket(points, center, size)
    source = f"own: {receptor.name}" + ("" if ligand is None else f" with {ligand.name}")
    _store(name, text, {"center": center, "size": size, "source": source})
    # Of a complex that is receptor and ligand at once the same is said twice.
    return find_target(name), list(dict.fromkeys(notes))


def ligand_box(path: Path, padding: float = PADDING_A) -> tuple[Triple, Triple]:
    """Box around a bound ligand.

    Args:
        path: SDF, MOL or PDB file with the ligand where it is bound.
        padding: Room on every side, Å.

    Returns:
        Middle and sides, Å; no side is shorter than ``SHORTEST_SIDE_A``.

    Raises:
        TargetError: The file cannot be read or holds no atoms.
    """
    points = read_bound_ligand(path).points
    low, high = points.min(axis=0), points.max(axis=0)
    sides = np.maximum(high - low + 2 * padding, SHORTEST_SIDE_A)
    return _rounded((low + high) / 2), _rounded(sides)


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
        raise TargetError(
            f"a target cannot be called {name!r}; use letters, digits, '_', '-' and '.'"
        )
    taken = next((known for known in target_names() if known.lower() == name.lower()), None)
    if taken is not None:
        own = own_targets_directory() / taken
        cure = f", or remove {own} to replace it" if own.exists() else ""
        raise TargetError(f"there is a target {taken} already; choose another name{cure}")


def _check_contact(receptor: NDArray[np.float64], ligand: NDArray[np.float64], path: Path) -> None:
    gaps = np.linalg.norm(receptor[:, None, :] - ligand[None, :, :], axis=2)
    if gaps.min() > CONTACT_A:
        raise TargetError(
            f"{path} lies {gaps.min():.1f} Å away from the receptor; expected a ligand bound to "
            "it, in the same coordinates"
        )


def _check_pocket(receptor: NDArray[np.float64], center: Triple, size: Triple) -> None:
    n_inside = int((box_distance(receptor, center, size) == 0).sum())
    if n_inside >= FEWEST_ATOMS:
        return
    low, high = receptor.min(axis=0), receptor.max(axis=0)
    extent = ", ".join(f"{a:.0f} to {b:.0f}" for a, b in zip(low, high, strict=True))
    raise TargetError(
        f"the box around ({_numbers(center)}) holds {n_inside} receptor atoms, too few for a "
        f"pocket; the receptor extends over x, y, z = {extent} Å"
    )


def _store(name: str, receptor: str, description: dict[str, object]) -> None:
    with replacing_folder(own_targets_directory() / name) as fresh:
        (fresh / "receptor.pdbqt").write_text(receptor, "utf-8")
        text = json.dumps({"format": FORMAT, **description}, indent=2)
        (fresh / "target.json").write_text(text + "\n", "utf-8")
        seal(fresh)


def _rounded(numbers: NDArray[np.float64]) -> Triple:
    x, y, z = (round(float(number), 3) for number in numbers)
    return x, y, z


def _numbers(triple: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in triple)
