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
    """Named tensors with the JSON document that belongs to them."""

    tensors: Mapping[str, Tensor]
    document: Mapping[str, object]


def save_parts(directory: Path, parts: Mapping[str, Part]) -> None:
    """Write parts by name into a new directory that appears only once complete.

    An existing directory is replaced.

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
    """Read one part of a checkpoint onto the CPU and check it against its digest.

    Raises:
        CheckpointError: A file is missing, corrupt, of another format, or fails its digest.
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
    """Path of the checkpoint after a step; names sort by step."""
    return directory / f"step_{step:08d}"


def checkpoints(directory: Path) -> list[Path]:
    """List complete checkpoints, oldest first; the folder need not exist."""
    return sorted(path for path in directory.glob("step_*") if path.is_dir())


def prune(directory: Path, keep: int) -> None:
    """Delete all but the newest ``keep`` checkpoints, and what killed processes left behind."""
    for old in checkpoints(directory)[:-keep]:
        remove_folder(old)
    remove_leftovers(directory)


def flatten_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Turn the state of an optimiser that holds tensors only, such as Adam, into named tensors."""
    state = optimizer.state_dict()["state"]
    return {f"{i}.{name}": value for i, values in state.items() for name, value in values.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Undo :func:`flatten_optimizer` for an optimiser over the same parameters."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def subset(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Tensors under a prefix (given without its slash), renamed without it."""
    start = f"{prefix}/"
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Undo :func:`subset`."""
    return {f"{prefix}/{k}": v for k, v in tensors.items()}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
