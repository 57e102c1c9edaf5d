"""Asking the oracle on the machines of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from types import TracebackType
from typing import Any

from molgfn.active.answer import Answer
from molgfn.active.executors import Call, ignore
from molgfn.active.local import measure_apart
from molgfn.active.oracle import OracleSpec
from molgfn.errors import MissingPackageError, MolgfnError, ScorerError

#: Calls handed out per thread of the cluster: one runs while the next is on its way.
CALLS_PER_THREAD = 2
#: Time limit for the first answer of the scheduler, seconds.
_CONNECT_LIMIT_S = 10.0


class DaskExecutor:
    """A client of a running scheduler.

    A worker of the cluster asks the oracle in a process of its own, as a single machine does, and
    keeps time limits and tries there. The call of a lost worker goes to another one.
    """

    def __init__(self, address: str) -> None:
        """Connect.

        Args:
            address: Address of the scheduler, such as ``tcp://host:8786``.

        Raises:
            MissingPackageError: Dask is not installed.
            MolgfnError: The scheduler does not answer.
        """
        try:
            import distributed
        except ImportError as error:
            raise MissingPackageError(
                "a Dask scheduler needs the package distributed; install it with "
                "`pip install 'molgfn[dask]'`"
            ) from error
        self._distributed: Any = distributed
        self._address = address
        try:
            self._client: Any = distributed.Client(
                address, timeout=_CONNECT_LIMIT_S, set_as_default=False
            )
        # A wrong scheme is a ValueError, one that lacks certificates a TypeError.
        except (OSError, ValueError, TypeError) as error:
            raise MolgfnError(
                f"no Dask scheduler answers at {address!r} ({' '.join(str(error).split())}); "
                "start one with `dask scheduler`, or leave --scheduler out to use this machine"
            ) from error

    def __enter__(self) -> DaskExecutor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def run(
        self, spec: OracleSpec, calls: Sequence[Call], on_start: Callable[[int], None] = ignore
    ) -> Generator[tuple[int, list[Answer]], None, None]:
        """Ask the oracle; see :meth:`molgfn.active.executors.Executor.run`."""
        waiting = iter(range(len(calls)))
        under_way: dict[Any, int] = {}
        # With results: they are fetched at once, because those of a worker that dies are lost.
        done = self._distributed.as_completed(
            loop=self._client.loop, with_results=True, raise_errors=False
        )
        fault: MolgfnError | None = None
        try:
            while True:
                room = 0 if fault is not None else self._n_calls() - len(under_way)
                for _, index in zip(range(room), waiting, strict=False):
                    on_start(index)
                    future = self._client.submit(
                        measure_apart, spec.to_json(), calls[index], pure=False
                    )
                    under_way[future] = index
                    done.add(future)
                if not under_way:
                    break
                future, result = next(done)
                index = under_way.pop(future)
                try:
                    if future.status == "finished":
                        answers: list[Answer] = result
                    else:
                        answers = self._failures(future, calls[index])
                except MolgfnError as error:
                    # Nothing more is handed out, but what is under way is paid for and waited for.
                    fault = error
                else:
                    yield index, answers
        finally:
            self._client.cancel(list(under_way))
        if fault is not None:
            raise fault

    def _n_calls(self) -> int:
        """Calls that may be under way; the cluster may grow and shrink."""
        try:
            n_threads: int = sum(self._client.nthreads().values())
        except (OSError, ValueError) as error:
            raise self._failed(error) from error
        return CALLS_PER_THREAD * max(1, n_threads)

    def _failures(self, future: Any, call: Call) -> list[Answer]:
        """Answers to a call that was lost with every worker that had it."""
        try:
            future.result()
        except MolgfnError:
            raise
        except self._distributed.KilledWorker as error:
            reason = " ".join(str(error).split())
            return [Answer.failed(reason, is_breakdown=True)] * len(call)
        except Exception as error:  # whatever a cluster fails with is reported with its address
            raise self._failed(error) from error
        raise ValueError("the call has a result")

    def _failed(self, error: Exception) -> ScorerError:
        what = " ".join(str(error).split())
        return ScorerError(
            f"the Dask cluster at {self._address} failed, {type(error).__name__}: {what}; its "
            "scheduler must run, and it and its workers need the same molgfn installed"
        )
