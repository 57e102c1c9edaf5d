"""Docking in several processes at once: what counts as a failure, and when to stop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from molgfn.errors import ScorerError
from molgfn.machine.pool import Outcome, TaskQueue, WorkerPool
from molgfn.machine.process import Task
from molgfn.reward.docking.result import Docked

#: How often a molecule is tried whose worker dies: the first time may be somebody else's fault.
MAX_TRIES = 2
_WORKER = "molgfn.reward.docking.worker"


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


class DockingPool:
    """Worker processes that dock."""

    def __init__(self, order: dict[str, Any], settings: PoolSettings) -> None:
        """Start nothing yet.

        Args:
            order: What every worker is told first.
            settings: How many workers and how patient.
        """
        self._settings = settings
        self._pool = WorkerPool("docking", _WORKER, order, settings.n_workers)
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
        limit_s = self._settings.time_limit_s
        queue = TaskQueue(Task(number, {"smiles": smiles}, limit_s) for number, smiles in tasks)
        with closing(self._pool.run(queue, n_tasks)) as outcomes:
            for outcome in outcomes:
                if outcome.death and outcome.task.tries + 1 < MAX_TRIES:
                    queue.put_back(outcome.task.again())
                    continue
                result = _read_result(outcome)
                yield outcome.task.number, result
                self._count(outcome.task.message["smiles"], result)

    def close(self) -> None:
        """Kill all workers."""
        self._pool.close()

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


def _read_result(outcome: Outcome) -> Docked:
    answer = outcome.answer
    if outcome.death:
        return Docked.failed(f"the docking process {outcome.death}", final=False)
    if answer is None:
        return Docked.timed_out(outcome.task.limit_s)
    if "energy" in answer:
        return Docked(float(answer["energy"]), "ok", "", str(answer["molblock"]))
    if "fault" in answer:
        return Docked.failed(f"the docking engine failed: {answer['fault']}", final=False)
    return Docked.failed(str(answer["reason"]), final=bool(answer["final"]))
