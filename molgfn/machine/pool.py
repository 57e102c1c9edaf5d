"""Tasks in parallel processes, with time limits, and new workers in place of dead ones.

Everything happens in the calling thread, so workers die with it.
"""

from __future__ import annotations

import selectors
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from molgfn.errors import ScorerError
from molgfn.machine.process import Task, WorkerProcess

#: Time for a worker to load its libraries and get ready, seconds; four are usual.
START_LIMIT_S = 300.0
#: The kernel refuses to wait longer than some weeks, seconds.
_LONGEST_WAIT_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ended.

    Attributes:
        task: The task.
        seconds: Time it took, seconds.
        answer: The worker's answer; None if it died or took too long.
        death: How the worker died; ``""`` if it answered or took too long.
    """

    task: Task
    seconds: float
    answer: dict[str, Any] | None
    death: str = ""


class TaskQueue:
    """Tasks to do, drawn only as workers need them; those put back come first."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = iter(tasks)
        self._ahead: deque[Task] = deque()

    def holds(self, n: int) -> bool:
        """Whether at least n tasks are left; n are drawn."""
        self._ahead.extend(islice(self._tasks, max(0, n - len(self._ahead))))
        return len(self._ahead) >= n

    def next(self) -> Task | None:
        """Take a task; None when nothing is left."""
        return self._ahead.popleft() if self.holds(1) else None

    def put_back(self, task: Task) -> None:
        """Put a task in front of all others."""
        self._ahead.appendleft(task)

    def clear(self) -> None:
        """Drop what is left."""
        self._tasks = iter(())
        self._ahead.clear()


class WorkerPool:
    """Worker processes that start when there is work and are killed when they take too long."""

    def __init__(self, name: str, module: str, order: dict[str, Any], n_workers: int) -> None:
        """Start nothing yet.

        Args:
            name: What messages call the work, such as ``docking``.
            module: Module that a worker runs.
            order: What every worker is told first, JSON values.
            n_workers: Processes at most.
        """
        self._name, self._module, self._order = name, module, order
        self._n_workers = n_workers
        self._workers: list[WorkerProcess] = []
        self._selector = selectors.DefaultSelector()

    def run(
        self, queue: TaskQueue, on_start: Callable[[Task], None] = lambda _: None
    ) -> Generator[Outcome, None, None]:
        """Do tasks.

        Args:
            queue: The tasks; the caller may put one back while this runs.
            on_start: Called with each task just before a worker gets it.

        Yields:
            Outcomes, in the order in which tasks end. A task with neither answer nor death took
            too long.

        Raises:
            ScorerError: Workers cannot be started.
        """
        try:
            while True:
                self._hand_out(queue, on_start)
                if all(worker.task is None for worker in self._workers) and not queue.holds(1):
                    return
                yield from self._collect()
        finally:
            for worker in [w for w in self._workers if w.task is not None]:
                self._remove(worker)

    def close(self) -> None:
        """Kill all workers."""
        for worker in list(self._workers):
            self._remove(worker)
        self._selector.close()

    def _hand_out(self, queue: TaskQueue, on_start: Callable[[Task], None]) -> None:
        for worker in self._workers:
            # One that has died idle is found when its output is read.
            if worker.is_ready and worker.task is None and worker.is_running:
                task = queue.next()
                if task is None:
                    return
                on_start(task)
                worker.give(task)
        n_starting = sum(not worker.is_ready for worker in self._workers)
        while len(self._workers) < self._n_workers and queue.holds(n_starting + 1):
            self._workers.append(WorkerProcess(self._module, self._order, START_LIMIT_S))
            self._selector.register(self._workers[-1], selectors.EVENT_READ)
            n_starting += 1

    def _collect(self) -> Iterator[Outcome]:
        """Wait for something to happen and report it."""
        deadlines = [w.deadline for w in self._workers if not w.is_ready or w.task is not None]
        # Without any deadline all workers are dead.
        wait_s = max(0.0, min(deadlines, default=0.0) - time.monotonic())
        for key, _ in self._selector.select(min(wait_s, _LONGEST_WAIT_S)):
            worker = key.fileobj
            if not isinstance(worker, WorkerProcess):
                raise TypeError("the selector holds something that is no worker")
            answers, is_running = worker.read()
            for answer in answers:
                yield from self._heed(worker, answer)
            if not is_running:
                yield from self._bury(worker)
        now = time.monotonic()
        for worker in [w for w in self._workers if w.deadline < now]:
            if not worker.is_ready:
                raise ScorerError(
                    f"a {self._name} process was not ready within {START_LIMIT_S:g} s: "
                    f"{self._remove(worker)}"
                )
            if worker.task is not None:
                task, seconds = worker.task, worker.busy_s
                self._remove(worker)
                yield Outcome(task, seconds, None)

    def _heed(self, worker: WorkerProcess, answer: dict[str, Any]) -> Iterator[Outcome]:
        if "broken" in answer:
            raise ScorerError(f"{self._name} cannot start: {answer['broken']}")
        if "ready" in answer:
            worker.is_ready = True
        elif worker.task is not None:
            task, worker.task = worker.task, None
            yield Outcome(task, worker.busy_s, answer)

    def _bury(self, worker: WorkerProcess) -> Iterator[Outcome]:
        """Clean up after a worker that died by itself."""
        worker.wait()
        seconds, how = worker.busy_s, self._remove(worker)
        if not worker.is_ready:
            raise ScorerError(f"a {self._name} process died while it started: it {how}")
        if worker.task is not None:
            yield Outcome(worker.task, seconds, None, how)

    def _remove(self, worker: WorkerProcess) -> str:
        self._selector.unregister(worker)
        self._workers.remove(worker)
        return worker.stop()
