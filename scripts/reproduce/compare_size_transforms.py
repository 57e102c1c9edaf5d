"""Which transform of a docking energy is not won by the largest molecules? A table.

Scores the molecules of a table with the default reward, its affinity factor in turn replaced by
each candidate, and prints how the Score goes with size and what its best 5 % look like.

    python scripts/reproduce/compare_size_transforms.py [molecules.csv]
"""

import sys
from dataclasses import replace

import numpy as np

from molgfn.chem.molecule import read_molecule
from molgfn.config.resources import shipped_path
from molgfn.config.reward_schema import DEFAULT_FACTORS, FactorConfig, RewardConfig
from molgfn.reward.proxy.evaluation import spearman
from molgfn.reward.reward import build_reward
from molgfn.tables import read_molecule_table

_RAW = FactorConfig("proxy", "sigmoid", "minimise", low=-12.0, high=-8.0, name="energy")
CANDIDATES: dict[str, tuple[FactorConfig, ...]] = {
    "raw energy": (_RAW,),
    "raw, window on size": (
        _RAW,
        FactorConfig("heavy_atoms", "window", low=18.0, high=30.0, softness=3.0),
    ),
    "ligand efficiency": (
        FactorConfig(
            "proxy", "ligand_efficiency", "minimise", low=-0.45, high=-0.25, name="affinity"
        ),
    ),
    "size corrected": (
        FactorConfig("proxy", "size_corrected", "minimise", low=-3.0, high=0.0, name="affinity"),
    ),
    "size corrected and raw": (
        FactorConfig("proxy", "size_corrected", "minimise", low=-3.0, high=0.0, name="affinity"),
        replace(_RAW, weight=0.5),
    ),
}


def main(path: str) -> None:
    """Print the table for the molecules of a CSV or SMILES file."""
    molecules = [read_molecule(smiles) for smiles in read_molecule_table(path).smiles]
    sizes = np.array([m.n_heavy_atoms for m in molecules], dtype=np.float64)
    others = tuple(f for f in DEFAULT_FACTORS if f.scorer != "proxy")
    print(f"{len(molecules)} molecules; best 5 % by Score, means")
    print(
        f"{'transform':24}{'factors':>12}{'rho(Score, size)':>18}{'size':>7}"
        f"{'MW':>7}{'kcal/mol':>10}{'z':>7}{'QED':>6}"
    )
    for name, affinity in CANDIDATES.items():
        for label, factors in (("alone", affinity), ("+ others", (*affinity, *others))):
            reward = build_reward(RewardConfig(factors=factors))
            table = reward(molecules)
            known = np.flatnonzero(np.isfinite(table.score))
            best = known[np.argsort(-table.score[known])][: max(1, len(known) // 20)]
            column, proxy = reward.value_column, reward.proxy
            if column is None or proxy is None:
                raise ValueError(f"the candidate {name!r} does not use the proxy")
            energy = table.columns[column]
            z = proxy.size.z_score(energy, sizes)
            weight = np.array([_weight(molecules[i].mol) for i in best])
            qed = np.array([_qed(molecules[i].mol) for i in best])
            print(
                f"{name:24}{label:>12}{spearman(table.score[known], sizes[known]):18.2f}"
                f"{sizes[best].mean():7.1f}{weight.mean():7.0f}{energy[best].mean():10.2f}"
                f"{z[best].mean():7.2f}{qed.mean():6.2f}"
            )


if __name__ == "__main__":
    from molgfn.chem.properties.by_name import PROPERTIES

    _weight, _qed = PROPERTIES["MW"], PROPERTIES["QED"]
    default = str(shipped_path("data", "parp1", "docked.csv"))
    main(sys.argv[1] if len(sys.argv) > 1 else default)
