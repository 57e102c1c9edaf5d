"""Docking molecules: the one object that puts target, workers and cache together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from molgfn.chem.molecule import Molecule
from molgfn.machine.cpus import available_cpus
from molgfn.reward.docking.cache import ResultCache, ResultKind, default_cache_file
from molgfn.reward.docking.ligand import LigandError, check_ligand
from molgfn.reward.docking.packages import engine_versions, require_engine
from molgfn.reward.docking.pool import DockingPool, PoolSettings
from molgfn.reward.docking.result import Docked
from molgfn.reward.docking.settings import PRESETS, DockingSettings
from molgfn.reward.docking.target import Target
from molgfn.reward.docking.worker import encode_order
from molgfn.reward.protocol import Scores

#: What a worker calls to make its docking function.
VINA_DOCKER = "molgfn.reward.docking.protocol:vina_docker"
#: Time limit of a molecule for each of its conformers, seconds; three are usual.
TIME_LIMIT_S = 300.0
MAX_FAILURES_IN_ROW = 10


class Docking:
    """Docks molecules into one target; a scorer too.

    Open it with ``with``: worker processes live until it is closed.

        with Docking(find_target("PARP1")) as docking:
            for molecule, docked in zip(molecules, docking.dock(molecules)):
                print(molecule.smiles, docked.energy_kcal_mol, docked.reason)
    """

    def __init__(
        self,
        target: Target,
        settings: DockingSettings = PRESETS["default"],
        *,
        n_workers: int | None = None,
        time_limit_s: float | None = None,
        max_failures_in_row: int = MAX_FAILURES_IN_ROW,
        cache_file: Path | None = None,
        docker: str = VINA_DOCKER,
    ) -> None:
        """Open the cache; no process is started before there is a molecule that it lacks.

        Args:
            target: Receptor and box.
            settings: How hard to search.
            n_workers: Processes; None for the CPUs that this process may use.
            time_limit_s: Time limit of a molecule, seconds; None for ``TIME_LIMIT_S`` a conformer.
            max_failures_in_row: Timeouts, crashes and faults of the engine one after the other
                that stop the job.
            cache_file: Where results are kept; None for the file all commands share.
            docker: ``module:function`` that makes a docking function in a worker.

        Raises:
            MissingPackageError: The packages for docking are not installed.
            TargetError: The receptor cannot be read.
            OutputError: The cache cannot be used.
        """
        if docker == VINA_DOCKER:
            require_engine()
            versions = engine_versions()
            self.engine = ", ".join(f"{name} {number}" for name, number in versions.items())
        else:
            self.engine = docker
        self.target = target
        self.settings = settings
        self._kind = ResultKind(target.digest, settings.digest, self.engine)
        self._cache = ResultCache(default_cache_file() if cache_file is None else cache_file)
        workers = available_cpus() if n_workers is None else n_workers
        limit_s = TIME_LIMIT_S * settings.conformers if time_limit_s is None else time_limit_s
        patience = PoolSettings(workers, limit_s, max_failures_in_row)
        self._pool = DockingPool(encode_order(docker, target, settings), patience)

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
    def columns(self) -> tuple[str, ...]:
        """The one column, such as ``PARP1_docked_kcal_mol``."""
        return (self.target.energy_column,)

    def __call__(self, molecules: Sequence[Molecule]) -> Scores:
        """Dock molecules as a scorer.

        Args:
            molecules: Molecules.

        Returns:
            Energies, NaN with a reason where there is none.

        Raises:
            ScorerError: See :meth:`dock`.
        """
        results = list(self.dock(molecules))
        energies = np.array([result.energy_kcal_mol for result in results], dtype=np.float64)
        return Scores({self.columns[0]: energies}, tuple(result.reason for result in results))

    def dock(
        self, molecules: Sequence[Molecule], on_done: Callable[[int], None] = lambda _: None
    ) -> Iterator[Docked]:
        """Dock molecules; one that occurs several times, or was docked before, costs nothing.

        Args:
            molecules: Molecules.
            on_done: Called with the number of molecules done since the last call, at once for
                those known before.

        Yields:
            The result of every molecule, in their order, as soon as those before it are done.

        Raises:
            ScorerError: Docking does not start, or too many molecules failed in a row.
            OutputError: The cache cannot be used.
        """
        counts = Counter(molecules)
        numbers = {molecule: number for number, molecule in enumerate(counts)}
        distinct = list(counts)
        done = {
            number: result
            for number, molecule in enumerate(distinct)
            if (result := self._known(molecule)) is not None
        }
        on_done(sum(counts[distinct[number]] for number in done))
        missing = [number for number in range(len(distinct)) if number not in done]
        computed = self._compute(distinct, missing)
        for molecule in molecules:
            number = numbers[molecule]
            while number not in done:
                found, result = next(computed)
                done[found] = result
                on_done(counts[distinct[found]])
            yield done[number]

    def _compute(
        self, molecules: Sequence[Molecule], numbers: Sequence[int]
    ) -> Iterator[tuple[int, Docked]]:
        """Dock, and keep every result at once."""
        known: list[tuple[int, Docked]] = []

        def tasks() -> Iterator[tuple[int, str]]:
            for number in numbers:
                # Another command may have docked it since this one began.
                result = self._cache.get(molecules[number], self._kind)
                if result is None:
                    yield number, molecules[number].smiles
                else:
                    known.append((number, result))

        for number, result in self._pool.run(tasks(), len(numbers)):
            self._cache.put(molecules[number], self._kind, result)
            yield number, result
            yield from known
            known.clear()
        yield from known

    def _known(self, molecule: Molecule) -> Docked | None:
        try:
            check_ligand(molecule.mol)
        except LigandError as error:
            return Docked.failed(str(error), final=True)
        return self._cache.get(molecule, self._kind)
