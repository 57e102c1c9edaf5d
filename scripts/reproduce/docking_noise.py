"""How well an energy is known: docks molecules of the shipped set again with other seeds.

    python scripts/reproduce/docking_noise.py [--n 100] [--seed 2] > noise.csv

Conformer and search start from another seed, everything else is as in the set. A row for each
source: differences of the two energies, the standard deviation of one (rms difference divided by
the square root of two), and what a perfect model of the mean energy could reach on single dockings:
R² = 1 - variance of the noise / variance of the energies. About 5 CPU-seconds a molecule; what was
docked before is taken from the cache.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import numpy as np
import pandas as pd

from molgfn.chem.molecule import read_molecule
from molgfn.cli.progress import progress_bar
from molgfn.config.resources import shipped_path
from molgfn.reward.docking.catalogue import DEFAULT_TARGET, find_target
from molgfn.reward.docking.docking import Docking
from molgfn.reward.docking.settings import find_preset
from molgfn.reward.proxy.evaluation import spearman

COLUMN = f"{DEFAULT_TARGET}_kcal_mol"


def main() -> None:
    """Draw, dock, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100, help="molecules of each source")
    parser.add_argument("--source", action="append", help="only this source; may be repeated")
    parser.add_argument("--seed", type=int, default=2, help="seed of conformer and search")
    parser.add_argument("--workers", type=int, default=None)
    options = parser.parse_args()
    docked = pd.read_csv(shipped_path("data", "parp1", "docked.csv"))
    docked = docked[docked[COLUMN].notna()]
    if options.source:
        docked = docked[docked["source"].isin(options.source)]
    chosen = docked.groupby("source").sample(options.n, random_state=0)
    settings = replace(find_preset("default"), seed=options.seed)
    molecules = [read_molecule(smiles) for smiles in chosen["SMILES"]]
    with (
        Docking(find_target(DEFAULT_TARGET), settings, n_workers=options.workers) as docking,
        progress_bar("dock", len(molecules)) as advance,
    ):
        again = [result.energy_kcal_mol for result in docking.dock(molecules, advance)]
    chosen = chosen.assign(again=again)
    rows = [
        compare(str(source), part, float(docked.loc[docked["source"] == source, COLUMN].var()))
        for source, part in chosen.groupby("source")
    ]
    pd.DataFrame(rows).to_csv(sys.stdout, index=False, float_format="%.3f")


def compare(source: str, table: pd.DataFrame, variance: float) -> dict[str, object]:
    """Two energies of the same molecules; ``variance`` is that of the whole source."""
    both = table[np.isfinite(table["again"])]
    first, second = both[COLUMN].to_numpy(), both["again"].to_numpy()
    noise = float(((first - second) ** 2).mean()) / 2
    return {
        "source": source,
        "n": len(both),
        "failed": len(table) - len(both),
        "median_difference": float(np.median(np.abs(first - second))),
        "std_of_one": noise**0.5,
        "share_over_1_kcal_mol": float((np.abs(first - second) > 1).mean()),
        "spearman": spearman(first, second),
        "best_r2": 1 - noise / variance,
    }


if __name__ == "__main__":
    main()
