"""Checkpoints: directories of plain tensors and JSON, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from molgfn.errors import CheckpointError
from molgfn.machine.files import remove_folder, remove_leftovers, replacing_folder

FORMAT = 1


@dataclass(frozen=True)
class Part:
    """Tensors with the JSON document that belongs to them.

    Attributes:
        tensors: Tensors by name.
        document: Plain JSON values.
    """

    tensors: Mapping[str, Tensor]
    document: Mapping[str, object]


def save_parts(directory: Path, parts: Mapping[str, Part]) -> None:
    """Write parts into a new directory that appears only when it is complete.

    Args:
        directory: The directory to make; one that is there is replaced.
        parts: Parts by file name, without suffix.

    Raises:
        OutputError: The disk is full or the place cannot be written.
    """
    with replacing_folder(directory) as fresh:
        for name, part in parts.items():
            tensors = save({k: v.detach().cpu().contiguous() for k, v in part.tensors.items()})
            (fresh / f"{name}.safetensors").write_bytes(tensors)
            document = {"format": FORMAT, "sha256": _sha256(tensors), **part.document}
            (fresh / f"{name}.json").write_text(json.dumps(document) + "\n")


def load_part(directory: Path, name: str) -> Part:
    """Read one part of a checkpoint and check it against its digest.

    Args:
        directory: A directory made by :func:`save_parts`.
        name: Name of the part.

    Returns:
        The part, tensors on the CPU.

    Raises:
        CheckpointError: A file is missing, garbled, of another format, or does not match its
            digest.
    """
    tensors, document = directory / f"{name}.safetensors", directory / f"{name}.json"
    try:
        content = json.loads(document.read_text())
        digest = _sha256(tensors.read_bytes())
    except OSError as error:
        raise CheckpointError(f"cannot read the checkpoint {directory}: {error}") from error
    except ValueError as error:
        raise CheckpointError(f"{document} is not valid JSON: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{document} is not a molgfn checkpoint of format {FORMAT}")
    if content.get("sha256") != digest:
        raise CheckpointError(
            f"{tensors} is damaged: its SHA-256 is not the one in {document.name}; "
            "delete this checkpoint to fall back on an older one"
        )
    try:
        return Part(load_file(tensors), content)
    except SafetensorError as error:
        raise CheckpointError(f"{tensors} cannot be read: {error}") from error


def checkpoint_path(directory: Path, step: int) -> Path:
    """Name the checkpoint of a step.

    Args:
        directory: Folder of the checkpoints.
        step: Steps done.

    Returns:
        The path, sorted by step.
    """
    return directory / f"step_{step:08d}"


def checkpoints(directory: Path) -> list[Path]:
    """List complete checkpoints.

    Args:
        directory: Folder of the checkpoints; it need not exist.

    Returns:
        Paths, oldest first.
    """
    return sorted(path for path in directory.glob("step_*") if path.is_dir())


def prune(directory: Path, keep: int) -> None:
    """Delete all but the newest checkpoints, and what killed processes left.

    Args:
        directory: Folder of the checkpoints.
        keep: How many to keep.
    """
    for old in checkpoints(directory)[:-keep]:
        remove_folder(old)
    remove_leftovers(directory)


def flatten_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Turn an optimiser's state into named tensors.

    Args:
        optimizer: An optimiser whose state holds tensors only, such as Adam.

    Returns:
        Tensors by ``index.name``.
    """
    state = optimizer.state_dict()["state"]
    return {f"{i}.{name}": value for i, values in state.items() for name, value in values.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Undo :func:`flatten_optimizer`.

    Args:
        optimizer: An optimiser over the same parameters.
        tensors: Tensors by ``index.name``.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def subset(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Select tensors by prefix.

    Args:
        tensors: Tensors by name.
        prefix: Prefix, without the slash that ends it.

    Returns:
        The tensors under the prefix, named without it.
    """
    start = f"{prefix}/"
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Undo :func:`subset`.

    Args:
        tensors: Tensors by name.
        prefix: Prefix to add, without slash.

    Returns:
        The tensors, renamed.
    """
    return {f"{prefix}/{k}": v for k, v in tensors.items()}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
