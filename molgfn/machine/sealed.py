"""Folders whose files are compared with their digests when they are read.

``SHA256SUMS`` holds a line for each file of its folder, as the program ``sha256sum`` writes and
checks it (``sha256sum -c SHA256SUMS``). Reading a file costs its digest, a millisecond for some
hundred thousand bytes. Folders of before have no such file and are read as they are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from molgfn.errors import CheckpointError
from molgfn.machine.files import write_faults_named, write_file

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  ([^/\n]+)")
_NO_DIGESTS: frozenset[str] = frozenset()


def seal(folder: Path) -> None:
    """Write the digests of all files in a folder that nobody reads yet.

    Raises:
        OutputError: The folder cannot be written.
    """
    with write_faults_named(folder):
        digests = {
            path.name: frozenset({_digest(path.read_bytes())})
            for path in folder.iterdir()
            if path.is_file() and path.name != SUMS
        }
    _write_sums(folder, digests)


def write_sealed(path: Path, content: str | bytes) -> None:
    """Write or replace a file of a folder that is sealed, or is to be.

    Its digest is written first, beside that of the old content, so that a process killed at any
    moment leaves a file whose digest is there.

    Raises:
        OutputError: The folder cannot be written.
        CheckpointError: Its digests are damaged.
    """
    data = content.encode() if isinstance(content, str) else content
    sums = _read_sums(path.parent, "move it away") if is_sealed(path.parent) else {}
    old, new = sums.get(path.name, _NO_DIGESTS), frozenset({_digest(data)})
    if new != old:
        _write_sums(path.parent, {**sums, path.name: old | new})
    write_file(path, data)
    if old - new:
        _write_sums(path.parent, {**sums, path.name: new})


def is_sealed(folder: Path) -> bool:
    """Whether a folder has digests."""
    return (folder / SUMS).exists()


def lists(path: Path) -> bool:
    """Whether a file belongs to a sealed folder, be it there or not.

    Raises:
        CheckpointError: The digests are damaged.
    """
    return is_sealed(path.parent) and path.name in _read_sums(path.parent, "restore it")


def read_sealed(path: Path, cure: str, *, required: bool = False) -> bytes:
    """Read a file, and compare it with its digest where its folder is sealed.

    Args:
        path: The file.
        cure: What an error message advises.
        required: Refuse a folder without digests.

    Raises:
        CheckpointError: The file cannot be read, is not as it was written, or has no digest.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing; {cure}") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}; {cure}") from error
    if required or is_sealed(path.parent):
        expected = _read_sums(path.parent, cure).get(path.name, _NO_DIGESTS)
        if not expected:
            raise CheckpointError(f"{path} has no digest in {path.parent / SUMS}; {cure}")
        if _digest(content) not in expected:
            raise CheckpointError(
                f"{path} is damaged: its SHA-256 is not the one in {SUMS} beside it; {cure}"
            )
    return content


def _read_sums(folder: Path, cure: str) -> dict[str, frozenset[str]]:
    """Digests by name; a file that is being replaced has two."""
    path = folder / SUMS
    try:
        lines = path.read_text("utf-8").split("\n")
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing; {cure}") from error
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path} is damaged: it is not UTF-8 text; {cure}") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}; {cure}") from error
    sums: dict[str, frozenset[str]] = {}
    for number, line in enumerate(lines[:-1], 1):
        found = _LINE.fullmatch(line)
        if found is None:
            raise CheckpointError(f"{path} is damaged: line {number} is no digest; {cure}")
        sums[found[2]] = sums.get(found[2], _NO_DIGESTS) | {found[1]}
    if lines[-1]:
        raise CheckpointError(f"{path} is damaged: its last line is cut; {cure}")
    return sums


def _write_sums(folder: Path, sums: Mapping[str, frozenset[str]]) -> None:
    lines = [f"{digest}  {name}\n" for name in sorted(sums) for digest in sorted(sums[name])]
    write_file(folder / SUMS, "".join(lines))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
