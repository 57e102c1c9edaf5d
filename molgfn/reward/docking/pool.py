"""Docking in several processes at once: time limits, new workers for dead ones, when to stop.

Everything happens in the thread that calls, so workers die with it.
"""

from __future__ import annotations

import selectors
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from molgfn.errors import ScorerError
from molgfn.reward.docking.process import WorkerProcess
from molgfn.reward.docking.result import Docked

#: Time for a worker to load its libraries and compute its maps, seconds; usually it takes four.
START_LIMIT_S = 300.0
#: How often a molecule is tried whose worker dies: the first time may be somebody else's fault.
MAX_TRIES = 2


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How a job is run; no energy depends on it.

    Attributes:
        n_workers: Processes, about 550 MB each.
        time_limit_s: Time limit of a molecule, seconds.
        max_failures_in_row: Molecules that may fail one after the other before the job stops.
            Refused molecules do not count: only timeouts, crashes and faults of the engine.
    """

    n_workers: int
    time_limit_s: float
    max_failures_in_row: int


class WorkerPool:
    """Worker processes that are started when there is work and killed when they take too long."""

    def __init__(self, order: dict[str, Any], settings: PoolSettings) -> None:
        """Start nothing yet.

        Args:
            order: What every worker is told first.
            settings: How many workers and how patient.
        """
        self._order = order
        self._settings = settings
        self._workers: list[WorkerProcess] = []
        self._selector = selectors.DefaultSelector()
        self._failures_in_row = 0

    def run(self, tasks: Iterable[tuple[int, str]], n_tasks: int) -> Iterator[tuple[int, Docked]]:
        """Dock molecules.

        Args:
            tasks: Number and canonical SMILES of each; taken when a worker is free.
            n_tasks: How many there are at most: no more workers than that are started.

        Yields:
            Number and result of each molecule, in the order in which they are done.

        Raises:
            ScorerError: Workers cannot be started, or too many molecules failed in a row.
        """
        queue = _Queue(tasks)
        try:
            while True:
                self._hand_out(queue, n_tasks)
                if all(worker.task is None for worker in self._workers) and queue.is_empty:
                    return
                yield from self._collect(queue)
        finally:
            for worker in [w for w in self._workers if w.task is not None]:
                self._remove(worker)

    def close(self) -> None:
        """Kill all workers."""
        for worker in list(self._workers):
            self._remove(worker)
        self._selector.close()

    def _hand_out(self, queue: _Queue, n_tasks: int) -> None:
        for worker in self._workers:
            if worker.is_ready and worker.task is None:
                task = queue.next()
                if task is None:
                    return
                worker.give(task, self._settings.time_limit_s)
        while not queue.is_empty and len(self._workers) < min(self._settings.n_workers, n_tasks):
            self._workers.append(WorkerProcess(self._order, START_LIMIT_S))
            self._selector.register(self._workers[-1], selectors.EVENT_READ)

    def _collect(self, queue: _Queue) -> Iterator[tuple[int, Docked]]:
        """Wait until something happens, and tell what."""
        deadlines = [w.deadline for w in self._workers if not w.is_ready or w.task is not None]
        wait_s = max(0.0, min(deadlines) - time.monotonic())
        for key, _ in self._selector.select(wait_s):
            worker = key.fileobj
            if not isinstance(worker, WorkerProcess):
                raise TypeError("something else than a worker is waited for")
            answers, is_running = worker.read()
            for answer in answers:
                yield from self._heed(worker, answer)
            if not is_running:
                yield from self._bury(worker, queue)
        now = time.monotonic()
        for worker in [w for w in self._workers if w.deadline < now]:
            if not worker.is_ready:
                raise ScorerError(
                    f"a docking process was not ready within {START_LIMIT_S:g} s: "
                    f"{self._remove(worker)}"
                )
            if worker.task is not None:
                number, smiles, _ = worker.task
                self._remove(worker)
                result = Docked.timed_out(self._settings.time_limit_s)
                yield number, result
                self._count(smiles, result)

    def _heed(self, worker: WorkerProcess, answer: dict[str, Any]) -> Iterator[tuple[int, Docked]]:
        if "broken" in answer:
            raise ScorerError(f"docking cannot start: {answer['broken']}")
        if "ready" in answer:
            worker.is_ready = True
        elif worker.task is not None:
            number, smiles, _ = worker.task
            worker.task = None
            result = _read_result(answer)
            yield number, result
            self._count(smiles, result)

    def _bury(self, worker: WorkerProcess, queue: _Queue) -> Iterator[tuple[int, Docked]]:
        """Clear up after a worker that has died by itself."""
        worker.wait()
        how = self._remove(worker)
        if not worker.is_ready:
            raise ScorerError(f"a docking process died while it started: it {how}")
        if worker.task is None:
            return
        number, smiles, n_tries = worker.task
        if n_tries + 1 < MAX_TRIES:
            queue.put_back((number, smiles, n_tries + 1))
            return
        result = Docked.failed(f"the docking process {how}", final=False)
        yield number, result
        self._count(smiles, result)

    def _remove(self, worker: WorkerProcess) -> str:
        self._selector.unregister(worker)
        self._workers.remove(worker)
        return worker.stop()

    def _count(self, smiles: str, result: Docked) -> None:
        """Stop a job in which nothing works any more."""
        if result.final:
            self._failures_in_row = 0
            return
        self._failures_in_row += 1
        if self._failures_in_row >= self._settings.max_failures_in_row:
            raise ScorerError(
                f"docking stopped after {self._failures_in_row} failures in a row; the last, "
                f"{smiles}: {result.reason}; what was docked is kept and need not be done again"
            )


class _Queue:
    """Tasks to do, with those put back first."""

    def __init__(self, tasks: Iterable[tuple[int, str]]) -> None:
        self._tasks = iter(tasks)
        self._ahead: deque[tuple[int, str, int]] = deque()

    @property
    def is_empty(self) -> bool:
        task = self.next()
        if task is None:
            return True
        self.put_back(task)
        return False

    def next(self) -> tuple[int, str, int] | None:
        if self._ahead:
            return self._ahead.popleft()
        fresh = next(self._tasks, None)
        return None if fresh is None else (*fresh, 0)

    def put_back(self, task: tuple[int, str, int]) -> None:
        self._ahead.appendleft(task)


def _read_result(answer: dict[str, Any]) -> Docked:
    if "energy" in answer:
        return Docked(float(answer["energy"]), "ok", "", str(answer["molblock"]))
    if "fault" in answer:
        return Docked.failed(f"the docking engine failed: {answer['fault']}", final=False)
    return Docked.failed(str(answer["reason"]), final=bool(answer["final"]))
