"""Files and folders that are replaced whole or stay as they were.

New content goes to a hidden sibling, is flushed to the disk and then takes the name; neither a full
disk nor a killed process leaves half of anything under a name that somebody reads.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from molgfn.errors import OutputError


@contextmanager
def write_faults_named(name: Path | str) -> Iterator[None]:
    """Turn what the operating system complains about into an error that names the file.

    Raises:
        OutputError: A directory is missing or read-only, or the disk is full.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {name}: {error.strerror or error}") from error


@contextmanager
def replacing_file(path: Path) -> Iterator[BinaryIO]:
    """Open the new content of a file, put in its place when the block ends without an exception.

    What a symbolic link points to is replaced. A device or a pipe is written to as it stands.

    Yields:
        A stream to write to; write inside :func:`write_faults_named`.

    Raises:
        OutputError: The file cannot be opened, flushed or renamed.
    """
    with write_faults_named(path):
        is_special = path.exists() and not path.is_file()
        stream = path.open("wb") if is_special else None
    if stream is not None:
        with _closing(stream, path):
            yield stream
        return
    try:
        target = path.resolve()
    except RuntimeError as error:  # what pathlib raises for links that lead to each other
        raise OutputError(f"cannot write {path}: too many levels of symbolic links") from error
    temporary = _sibling(target)
    try:
        # Inside the block that cleans up: an interruption may come as soon as the file is there.
        with write_faults_named(path):
            stream = temporary.open("wb")
        with _closing(stream, path):
            yield stream
            with write_faults_named(path):
                stream.flush()
                os.fsync(stream.fileno())
        with write_faults_named(path):
            temporary.replace(target)
            flush(target.parent)
    finally:
        # Gone when all went well; where it could not be made there is nothing to remove.
        with suppress(OSError):
            temporary.unlink()


def write_file(path: Path, content: str | bytes) -> None:
    """Write or replace a file; see :func:`replacing_file`.

    Raises:
        OutputError: It cannot be written; nothing is left behind.
    """
    with replacing_file(path) as stream, write_faults_named(path):
        stream.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Fill a new folder, which takes the place of one of that name when the block ends well.

    The old one is moved aside first, so a process that is killed in the instant between leaves
    neither, but never half of one.

    Args:
        path: The folder; those above it are made.

    Raises:
        OutputError: Anything in the block or here cannot be written; the old folder is there.
    """
    temporary = _sibling(path)
    try:
        with write_faults_named(path):
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            yield temporary
            for written in (*temporary.rglob("*"), temporary):
                flush(written)
            with _moved_aside(path):
                temporary.rename(path)
            flush(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Delete a folder that loses its name at once; where that is impossible it stays whole."""
    with suppress(OSError), _moved_aside(path):
        pass


def remove_leftovers(folder: Path) -> None:
    """Delete what killed processes left in a folder that no other process writes to."""
    for path in folder.glob(".*.tmp"):
        shutil.rmtree(path, ignore_errors=True)


def check_file_writable(path: Path) -> None:
    """Refuse an output file early that could only fail after the work is done.

    Raises:
        OutputError: It is a directory, or its directory is missing or not writable.
    """
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a directory; give the name of a file")
    if not path.parent.is_dir():
        raise OutputError(f"cannot write {path}: there is no directory {path.parent}; create it")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"cannot write {path}: {path.parent} is read-only; choose another place")


def check_folder_writable(path: Path) -> None:
    """Find out before the work whether :func:`replacing_folder` can begin.

    Args:
        path: The folder; those above it are made.

    Raises:
        OutputError: It cannot.
    """
    probe = _sibling(path)
    with write_faults_named(path):
        probe.mkdir(parents=True)
        probe.rmdir()


def _sibling(path: Path, end: str = "tmp") -> Path:
    """A hidden name beside a path, of this process alone."""
    return path.with_name(f".{path.name}.{os.getpid()}.{end}")


@contextmanager
def _closing(stream: BinaryIO, path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        # Closing writes what is still buffered, so it can fail as writing can.
        with write_faults_named(path):
            stream.close()


@contextmanager
def _moved_aside(path: Path) -> Iterator[None]:
    """Take a folder's name away, for good when the block ends well."""
    old = _sibling(path, "old.tmp")
    shutil.rmtree(old, ignore_errors=True)
    with suppress(FileNotFoundError):
        path.rename(old)
    try:
        yield
    except BaseException:
        if old.exists():
            old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def flush(path: Path) -> None:
    """Have the disk hold a file, or the names in a folder, before anything that builds on it.

    Raises:
        OSError: It cannot.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
