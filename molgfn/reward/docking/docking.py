"""Docking molecules: one object that joins target, worker processes and cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np

from molgfn.chem.molecule import Molecule
from molgfn.errors import ScorerError
from molgfn.machine.cpus import available_cpus
from molgfn.machine.pool import Outcome, TaskQueue, WorkerPool
from molgfn.machine.process import Task
from molgfn.machine.remembered import Calls, Compute, Remembered, in_order
from molgfn.reward.docking.cache import ResultCache, ResultKind, default_cache_file
from molgfn.reward.docking.docking_target import DockingTarget
from molgfn.reward.docking.ligand import LigandError, check_ligand
from molgfn.reward.docking.packages import engine_versions, require_engine
from molgfn.reward.docking.pdbqt import check_receptor
from molgfn.reward.docking.result import Docked
from molgfn.reward.docking.settings import PRESETS, DockingSettings
from molgfn.reward.docking.worker import encode_order
from molgfn.reward.protocol import Scores

#: Makes the docking function of a worker.
VINA_DOCKER = "molgfn.reward.docking.procedure:vina_docker"
#: Time limit of a molecule for each of its conformers, seconds; three are usual.
TIME_LIMIT_S = 300.0
MAX_FAILURES_IN_ROW = 10
#: Tries of a molecule whose worker dies: the first death may have another cause.
MAX_TRIES = 2
_WORKER = "molgfn.reward.docking.worker"


class Docking:
    """Docks molecules into one target; it is a scorer too.

    Open it in a ``with`` statement: worker processes live until it is closed.

        with Docking(find_target("PARP1")) as docking:
            for molecule, docked in zip(molecules, docking.dock(molecules)):
                print(molecule.smiles, docked.energy_kcal_mol, docked.reason)
    """

    def __init__(
        self,
        target: DockingTarget,
        settings: DockingSettings = PRESETS["default"],
        *,
        n_workers: int | None = None,
        time_limit_s: float | None = None,
        max_failures_in_row: int = MAX_FAILURES_IN_ROW,
        tries: int = MAX_TRIES,
        cache_file: Path | None = None,
        docker: str = VINA_DOCKER,
    ) -> None:
        """Open the cache; processes start with the first molecule that it lacks.

        Args:
            target: Receptor and box.
            settings: Search effort and seeds.
            n_workers: Processes, about 550 MB each; None for the CPUs that this process may use.
            time_limit_s: Time limit of a molecule, seconds; None for ``TIME_LIMIT_S`` a conformer.
            max_failures_in_row: Timeouts, crashes and faults of the engine one after the other
                that stop the job. Refused molecules do not count.
            tries: Tries of a molecule whose process dies.
            cache_file: Where results are kept; None for the file all commands share.
            docker: ``module:function`` that makes the docking function in a worker.

        Raises:
            MissingPackageError: The packages for docking are not installed.
            TargetError: The receptor cannot be read, or holds what vina does not know.
            OutputError: The cache cannot be used.
        """
        if docker == VINA_DOCKER:
            require_engine()
            check_receptor(target)
            versions = engine_versions()
            self.engine = ", ".join(f"{name} {number}" for name, number in versions.items())
        else:
            self.engine = docker
        self.target = target
        self.settings = settings
        kind = ResultKind(target.digest, settings.digest, self.engine)
        self._cache = ResultCache(default_cache_file() if cache_file is None else cache_file, kind)
        self._remembered = Remembered(self._cache)
        workers = available_cpus() if n_workers is None else n_workers
        order = encode_order(docker, target, settings)
        self._pool = WorkerPool("docking", _WORKER, order, workers)
        self._limit_s = TIME_LIMIT_S * settings.conformers if time_limit_s is None else time_limit_s
        self._tries = tries
        self._max_failures_in_row = max_failures_in_row
        self._failures_in_row = 0

    def __enter__(self) -> Docking:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill the workers and close the cache."""
        self._pool.close()
        self._cache.close()

    @property
    def calls(self) -> Calls:
        """Molecules docked, and those whose result was kept before."""
        return self._remembered.calls

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column, such as ``PARP1_docked_kcal_mol``."""
        return (self.target.energy_column,)

    def __call__(self, molecules: Sequence[Molecule]) -> Scores:
        """Dock molecules as a scorer does: energies, NaN with a reason where there is none.

        Raises:
            ScorerError: See :meth:`dock`.
        """
        results = list(self.dock(molecules))
        energies = np.array([result.energy_kcal_mol for result in results], dtype=np.float64)
        return Scores({self.columns[0]: energies}, tuple(result.reason for result in results))

    def dock(
        self, molecules: Sequence[Molecule], on_done: Callable[[int], None] = lambda _: None
    ) -> Iterator[Docked]:
        """Dock molecules; repeats and molecules docked before cost nothing.

        Args:
            molecules: Molecules.
            on_done: Called with the number of molecules done since the last call.

        Yields:
            The result of every molecule, in their order, as soon as those before it are done.

        Raises:
            ScorerError: Docking does not start, or too many molecules failed in a row.
            OutputError: The cache cannot be used.
        """
        counts = Counter(molecules)

        def done() -> Iterator[tuple[Molecule, Docked]]:
            for molecule, result in self._find(molecules, self._compute_patiently):
                on_done(counts[molecule])
                yield molecule, result

        yield from in_order(molecules, done())

    def results(
        self, molecules: Iterable[Molecule], on_start: Callable[[Molecule], None]
    ) -> Generator[tuple[Molecule, Docked], None, None]:
        """Dock molecules for a caller that counts failures in a row itself.

        Args:
            molecules: Molecules.
            on_start: Called with a molecule just before a process gets it, for each try.

        Yields:
            Each distinct molecule with its result: those known before first, the others as they
            are done.

        Raises:
            ScorerError: Docking does not start.
            OutputError: The cache cannot be used.
        """
        return self._find(molecules, lambda missing: self._compute(missing, on_start))

    def _find(
        self, molecules: Iterable[Molecule], compute: Compute[Molecule, Docked]
    ) -> Generator[tuple[Molecule, Docked], None, None]:
        """Refuse what cannot be docked, look up what is known and compute the rest."""
        accepted: list[Molecule] = []
        for molecule in dict.fromkeys(molecules):
            try:
                check_ligand(molecule.mol)
            except LigandError as error:
                yield molecule, Docked.failed(str(error), final=True)
            else:
                accepted.append(molecule)
        yield from self._remembered(accepted, compute)

    def _compute(
        self, molecules: Iterator[Molecule], on_start: Callable[[Molecule], None] = lambda _: None
    ) -> Generator[tuple[Molecule, Docked], None, None]:
        queue = TaskQueue(Task(m, {"smiles": m.smiles}, self._limit_s) for m in molecules)
        with closing(self._pool.run(queue, lambda task: on_start(task.key))) as outcomes:
            for outcome in outcomes:
                if outcome.death and outcome.task.tries + 1 < self._tries:
                    queue.put_back(outcome.task.again())
                else:
                    yield outcome.task.key, replace(_read(outcome), cost_s=outcome.seconds)

    def _compute_patiently(
        self, molecules: Iterator[Molecule]
    ) -> Generator[tuple[Molecule, Docked], None, None]:
        """Dock until nothing works any more."""
        with closing(self._compute(molecules)) as computed:
            for molecule, result in computed:
                yield molecule, result
                self._failures_in_row = 0 if result.final else self._failures_in_row + 1
                if self._failures_in_row >= self._max_failures_in_row:
                    raise ScorerError(
                        f"docking stopped after {self._failures_in_row} failures in a row; the "
                        f"last, {molecule.smiles}: {result.reason}; what was docked is kept and "
                        "need not be done again"
                    )


def _read(outcome: Outcome) -> Docked:
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
