"""What policies trained on different transforms of the docking energy make: how large, how good.

Trains one short run for each transform of compare_size_transforms.py, all else as by default, draws
1000 molecules from each and prints how the Score goes with size.

    python scripts/reproduce/train_size_transforms.py [STEPS]

Runs go to ``runs/size_transforms`` and are resumed where they were cut off.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from compare_size_transforms import CANDIDATES

from molgfn.config.reward_schema import DEFAULT_FACTORS, RewardConfig
from molgfn.config.schema import Config
from molgfn.machine.device import seeded
from molgfn.molecules.run_directory import RunDirectory
from molgfn.molecules.sampler import load_sampler
from molgfn.reward.proxy.evaluation import spearman
from molgfn.reward.reward import build_reward
from molgfn.workflows.train import resume_training, start_training

N_SAMPLES = 1000
RUNS = Path("runs/size_transforms")


def train_to(config: Config, path: Path) -> None:
    """Train a configuration to its last step in a directory, or go on there."""
    directory = RunDirectory(path)
    begun = directory.config_file.exists()
    training = resume_training(directory, []) if begun else start_training(config, directory)
    for _ in training.steps():
        pass


def main(n_steps: int) -> None:
    """Print the table."""
    default = Config()
    others = tuple(f for f in DEFAULT_FACTORS if f.scorer != "proxy")
    beta = default.train.beta_max
    print(f"{N_SAMPLES} samples at beta {beta:g} after {n_steps} steps, seed {default.seed}; means")
    print(f"{'transform':24}{'rho(Score, size)':>18}{'size':>7}{'kcal/mol':>10}{'z':>7}{'QED':>6}")
    for name, affinity in CANDIDATES.items():
        config = replace(
            default,
            reward=RewardConfig(factors=(*affinity, *others)),
            train=replace(default.train, steps=n_steps),
        )
        path = RUNS / f"{name.replace(' ', '_').replace(',', '')}_{n_steps}"
        train_to(config, path)
        sampler = load_sampler(path)
        batches = sampler.sample(
            N_SAMPLES, sampler.ask(beta), generator=seeded(0, sampler.env.device)
        )
        molecules = [sampled.molecule for batch in batches for sampled in batch]
        reward = build_reward(config.reward)
        table, proxy = reward(molecules), reward.proxy
        if proxy is None or reward.value_column is None:
            raise SystemExit(f"{name}: the reward has no proxy that knows of size")
        sizes = np.array([m.n_heavy_atoms for m in molecules], dtype=np.float64)
        energy = table.columns[reward.value_column]
        print(
            f"{name:24}{spearman(table.score, sizes):18.2f}{sizes.mean():7.1f}"
            f"{energy.mean():10.2f}{proxy.size.z_score(energy, sizes).mean():7.2f}"
            f"{table.columns['QED'].mean():6.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
