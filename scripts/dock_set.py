"""Dock the molecules that the shipped proxy learns from, again and to the last digit.

The molecules of the present set, all docked with the default preset; ``--environment N`` adds
random trajectories of the shipped environment until it holds N of them. The best twentieth and the
outliers are docked once more with the preset ``thorough``, which tells how far an energy can be
believed. Settings and versions go into a JSON file beside the table.

    python scripts/dock_set.py --workers 2            # about two hours on two free cores

When it is done, ``python scripts/seal_shipped.py`` writes the digests of what changed.

Results go into the docking cache as they come; run it again after an interruption. Energies that
were made elsewhere with the same settings and versions are taken over with ``--known FILE``, and
a few of them docked again to see that they are the same.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress

from molgfn.chem.molecule import Molecule, read_molecule
from molgfn.config.resources import shipped_path
from molgfn.errors import MolgfnError
from molgfn.molecules.policy.uniform import UniformPolicy
from molgfn.molecules.sampler import load_sampler
from molgfn.reward.docking.catalogue import DEFAULT_TARGET, find_target
from molgfn.reward.docking.docking import Docking
from molgfn.reward.docking.ligand import LigandError, check_ligand
from molgfn.reward.docking.packages import engine_versions
from molgfn.reward.docking.procedure import SUSPICIOUS_PER_ATOM_KCAL_MOL
from molgfn.reward.docking.result import Docked
from molgfn.reward.docking.settings import PRESETS

OUTPUT = shipped_path("data", "parp1", "docked.csv")
COLUMN = f"{DEFAULT_TARGET}_kcal_mol"
THOROUGH_COLUMN = f"{DEFAULT_TARGET}_thorough_kcal_mol"
#: Source of molecules of random trajectories.
ENVIRONMENT = "environment"
SEED = 0
#: Share of all molecules, by energy, that is docked again with ``thorough``.
BEST_SHARE = 0.05
#: Robust standard deviations from the energy usual for the size that make an outlier.
OUTLIER_Z = 3.5
#: Energies of ``--known`` files that are docked again, drawn at random.
N_CHECKED = 5


@dataclass
class Row:
    """One molecule of the set; energies are NaN where they are missing."""

    molecule: Molecule
    source: str
    energy: float = float("nan")
    reason: str = ""
    thorough: float = float("nan")


def main() -> None:
    """Dock, and write the table with its description."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--known", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument(
        "--environment", type=int, default=0, metavar="N", help="draw more of the environment's"
    )
    parser.add_argument("--no-thorough", action="store_true")
    options = parser.parse_args()
    rows = present_rows()
    n_missing = options.environment - sum(row.source == ENVIRONMENT for row in rows)
    rows += drawn_rows(max(n_missing, 0), {row.molecule for row in rows})
    known = known_energies(options.known)
    take_over(rows, known, options.workers)
    dock(rows, "default", options.workers)
    if not options.no_thorough:
        chosen = [rows[index] for index in to_repeat(rows)]
        dock(chosen, "thorough", options.workers)
    write(rows, options.output)
    describe(rows, options.output.with_suffix(".json"))


def present_rows() -> list[Row]:
    """Read the molecules of the present set, without their energies."""
    with OUTPUT.open(encoding="utf-8") as file:
        # As they are written, they are read: the order of the atoms decides the conformer.
        return [Row(read_molecule(row["SMILES"]), row["source"]) for row in csv.DictReader(file)]


def drawn_rows(n: int, taken: set[Molecule]) -> list[Row]:
    """Draw n new molecules with random legal trajectories of the shipped environment."""
    sampler = load_sampler(shipped_path("policy", "parp1"), "cpu")
    uniform = replace(sampler, policy=UniformPolicy(sampler.env))
    generator = torch.Generator().manual_seed(SEED)
    drawn = (
        sampled.molecule
        for batch in uniform.sample(n + len(taken), uniform.ask(1.0), generator=generator)
        for sampled in batch
    )
    fresh = (molecule for molecule in drawn if molecule not in taken)
    return [Row(read_molecule(m.smiles), ENVIRONMENT) for m in islice(fresh, n)]


def known_energies(paths: Sequence[Path]) -> dict[str, float]:
    """Energies by SMILES: tables with the columns of the set, or JSON lines (smiles, energy)."""
    known: dict[str, float] = {}
    for path in paths:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jsonl":
            records = [json.loads(line) for line in text.splitlines()]
            known |= {r["smiles"]: float(r["energy"]) for r in records if "energy" in r}
        else:
            table = csv.DictReader(text.splitlines())
            known |= {r["SMILES"]: float(r[COLUMN]) for r in table if r[COLUMN]}
    return known


