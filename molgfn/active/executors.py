"""Where the oracle is asked: processes of this machine, or those of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from molgfn.active.answer import Answer
from molgfn.active.oracle import OracleSpec

#: Molecules asked in one go, as standard SMILES.
Call = tuple[str, ...]


def ignore(_: int) -> None:
    """Do nothing when a call starts."""


class Executor(Protocol):
    """Asks an oracle in parallel."""

    def run(
        self, spec: OracleSpec, calls: Sequence[Call], on_start: Callable[[int], None] = ignore
    ) -> Generator[tuple[int, list[Answer]], None, None]:
        """Ask the oracle.

        Args:
            spec: The oracle.
            calls: The calls.
            on_start: Called with the index of a call just before it is handed out, in the
                iterating thread; once more for each retry on this machine.

        Yields:
            Index of each call and its answers, in the order of its molecules, as they come.

        Raises:
            ScorerError: The oracle as a whole broke in every try; raised after all answers that
                could still be had.
        """
        ...


def open_executor(
    scheduler: str | None, n_workers: int | None = None
) -> AbstractContextManager[Executor]:
    """Open the executor that asks the oracle.

    Args:
        scheduler: Address of a running Dask scheduler, such as ``tcp://host:8786``; None for
            processes of this machine.
        n_workers: Processes of this machine; None for as many as there are CPUs.

    Returns:
        The executor, to be used with ``with``.

    Raises:
        MolgfnError: The scheduler does not answer.
        MissingPackageError: A scheduler is given and Dask is not installed.
    """
    if scheduler is None:
        from molgfn.active.local import LocalExecutor

        return nullcontext(LocalExecutor(n_workers))
    from molgfn.active.dask import DaskExecutor

    return DaskExecutor(scheduler)
