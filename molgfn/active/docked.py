"""Docking as the oracle: one set of processes and one cache for all calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing

from molgfn.active.answer import Answer
from molgfn.active.executors import Call
from molgfn.active.oracle import OracleSpec, read_asked
from molgfn.chem.molecule import Molecule
from molgfn.errors import TargetError
from molgfn.reward.docking.catalogue import find_target
from molgfn.reward.docking.docking import Docking
from molgfn.reward.docking.docking_target import DockingTarget
from molgfn.reward.docking.result import Docked
from molgfn.reward.docking.settings import PRESETS


def dock_calls(
    spec: OracleSpec, calls: Sequence[Call], n_workers: int, on_start: Callable[[int], None]
) -> Generator[tuple[int, list[Answer]], None, None]:
    """Dock the molecules of calls; see :meth:`molgfn.active.executors.Executor.run`.

    Every molecule is a task of its own, so a long call keeps all processes busy, and a call begins
    with the first of its molecules. A molecule whose process dies is tried ``spec.tries`` times.

    Raises:
        TargetError: The target is no longer the one that the rounds were begun with.
    """
    place: dict[str, list[int]] = {}
    for index, call in enumerate(calls):
        for smiles in dict.fromkeys(call):
            place.setdefault(smiles, []).append(index)
    molecules, answers = read_asked(place)
    n_missing = [len(set(call) - answers.keys()) for call in calls]
    n_begun, handed_out = [0] * len(calls), Counter[str]()

    def begin(index: int) -> None:
        n_begun[index] += 1
        on_start(index)

    def start(molecule: Molecule) -> None:
        handed_out[molecule.smiles] += 1
        for index in place[molecule.smiles]:
            if n_begun[index] < handed_out[molecule.smiles]:
                begin(index)

    def end(index: int) -> tuple[int, list[Answer]]:
        if not n_begun[index]:  # nothing of it had to be docked
            begin(index)
        return index, [answers[smiles] for smiles in calls[index]]

    yield from (end(index) for index, n in enumerate(n_missing) if n == 0)
    with (
        Docking(
            _find_target(spec),
            PRESETS[spec.preset],
            n_workers=n_workers,
            time_limit_s=spec.timeout_s,
            tries=spec.tries,
        ) as docking,
        closing(docking.results(molecules, start)) as results,
    ):
        for molecule, docked in results:
            answers[molecule.smiles] = _answer(docked)
            for index in place[molecule.smiles]:
                n_missing[index] -= 1
                if n_missing[index] == 0:
                    yield end(index)


def _find_target(spec: OracleSpec) -> DockingTarget:
    target = find_target(spec.target)
    if target.digest != spec.target_digest:
        raise TargetError(
            f"target {target.name} is not the one this run was begun with: its receptor or box "
            "differs; restore it, or start a new run"
        )
    return target


def _answer(docked: Docked) -> Answer:
    energy, cost_s = docked.energy_kcal_mol, docked.cost_s
    return Answer(energy, docked.status, docked.reason, cost_s, is_breakdown=not docked.final)
