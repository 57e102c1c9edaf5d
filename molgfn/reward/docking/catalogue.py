"""Finding docking targets by name: those of the dockstring package and the user's own."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from molgfn.config.resources import data_directory
from molgfn.errors import TargetError, did_you_mean
from molgfn.machine.document import Document
from molgfn.machine.sealed import read_sealed
from molgfn.reward.docking.docking_target import DockingTarget, Triple, check_box
from molgfn.reward.docking.packages import CURE

#: The target of the data, proxy and policy that ship with molgfn.
DEFAULT_TARGET = "PARP1"
#: Since format 2 a target of the user's own has the digests of its files.
FORMAT = 2
#: Boxes of the package that molgfn makes smaller: what is searched in vain costs restarts. PARP1's
#: is 30 Å there.
_SMALLER_BOXES: dict[str, Triple] = {"PARP1": (24.0, 24.0, 24.0)}


def own_targets_directory() -> Path:
    """Directory that holds a folder for each of the user's own targets."""
    return data_directory() / "targets"


def target_names() -> list[str]:
    """All names, sorted; without the package dockstring only the user's own."""
    own = {path.parent.name for path in own_targets_directory().glob("[!.]*/target.json")}
    return sorted(own.union(_packaged_names()), key=str.lower)


def has_packaged_targets() -> bool:
    """Whether the package dockstring, which holds 58 targets, is installed."""
    return _package_directory() is not None


def find_target(name: str) -> DockingTarget:
    """Find a target.

    Raises:
        TargetError: There is none of that name, or the files of the package are damaged.
        CheckpointError: The files of a target of the user's own are damaged.
    """
    names = {known.lower(): known for known in target_names()}
    if name.lower() not in names:
        if not has_packaged_targets():
            raise TargetError(
                f"no target {name!r} among your own; others come with the package dockstring: "
                f"{CURE}"
            )
        hint = did_you_mean(name, names.values())
        raise TargetError(f"no target {name!r}; `molgfn targets list` shows all{hint}")
    found = names[name.lower()]
    own = own_targets_directory() / found
    return _own(own) if (own / "target.json").exists() else _packaged(found)


def _own(directory: Path) -> DockingTarget:
    file, receptor = directory / "target.json", directory / "receptor.pdbqt"
    cure = f"remove {directory} and add the target again"
    about = Document.parse(read_sealed(file, cure), file, cure)
    required = "format" in about  # targets of before have no digests
    if required:
        about.whole("format", least=FORMAT, most=FORMAT)
    read_sealed(receptor, cure, required=required)
    center, size = _triple(about.numbers("center", 3)), _triple(about.numbers("size", 3))
    try:
        check_box(center, size)
    except TargetError as error:
        raise about.fault("size", f"is no box: {error}") from error
    return DockingTarget(directory.name, receptor, center, size, about.text("source"))


def _packaged(name: str) -> DockingTarget:
    directory = _package_directory()
    if directory is None:
        raise TargetError(f"the package dockstring, which holds target {name}, is gone; {CURE}")
    box = directory / f"{name}_conf.txt"
    try:
        pairs = (line.split("=") for line in box.read_text("utf-8").splitlines() if line.strip())
        values = {key.strip(): float(value) for key, value in pairs}
        center, size = (
            _triple([values[f"{what}_{axis}"] for axis in "xyz"]) for what in ("center", "size")
        )
    except (OSError, ValueError, KeyError) as error:
        raise TargetError(f"target {name}: {box} is damaged: {error}") from error
    source = f"dockstring {version('dockstring')}"
    target = DockingTarget(name, directory / f"{name}_target.pdbqt", center, size, source)
    if name in _SMALLER_BOXES:
        return replace(target, size=_SMALLER_BOXES[name], source=f"{source}, smaller box")
    return target


def _packaged_names() -> list[str]:
    directory = _package_directory()
    if directory is None:
        return []
    return [p.name.removesuffix("_target.pdbqt") for p in directory.glob("*_target.pdbqt")]


def _package_directory() -> Path | None:
    """Folder of the receptors; found without importing the package, which needs Open Babel."""
    found = importlib.util.find_spec("dockstring")
    if found is None or found.origin is None:
        return None
    directory = Path(found.origin).parent / "resources" / "targets"
    return directory if directory.is_dir() else None


def _triple(numbers: Any) -> Triple:
    x, y, z = (float(number) for number in numbers)
    return x, y, z