def take_over(rows: Sequence[Row], known: dict[str, float], workers: int | None) -> None:
    """Fill in known energies, after docking a few of those molecules to compare."""
    found = [row for row in rows if is_settled(row.molecule, known)]
    if not found:
        return
    drawn = np.random.default_rng(SEED).permutation(len(found))[:N_CHECKED]
    checked = [found[index] for index in drawn]
    dock(checked, "default", workers)
    for row in checked:
        if row.energy != known[row.molecule.smiles]:
            raise MolgfnError(
                f"{row.molecule.smiles} has {known[row.molecule.smiles]} kcal/mol in --known and "
                f"{row.energy} here: other settings or versions"
            )
    for row in found:
        row.energy = known[row.molecule.smiles]
    print(f"{len(found)} energies taken over, {len(checked)} of them docked again: the same")


def is_settled(molecule: Molecule, known: dict[str, float]) -> bool:
    """Whether one run of vina is all it takes: neither refused nor to be repeated."""
    try:
        check_ligand(molecule.mol)
    except LigandError:
        return False
    limit = -SUSPICIOUS_PER_ATOM_KCAL_MOL * molecule.n_heavy_atoms
    return known.get(molecule.smiles, np.inf) <= limit


def dock(rows: Sequence[Row], preset: str, workers: int | None) -> None:
    """Dock the rows that have no energy of this preset yet."""
    field = "thorough" if preset == "thorough" else "energy"
    missing = [row for row in rows if np.isnan(getattr(row, field))]
    molecules = [row.molecule for row in missing]
    target = find_target(DEFAULT_TARGET)
    with (
        Progress() as progress,
        Docking(target, PRESETS[preset], n_workers=workers) as docking,
    ):
        task = progress.add_task(preset, total=len(missing))
        results: Iterable[Docked] = docking.dock(
            molecules, lambda n: progress.update(task, advance=n)
        )
        for row, result in zip(missing, results, strict=True):
            setattr(row, field, result.energy_kcal_mol)
            if field == "energy":
                row.reason = result.reason


def to_repeat(rows: Sequence[Row]) -> list[int]:
    """Find the best rows, and those whose energy is unusual for their size."""
    energies = np.array([row.energy for row in rows])
    sizes = np.array([row.molecule.n_heavy_atoms for row in rows], dtype=np.float64)
    docked = np.flatnonzero(np.isfinite(energies))
    if len(docked) == 0:
        return []
    n_best = max(1, round(BEST_SHARE * len(docked)))
    best = docked[np.argsort(energies[docked], kind="stable")[:n_best]]
    outliers = docked[np.abs(robust_z(energies[docked], sizes[docked])) > OUTLIER_Z]
    print(f"docked again with thorough: the {len(best)} best and {len(outliers)} outliers")
    return sorted({*best.tolist(), *outliers.tolist()})


def robust_z(energies: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standardise energies by size: a parabola, and the median absolute deviation from it."""
    degree = min(2, len(np.unique(sizes)) - 1)
    rest = energies - np.polyval(np.polyfit(sizes, energies, degree), sizes)
    spread = 1.4826 * np.median(np.abs(rest - np.median(rest)))
    return np.asarray((rest - np.median(rest)) / max(spread, 1e-9))


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the table; an energy that is missing is empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["SMILES", COLUMN, "source", "reason", THOROUGH_COLUMN])
        for row in rows:
            energy, thorough = (
                "" if np.isnan(value) else f"{value:.3f}" for value in (row.energy, row.thorough)
            )
            writer.writerow([row.molecule.smiles, energy, row.source, row.reason, thorough])


def describe(rows: Sequence[Row], path: Path) -> None:
    """Write settings and versions, and print what the repeats with ``thorough`` show."""
    target = find_target(DEFAULT_TARGET)
    sources = sorted({row.source for row in rows})
    description = {
        "target": {
            "name": target.name,
            "source": target.source,
            "center": target.center,
            "size": target.size,
            "digest": target.digest,
        },
        "settings": {name: asdict(PRESETS[name]) for name in ("default", "thorough")},
        "versions": engine_versions(),
        "molecules": {name: sum(row.source == name for row in rows) for name in sources},
        "failed": sum(bool(np.isnan(row.energy)) for row in rows),
    }
    repeated = np.array([(r.energy, r.thorough) for r in rows if np.isfinite(r.thorough)])
    if len(repeated):
        gain = repeated[:, 0] - repeated[:, 1]
        description["thorough"] = {
            "molecules": len(repeated),
            "median_gain_kcal_mol": round(float(np.median(gain)), 3),
            "share_better_by_1_kcal_mol": round(float((gain > 1).mean()), 4),
        }
    path.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(description, indent=2))


if __name__ == "__main__":
    main()
