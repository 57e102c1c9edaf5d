"""A program of somebody else: text in, text out, with bounds on its time and on what it writes."""

from __future__ import annotations

import os
import selectors
import shlex
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass

from molgfn.machine.process import how_it_ended

#: How much of a program's complaints is kept, bytes.
_KEPT_COMPLAINTS = 4096
#: A program that has ended may leave a child that holds its output open, which nothing tells.
_LOOK_AGAIN_S = 0.1


class ProgramError(Exception):
    """A program did not do its work; the message goes on from the program's name."""


@dataclass
class _Said:
    """What a program has written so far."""

    output: bytearray
    complaints: bytearray


def split_command(command: str) -> list[str]:
    """Split a command line as a shell would.

    Raises:
        ProgramError: There is no program in it, or a quotation has no end.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ProgramError(f"cannot be read: {error}") from error
    if not words or not words[0].strip():
        raise ProgramError("names no program")
    return words


def run_program(command: str, text: str, *, limit_s: float, most_bytes: int) -> str:
    """Run a program without a shell.

    Its standard error is read as well, however much it is, and its end is told when it fails. A
    program that is stopped takes its children along.

    Args:
        command: Command line, split as a shell would.
        text: Its standard input.
        limit_s: Time limit, seconds.
        most_bytes: Most bytes it may write to its standard output.

    Returns:
        What it wrote, decoded as UTF-8; what is none is replaced by a mark.

    Raises:
        ProgramError: It cannot be started, takes too long, writes too much or fails.
    """
    with tempfile.TemporaryFile() as stdin:
        try:
            # A file and not a pipe: the program reads when it likes, or never.
            stdin.write(text.encode())
            stdin.seek(0)
            process = subprocess.Popen(
                split_command(command),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise ProgramError(f"cannot be started: {error.strerror}{_cure(error)}") from error
        except ValueError as error:
            raise ProgramError(f"cannot be started: {error}") from error
    said = _Said(bytearray(), bytearray())
    try:
        _listen(process, said, limit_s, most_bytes)
    except BaseException:
        _stop(process)
        raise
    finally:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    if process.returncode != 0:
        raise ProgramError(f"{how_it_ended(process.returncode)}: {_last_words(said)}")
    return said.output.decode("utf-8-sig", "replace")


def _listen(process: subprocess.Popen[bytes], said: _Said, limit_s: float, most_bytes: int) -> None:
    """Read until the program has ended and both of its streams have, or nothing more comes."""
    too_long = f"ran longer than its {limit_s:g} s; raise timeout_s or make it faster"
    deadline = time.monotonic() + limit_s
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout or -1, selectors.EVENT_READ, said.output)
        selector.register(process.stderr or -1, selectors.EVENT_READ, said.complaints)
        while selector.get_map():
            has_ended = process.poll() is not None
            ready = selector.select(_LOOK_AGAIN_S)
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                key.data.extend(data)
                if not data:
                    selector.unregister(key.fileobj)
            del said.complaints[:-_KEPT_COMPLAINTS]
            if len(said.output) > most_bytes:
                raise ProgramError(
                    f"wrote more than {most_bytes / 1e6:g} MB; have it write results only"
                )
            if has_ended and not ready:
                _stop(process)  # a child of it holds the streams
                return
            if time.monotonic() > deadline:
                raise ProgramError(too_long)
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise ProgramError(too_long) from error


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _cure(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "; make it executable (chmod +x)"
    if isinstance(error, FileNotFoundError):
        return "; give its path from the directory where molgfn runs"
    return ""


def _last_words(said: _Said, limit: int = 300) -> str:
    """The end of a program's complaints as one line."""
    line = " ".join(said.complaints.decode("utf-8", "replace").split())
    return line[-limit:] if line else "nothing on stderr"
