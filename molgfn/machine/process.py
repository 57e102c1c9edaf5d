"""A worker process as its parent sees it: give it a task, read its answer, kill it."""

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

#: Grace period before a worker is killed, seconds: it may have to end a program that it started.
_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Task:
    """Work for a worker.

    Attributes:
        key: The caller's name for it.
        message: What the worker is told, JSON values.
        limit_s: Time limit, seconds.
        tries: Times it was tried before.
    """

    key: Any
    message: dict[str, Any]
    limit_s: float
    tries: int = 0

    def again(self) -> Task:
        """The same task, for one more try."""
        return replace(self, tries=self.tries + 1)


class WorkerProcess:
    """A running worker.

    Attributes:
        task: Its task, None while it starts or idles.
        is_ready: Whether it has started up.
        deadline: When its start or its task times out, on the monotonic clock, seconds.
    """

    def __init__(self, module: str, order: dict[str, Any], start_limit_s: float) -> None:
        """Start it; it dies with the calling thread.

        Args:
            module: Module to run, which calls :func:`molgfn.machine.serving.serve`.
            order: What it is told first, JSON values.
            start_limit_s: Time limit for its start, seconds.
        """
        # Not a pipe: a library may write more than an unread pipe holds.
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
        """Descriptor that is readable when an answer has come."""
        stream = self._process.stdout
        if stream is None:
            raise ValueError("the worker has no standard output")
        return stream.fileno()

    @property
    def inlet(self) -> int:
        """Descriptor that is writable when more can be sent."""
        stream = self._process.stdin
        if stream is None:
            raise ValueError("the worker has no standard input")
        return stream.fileno()

    @property
    def has_unsent(self) -> bool:
        """Whether posted messages are still waiting for room in its pipe."""
        return bool(self._unsent)

    @property
    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self._process.poll() is None

    @property
    def busy_s(self) -> float:
        """Time since it was given its task, seconds."""
        return time.monotonic() - self._began

    def give(self, task: Task) -> None:
        """Hand it a task and start its clock."""
        self.task = task
        self._began = time.monotonic()
        self.deadline = self._began + task.limit_s
        self._send(task.message)

    def post(self, message: dict[str, Any]) -> None:
        """Queue a message, JSON values, behind those it has not answered yet; never blocks."""
        self._unsent += json.dumps(message).encode() + b"\n"
        self.push()

    def push(self) -> None:
        """Send what waits for room in its pipe; never blocks."""
        with suppress(BlockingIOError):
            while self._unsent:
                try:
                    n_sent = os.write(self.inlet, self._unsent)
                except BrokenPipeError:  # a dead worker is noticed by its output ending
                    n_sent = len(self._unsent)
                self._unsent = self._unsent[n_sent:]

    def read(self) -> tuple[list[dict[str, Any]], bool]:
        """Read what it has written; never blocks."""
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
        """End it if it still runs."""
        # Most die of this at once; one that started a program ends that first.
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
        return how_it_ended(code) + (f": {words[-200:]}" if words else "")

    def wait(self) -> None:
        """Wait for a process whose output has ended, to see its own exit code."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)

    def _send(self, values: dict[str, Any]) -> None:
        """Send a message and wait until all of it is in the pipe."""
        self.post(values)
        with selectors.DefaultSelector() as selector:
            selector.register(self.inlet, selectors.EVENT_WRITE)
            while self._unsent:
                selector.select()
                self.push()


@contextmanager
def _sigint_held_back() -> Iterator[None]:
    """Shield processes that start here from Ctrl-C, which reaches the whole process group."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _environment() -> dict[str, str]:
    """One thread each, and this very molgfn, even if it runs uninstalled from a folder."""
    package = str(Path(molgfn.__file__).parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}


def how_it_ended(code: int) -> str:
    """How a process ended, by its return code: its exit code or the signal."""
    if code >= 0:
        return f"ended with exit code {code}"
    with suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by signal {-code}"
