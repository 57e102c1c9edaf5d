"""One worker process seen from the parent: give it a task, read its answer, kill it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import molgfn

#: Time that a worker which is told to end has for ending what it started itself, seconds.
_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is to do.

    Attributes:
        key: What the caller knows it by.
        message: What the worker is told, JSON values.
        limit_s: Time limit, seconds.
        tries: Times it was tried before.
    """

    key: Any
    message: dict[str, Any]
    limit_s: float
    tries: int = 0

    def again(self) -> Task:
        """The same task, tried once more."""
        return replace(self, tries=self.tries + 1)


class WorkerProcess:
    """A running worker.

    Attributes:
        task: What it is doing, None while it starts or waits.
        is_ready: Whether it has started up.
        deadline: When it will have taken too long for what it does now, monotonic seconds.
    """

    def __init__(self, module: str, order: dict[str, Any], start_limit_s: float) -> None:
        """Start it; it dies with the thread that calls this.

        Args:
            module: Module that is run; it calls :func:`molgfn.machine.serving.serve`.
            order: What it is told first, JSON values.
            start_limit_s: Time it has to get ready, seconds.
        """
        # Not a pipe: a library may say more than a pipe that nobody reads can hold.
        self._complaints, name = tempfile.mkstemp()
        Path(name).unlink()
        with _sigint_held_back():
            self._process = subprocess.Popen(
                (sys.executable, "-P", "-m", module),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                env=_environment(),
            )
        self._partial = self._unsent = b""
        self._began = time.monotonic()
        self.task: Task | None = None
        self.is_ready = False
        self.deadline = self._began + start_limit_s
        for descriptor in (self.fileno(), self.inlet):
            os.set_blocking(descriptor, False)
        self._send(order | {"parent": os.getpid()})

    def fileno(self) -> int:
        """Descriptor to wait on for an answer."""
        stream = self._process.stdout
        if stream is None:
            raise ValueError("the worker has no standard output")
        return stream.fileno()

    @property
    def inlet(self) -> int:
        """Descriptor to wait on where there is something unsent."""
        stream = self._process.stdin
        if stream is None:
            raise ValueError("the worker has no standard input")
        return stream.fileno()

    @property
    def has_unsent(self) -> bool:
        """Whether its pipe had no room for all that was posted."""
        return bool(self._unsent)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    @property
    def busy_s(self) -> float:
        """Time since it got its task, seconds."""
        return time.monotonic() - self._began

    def give(self, task: Task) -> None:
        """Have it do a task.

        Args:
            task: The task.
        """
        self.task = task
        self._began = time.monotonic()
        self.deadline = self._began + task.limit_s
        self._send(task.message)

    def post(self, message: dict[str, Any]) -> None:
        """Have it do something once it has done all that it was told before; never waits.

        Args:
            message: What it is told, JSON values.
        """
        self._unsent += json.dumps(message).encode() + b"\n"
        self.push()

    def push(self) -> None:
        """Send on what its pipe had no room for; never waits."""
        with suppress(BlockingIOError):
            while self._unsent:
                try:
                    n_sent = os.write(self.inlet, self._unsent)
                except BrokenPipeError:  # a dead worker is noticed by its output ending
                    n_sent = len(self._unsent)
                self._unsent = self._unsent[n_sent:]

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
        """End it, if it still runs.

        Returns:
            How it ended, with the end of what it said on standard error.
        """
        # Most die of this at once; one that has started a program ends that first.
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_GRACE_S)
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
        """Tell it something, and wait until all is in its pipe."""
        self.post(values)
        with selectors.DefaultSelector() as selector:
            selector.register(self.inlet, selectors.EVENT_WRITE)
            while self._unsent:
                selector.select()
                self.push()


@contextmanager
def _sigint_held_back() -> Iterator[None]:
    """Ctrl-C, which reaches the whole group of processes, never ends one that starts in here."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
