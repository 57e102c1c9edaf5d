"""Asking the oracle in processes of this machine, which may crash or hang without doing harm."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import closing

from molgfn.active.answer import Answer
from molgfn.active.docked import dock_calls
from molgfn.active.executors import Call, ignore
from molgfn.active.oracle import OracleSpec
from molgfn.config.rounds_schema import VINA
from molgfn.errors import ScorerError
from molgfn.machine.cpus import available_cpus
from molgfn.machine.pool import Outcome, TaskQueue, WorkerPool
from molgfn.machine.process import Task

_WORKER = "molgfn.active.worker"


class LocalExecutor:
    """Processes of this machine, which exist only while there is something to ask."""

    def __init__(self, n_workers: int | None = None) -> None:
        """Start nothing yet.

        Args:
            n_workers: Processes; None for the CPUs that this process may use.
        """
        self._n_workers = available_cpus() if n_workers is None else n_workers

    def run(
        self, spec: OracleSpec, calls: Sequence[Call], on_start: Callable[[int], None] = ignore
    ) -> Generator[tuple[int, list[Answer]], None, None]:
        """Ask the oracle; see :meth:`molgfn.active.executors.Executor.run`.

        Docking has processes of its own; another oracle is opened in each process here. A call
        whose process dies, or in which the oracle breaks, is made again, ``spec.tries`` times in
        all; one that takes too long is not.
        """
        if spec.scorer == VINA:
            yield from dock_calls(spec, calls, self._n_workers, on_start)
            return
        queue = TaskQueue(
            Task(index, {"smiles": call}, spec.timeout_s * len(call))
            for index, call in enumerate(calls)
        )
        fault: ScorerError | None = None
        order = {"spec": spec.to_json(), "path": sys.path}
        with (
            closing(WorkerPool("scoring", _WORKER, order, self._n_workers)) as pool,
            closing(pool.run(queue, lambda task: on_start(task.key))) as outcomes,
        ):
            for outcome in outcomes:
                answers, broken = _read(outcome)
                if answers is not None:
                    yield outcome.task.key, answers
                elif fault is not None:
                    continue  # it has no answer and may be asked again
                elif outcome.task.tries + 1 < spec.tries:
                    queue.put_back(outcome.task.again())
                elif outcome.death:
                    yield outcome.task.key, _all_failed(outcome)
                else:
                    # Nothing more is handed out, but what is under way is paid for and waited for.
                    fault = ScorerError(broken)
                    queue.clear()
        if fault is not None:
            raise fault


def measure_apart(spec_json: str, smiles: Call) -> list[Answer]:
    """Ask the oracle in a process that is started for this call; pure and picklable.

    Args:
        spec_json: The oracle, as :meth:`OracleSpec.to_json` wrote it.
        smiles: Standard SMILES.

    Returns:
        Answers, in the order of the molecules.

    Raises:
        ScorerError: The oracle as a whole broke in every try.
    """
    ((_, answers),) = LocalExecutor(1).run(OracleSpec.from_json(spec_json), [smiles])
    return answers


def _read(outcome: Outcome) -> tuple[list[Answer] | None, str]:
    """Answers of a call, or None and how the oracle broke."""
    answer, n = outcome.answer, len(outcome.task.message["smiles"])
    if outcome.death:
        return None, ""
    if answer is None:
        reason = f"not answered within {outcome.task.limit_s:g} s"
        return [Answer.timed_out(reason, outcome.seconds / n)] * n, ""
    if "fault" in answer:
        return None, str(answer["fault"])
    return [Answer(**values) for values in answer["answers"]], ""


def _all_failed(outcome: Outcome) -> list[Answer]:
    n = len(outcome.task.message["smiles"])
    reason = f"the scoring process {outcome.death}"
    return [Answer.failed(reason, outcome.seconds / n, is_breakdown=True)] * n
