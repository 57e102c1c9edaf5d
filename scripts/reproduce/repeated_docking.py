"""What the proxy is worth against dockings without their noise: repeats those it never saw.

    python scripts/reproduce/repeated_docking.py [--seeds 2 3] > repeated.csv

Molecules of one source that the proxy's fit held out are docked again, each time with conformer and
search from another seed. One row for each number of dockings that are averaged, from the one of the
set to all, and for each model: R², Spearman and the same of what heavy atoms do not explain. A last
row compares the docking of the set with the mean of the repeats: what a model that knew one docking
exactly would reach. About 5 CPU-seconds a docking; what was docked before is taken from the cache.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import numpy as np
import pandas as pd

from molgfn.chem.molecule import read_molecule
from molgfn.cli.progress import progress_bar
from molgfn.reward.docking.catalogue import DEFAULT_TARGET, find_target
from molgfn.reward.docking.docking import Docking
from molgfn.reward.docking.settings import find_preset
from molgfn.reward.proxy.evaluation import compare_models, errors
from molgfn.reward.proxy.store import find_proxy
from molgfn.workflows.evaluate_proxy import evaluate_own_test


def main() -> None:
    """Dock again, average, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", default="environment", help="source of the molecules")
    parser.add_argument("--seeds", type=int, nargs="+", default=[2, 3], help="of the repeats")
    parser.add_argument("--workers", type=int, default=None)
    options = parser.parse_args()
    unseen = evaluate_own_test(find_proxy("parp1")).held_out
    unseen = unseen[unseen["source"] == options.source].reset_index(drop=True)
    repeats = [dock_again(unseen["SMILES"], seed, options.workers) for seed in options.seeds]
    energies = np.stack([unseen["measured"].to_numpy(), *repeats])
    docked = np.isfinite(energies).all(axis=0)
    unseen, energies = unseen[docked], energies[:, docked]
    rows = []
    for n in range(1, len(energies) + 1):
        compared = compare_models(unseen.assign(measured=energies[:n].mean(axis=0)))
        rows.append(compared.assign(dockings=n))
    found = pd.concat(rows).drop(columns="molecules")
    mean, size = energies[1:].mean(axis=0), unseen["heavy_atoms"].to_numpy()
    residual = errors(energies[0] - size, mean - size)
    one = {"model": "one_docking", "n": len(unseen), "dockings": len(repeats)}
    one |= errors(energies[0], mean)
    one |= {f"size_residual_{name}": residual[name] for name in ("r2", "spearman")}
    pd.concat([found, pd.DataFrame([one])]).set_index("dockings").to_csv(sys.stdout)


def dock_again(smiles: pd.Series, seed: int, n_workers: int | None) -> np.ndarray:
    """Energies from another seed, kcal/mol, NaN where docking failed; shape ``(len(smiles),)``."""
    settings = replace(find_preset("default"), seed=seed)
    molecules = [read_molecule(text) for text in smiles]
    with (
        Docking(find_target(DEFAULT_TARGET), settings, n_workers=n_workers) as docking,
        progress_bar("dock", len(molecules)) as advance,
    ):
        results = docking.dock(molecules, advance)
        return np.array([result.energy_kcal_mol for result in results], dtype=np.float64)


if __name__ == "__main__":
    main()
