"""One worker process seen from the parent: give it a molecule, read its answer, kill it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import molgfn

_COMMAND = (sys.executable, "-P", "-m", "molgfn.reward.docking.worker")


class WorkerProcess:
    """A running worker.

    Attributes:
        task: What it is docking, None while it starts or waits.
        is_ready: Whether it has started up and computed its maps.
        deadline: When it will have taken too long for what it does now, monotonic seconds.
    """

    def __init__(self, order: dict[str, Any], start_limit_s: float) -> None:
        """Start it; it dies with the thread that calls this.

        Args:
            order: What it is told first; see :func:`molgfn.reward.docking.worker.encode_order`.
            start_limit_s: Time it has to get ready, seconds.
        """
        # Not a pipe: a library may say more than a pipe that nobody reads can hold.
        self._complaints, name = tempfile.mkstemp()
        Path(name).unlink()
        self._process = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=_environment(),
        )
        self._partial = b""
        self.task: tuple[int, str, int] | None = None
        self.is_ready = False
        self.deadline = time.monotonic() + start_limit_s
        os.set_blocking(self.fileno(), False)
        self._send(order)

    def fileno(self) -> int:
        """Descriptor to wait on for an answer."""
        stream = self._process.stdout
        if stream is None:
            raise ValueError("the worker has no standard output")
        return stream.fileno()

    def give(self, task: tuple[int, str, int], limit_s: float) -> None:
        """Have it dock a molecule.

        Args:
            task: Number, SMILES and how many times it has been tried before.
            limit_s: Time limit, seconds.
        """
        self.task = task
        self.deadline = time.monotonic() + limit_s
        self._send({"smiles": task[1]})

    def read(self) -> tuple[list[dict[str, Any]], bool]:
        """Read what it has written; never waits.

        Returns:
            Its answers, and whether it is still running.
        """
        is_open = True
        while True:
            try:
                data = os.read(self.fileno(), 1 << 16)
            except BlockingIOError:
                break
            if not data:
                is_open = False
                break
            self._partial += data
        *lines, self._partial = self._partial.split(b"\n")
        return [json.loads(line) for line in lines], is_open

    def stop(self) -> str:
        """Kill it, if it still runs.

        Returns:
            How it ended, with the end of what it said on standard error.
        """
        self._process.kill()
        code = self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):  # what it never read cannot be flushed
                    stream.close()
        size = os.fstat(self._complaints).st_size
        said = os.pread(self._complaints, 1000, max(0, size - 1000)).decode("utf-8", "replace")
        os.close(self._complaints)
        words = " ".join(said.split())
        return _how(code) + (f": {words[-200:]}" if words else "")

    def wait(self) -> None:
        """Wait for a process whose output has ended, so that its own exit code is seen."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)

    def _send(self, values: dict[str, Any]) -> None:
        if self._process.stdin is None:
            raise ValueError("the worker has no standard input")
        # A dead worker is noticed by its output ending.
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(values).encode() + b"\n")
            self._process.stdin.flush()


def _environment() -> dict[str, str]:
    """One thread each, and this molgfn even where it runs from a folder that is not installed."""
    package = str(Path(molgfn.__file__).parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    with suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by signal {-code}"
