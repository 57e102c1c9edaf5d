"""Asking the oracle for a round: no answer is lost, and nothing is asked twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from molgfn.active.executors import Executor
from molgfn.active.ledger import Ledger
from molgfn.active.oracle import OracleSpec
from molgfn.errors import ScorerError

#: Calls in a row that end in timeouts or dead processes before the asking stops.
MAX_FAILURES_IN_ROW = 10


def ask(
    ledger: Ledger,
    executor: Executor,
    spec: OracleSpec,
    number: int,
    *,
    molecules_per_call: int,
    on_done: Callable[[int], None] = lambda _: None,
) -> None:
    """Ask the oracle for every molecule of a round that has no answer yet, and enter its answers.

    Args:
        ledger: The ledger, with the round planned.
        executor: Where the oracle is asked.
        spec: The oracle.
        number: The round.
        molecules_per_call: Molecules of one call.
        on_done: Called with the number of molecules answered since the last call.

    Raises:
        ScorerError: The oracle broke as a whole, or too many calls failed in a row; its answers
            are in the ledger, and asking again asks for the rest.
        OutputError: The ledger cannot be written.
    """
    rows = ledger.unanswered(number)
    batches = [rows[i : i + molecules_per_call] for i in range(0, len(rows), molecules_per_call)]
    calls = [tuple(row.smiles for row in batch) for batch in batches]

    def note_start(index: int) -> None:
        ledger.started([row.entry for row in batches[index]])

    failures_in_row = 0
    with closing(executor.run(spec, calls, note_start)) as answered:
        for index, answers in answered:
            with ledger.transaction():
                for row, answer in zip(batches[index], answers, strict=True):
                    ledger.finish(row.entry, answer)
            on_done(len(answers))
            broke = all(answer.is_breakdown for answer in answers)
            failures_in_row = failures_in_row + 1 if broke else 0
            if failures_in_row >= MAX_FAILURES_IN_ROW:
                raise ScorerError(
                    f"the oracle was given up after {failures_in_row} failures in a row; the "
                    f"last, {calls[index][-1]}: {answers[-1].reason}; all answers are kept"
                )
