"""Does active learning pay? Rounds with real docking, beside two simpler ways to spend the calls.

    python scripts/reproduce/rounds.py flow --seed 0       # about an hour on two free cores
    python scripts/reproduce/rounds.py random --seed 0     # 400 dockings
    python scripts/reproduce/rounds.py library --seed 0
    python scripts/reproduce/rounds.py table > rounds_table.csv

All begin with the same 500 molecules, drawn by the seed from the drugs, screening compounds and
recombined molecules of the docked set that ships with the package, and buy four batches of 100.
``flow`` is ``molgfn rounds`` with the configuration beside this script; ``random`` docks molecules
of random trajectories, for each seed the next 400 (``--known FILE`` takes over energies that were
made with the same settings and versions); ``library`` ranks the rest of those in the docked set
with the proxy, fitted anew in every round, and takes the best 100. Each may be stopped and started
again. ``table`` reads nothing but the round CSVs: mean energy of each batch, mean of the 10 and 50
best measured so far, both of all molecules and of those that pass the drug-likeness limits below,
and #Circles of the batch.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from molgfn.active.directory import RoundsDirectory
from molgfn.active.executors import open_executor
from molgfn.active.initial import random_molecules
from molgfn.active.loop import begin, opened, run_rounds
from molgfn.chem.molecule import read_molecule
from molgfn.chem.properties.alerts import structural_alerts
from molgfn.chem.properties.by_name import PROPERTIES
from molgfn.chem.similarity import morgan_fingerprints, n_circles
from molgfn.cli.progress import progress_bar
from molgfn.config.loader import load_config
from molgfn.config.resources import shipped_path
from molgfn.fragments.vocabulary_file import find_vocabulary
from molgfn.reward.docking.catalogue import find_target
from molgfn.reward.docking.docking import Docking
from molgfn.reward.proxy.dataset import Dataset
from molgfn.reward.proxy.fit import FitSettings, fit_proxy

CONFIG = Path(__file__).with_suffix(".yaml")
RUNS = Path("runs/reproduce_rounds")
TARGET, COLUMN, SHIPPED_COLUMN = "PARP1", "PARP1_docked_kcal_mol", "PARP1_kcal_mol"
N_INITIAL, N_ROUNDS, BATCH = 500, 4, 100
CIRCLE_DISTANCE = 0.7


def main() -> None:
    """Run one way of spending the calls, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("flow", "random", "library", "table"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--known", type=Path, action="append", default=[], metavar="FILE")
    options = parser.parse_args()
    if options.what == "table":
        table().to_csv(sys.stdout, index=False, float_format="%.3f")
        return
    directory = RUNS / f"{options.what}_{options.seed}"
    initial, rest = split(options.seed)
    if options.what == "flow":
        flow(directory, initial, options.seed, options.workers)
    elif options.what == "random":
        known = known_energies(options.known)
        at_random(directory, initial, options.seed, options.workers, known)
    else:
        from_library(directory, initial, rest, options.seed)


def split(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The initial molecules, and the rest of the docked set."""
    docked = pd.read_csv(shipped_path("data", "parp1", "docked.csv"))
    docked = docked[docked[SHIPPED_COLUMN].notna() & (docked["source"] != "environment")].rename(
        columns={SHIPPED_COLUMN: COLUMN}
    )
    order = np.random.default_rng(seed).permutation(len(docked))
    chosen, rest = np.sort(order[:N_INITIAL]), np.sort(order[N_INITIAL:])
    return docked.iloc[chosen][["SMILES", COLUMN]], docked.iloc[rest][["SMILES", COLUMN]]


def flow(directory: Path, initial: pd.DataFrame, seed: int, workers: int | None) -> None:
    """``molgfn rounds`` on the initial molecules."""
    rounds = RoundsDirectory(directory)
    with rounds.locked(), open_executor(None, workers) as executor:
        if not rounds.config_file.exists():
            table = directory / "initial.csv"
            initial.to_csv(table, index=False)
            begin(load_config(CONFIG, [f"rounds.initial={table}", f"seed={seed}"]), rounds)
        with opened(rounds, [], progress_bar, say) as found:
            say(run_rounds(found, executor))


def at_random(
    directory: Path,
    initial: pd.DataFrame,
    seed: int,
    workers: int | None,
    known: dict[str, float],
) -> None:
    """Batches of molecules from random trajectories."""
    config = load_config(CONFIG, [])
    per_seed = N_ROUNDS * BATCH
    drawn = random_molecules(
        config, find_vocabulary(config.vocabulary), (seed + 1) * per_seed, lambda _: "", str
    )
    molecules = [read_molecule(smiles) for smiles in drawn["SMILES"][seed * per_seed :]]
    missing = [m for m in molecules if m.smiles not in known]
    with (
        Docking(find_target(TARGET), n_workers=workers) as docking,
        progress_bar("dock", len(missing)) as advance,
    ):
        for molecule, result in zip(missing, docking.dock(missing, advance), strict=True):
            known[molecule.smiles] = result.energy_kcal_mol
    write(directory, 0, initial)
    for number in range(1, N_ROUNDS + 1):
        smiles = [m.smiles for m in molecules[(number - 1) * BATCH : number * BATCH]]
        energies = [known[text] for text in smiles]
        write(directory, number, pd.DataFrame({"SMILES": smiles, COLUMN: energies}))


def known_energies(paths: Sequence[Path]) -> dict[str, float]:
    """Energies by SMILES: the docked set, or JSON lines (smiles, energy)."""
    known: dict[str, float] = {}
    for path in paths:
        if path.suffix == ".jsonl":
            records = [json.loads(line) for line in path.read_text().splitlines()]
            known |= {r["smiles"]: float(r["energy"]) for r in records if "energy" in r}
        else:
            docked = pd.read_csv(path).dropna(subset=[SHIPPED_COLUMN])
            known |= dict(zip(docked["SMILES"], docked[SHIPPED_COLUMN], strict=True))
    return known


def from_library(directory: Path, initial: pd.DataFrame, rest: pd.DataFrame, seed: int) -> None:
    """The best of a fixed library by a proxy that learns from every batch."""
    known, left = initial, rest
    write(directory, 0, initial)
    for number in range(1, N_ROUNDS + 1):
        molecules = tuple(read_molecule(s, keep_stereo=False) for s in known["SMILES"])
        data = Dataset(molecules, known[COLUMN].to_numpy())
        settings = FitSettings(seed=seed + number)
        with progress_bar(f"round {number}: fit proxy", settings.n_epochs) as advance:
            proxy = fit_proxy(data, TARGET, "kcal_mol", settings, on_epoch=lambda: advance(1))
        predicted = proxy.predict([read_molecule(s, keep_stereo=False) for s in left["SMILES"]])[0]
        chosen = np.argsort(predicted, kind="stable")[:BATCH]
        batch = left.iloc[chosen]
        write(directory, number, batch)
        known, left = pd.concat([known, batch]), left.drop(batch.index)


def write(directory: Path, number: int, batch: pd.DataFrame) -> None:
    """One round as a table."""
    directory.mkdir(parents=True, exist_ok=True)
    batch.to_csv(directory / f"round_{number:02d}.csv", index=False)


def table() -> pd.DataFrame:
    """Measures of every round of every run, from the CSVs alone."""
    records = []
    for directory in sorted(RUNS.iterdir()):
        so_far = pd.DataFrame()
        for path in sorted(directory.glob("round_??.csv")):
            batch = pd.read_csv(path)[["SMILES", COLUMN]]
            batch["molecule"] = [read_molecule(smiles) for smiles in batch["SMILES"]]
            batch["drug_like"] = [is_drug_like(molecule.mol) for molecule in batch["molecule"]]
            so_far = pd.concat([so_far, batch])
            prints = morgan_fingerprints(list(batch["molecule"]))
            way, seed = directory.name.rsplit("_", 1)
            records.append(
                {
                    "way": way,
                    "seed": seed,
                    "round": path.stem[-2:],
                    "molecules": len(batch),
                    "failed": int(batch[COLUMN].isna().sum()),
                    "batch_mean": batch[COLUMN].mean(),
                    "batch_drug_like": batch["drug_like"].mean(),
                    "top_10": best(so_far, 10),
                    "top_50": best(so_far, 50),
                    "drug_like_top_10": best(so_far[so_far["drug_like"]], 10),
                    "drug_like_top_50": best(so_far[so_far["drug_like"]], 50),
                    "circles": n_circles(prints, CIRCLE_DISTANCE),
                }
            )
    return pd.DataFrame(records)


def is_drug_like(mol: object) -> bool:
    """QED at least 0.35, SA at most 4, at most 500 g/mol, no structural alert."""
    return bool(
        PROPERTIES["QED"](mol) >= 0.35
        and PROPERTIES["SA"](mol) <= 4.0
        and PROPERTIES["MW"](mol) <= 500.0
        and not structural_alerts(mol)
    )


def best(frame: pd.DataFrame, k: int) -> float:
    """Mean of the k lowest energies."""
    return float(frame[COLUMN].nsmallest(k).mean())


def say(text: str) -> None:
    """Tell on standard error."""
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
