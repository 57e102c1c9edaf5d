"""Checkpoints: directories of plain tensors and JSON, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from molgfn.config.resources import cure_of
from molgfn.errors import CheckpointError
from molgfn.machine.document import Document
from molgfn.machine.files import remove_folder, remove_leftovers, replacing_folder
from molgfn.machine.sealed import read_sealed, seal
from molgfn.machine.tensors import check_tensor, check_tensors, parse_tensors

#: Since format 2 a checkpoint has the digests of all its files beside them; before, the document
#: of a part had that of its tensors.
FORMAT = 2
#: What Adam keeps of a weight.
_ADAM = ("step", "exp_avg", "exp_avg_sq")
CURE = "delete this checkpoint to fall back on an older one"


@dataclass(frozen=True)
class Part:
    """Named tensors with the JSON document that belongs to them.

    Attributes:
        tensors: Tensors by name.
        document: Plain JSON values.
        source: Path of its files without their suffix, for messages.
    """

    tensors: Mapping[str, Tensor]
    document: Mapping[str, Any]
    source: str = "the checkpoint"

    def checked(self) -> Document:
        """The document, for values of the type that is asked for."""
        return Document(self.document, f"{self.source}.json", CURE)

    def check(self, like: Mapping[str, Tensor], under: str | None = None) -> dict[str, Tensor]:
        """Take the tensors of a network.

        Args:
            like: Tensors of the names, kinds and shapes expected.
            under: Prefix of their names, without its slash; default: none.

        Raises:
            CheckpointError: One is missing, too many, of another kind or shape, or not finite.
        """
        own = dict(self.tensors) if under is None else subset(self.tensors, under)
        check_tensors(own, like, f"{self.source}.safetensors, {under or 'policy'}", CURE)
        return own


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
            document = {"format": FORMAT, **part.document}
            (fresh / f"{name}.json").write_text(json.dumps(document) + "\n")
        seal(fresh)


def load_part(directory: Path, name: str) -> Part:
    """Read one part of a checkpoint onto the CPU and check it against its digests.

    Raises:
        CheckpointError: A file is missing, corrupt, of another format, or fails its digest.
    """
    document = load_document(directory, name)
    is_old = document["format"] == 1
    tensors = directory / f"{name}.safetensors"
    content = read_sealed(tensors, cure_of(tensors, CURE), required=not is_old)
    if is_old and document.get("sha256") != hashlib.sha256(content).hexdigest():
        raise CheckpointError(
            f"{tensors} is damaged: its SHA-256 is not the one in {name}.json; {CURE}"
        )
    return Part(parse_tensors(content, tensors, CURE), document, str(directory / name))


def load_document(directory: Path, name: str) -> Document:
    """Read the document of a part alone.

    Raises:
        CheckpointError: It is missing, corrupt, of another format, or fails its digest.
    """
    file = directory / f"{name}.json"
    document = Document.parse(read_sealed(file, cure_of(file, CURE)), file, CURE)
    if document.get("format") not in (1, FORMAT):
        raise CheckpointError(f"{file} is not a molgfn checkpoint of format 1 or {FORMAT}; {CURE}")
    return document


def checkpoint_path(directory: Path, step: int) -> Path:
    """Path of the checkpoint after a step; names sort by step."""
    return directory / f"step_{step:08d}"


def checkpoints(directory: Path) -> list[Path]:
    """List complete checkpoints, oldest first; the folder need not exist."""
    return sorted(path for path in directory.glob("step_[0-9]*") if path.is_dir())


def prune(directory: Path, keep: int) -> None:
    """Delete all but the newest ``keep`` checkpoints, and what killed processes left behind."""
    for old in checkpoints(directory)[:-keep]:
        remove_folder(old)
    remove_leftovers(directory)


def flatten_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Turn the state of an optimiser that holds tensors only, such as Adam, into named tensors."""
    state = optimizer.state_dict()["state"]
    return {f"{i}.{name}": value for i, values in state.items() for name, value in values.items()}


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], source: str = "the checkpoint"
) -> None:
    """Undo :func:`flatten_optimizer` for Adam over the same parameters.

    Raises:
        CheckpointError: The tensors are not those of its parameters.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        # A weight that never had a gradient has no state; one that had has all three.
        known = number.isdecimal() and len(number) < 9 and int(number) < len(weights)
        if not (known and name in _ADAM and all(f"{number}.{each}" in tensors for each in _ADAM)):
            raise CheckpointError(f"{source}.safetensors: optimizer/{key} is not expected; {CURE}")
        shape = () if name == "step" else weights[int(number)].shape
        where = f"{source}.safetensors: optimizer/{key}"
        check_tensor(value, torch.float32, shape, where, CURE)
        state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def subset(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Tensors under a prefix (given without its slash), renamed without it."""
    start = f"{prefix}/"
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Undo :func:`subset`."""
    return {f"{prefix}/{k}": v for k, v in tensors.items()}
