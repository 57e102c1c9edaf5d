"""Is it better to go on with the last policy when the proxy has changed, or to start afresh?

    python scripts/reproduce/warm_start.py runs/reproduce_rounds/flow_0 --round 2

Trains the policy of a finished round twice on that round's proxy, with the same seed: once from the
policy and the replay buffer of the round before (scored anew, optimiser and log Z afresh, as
``molgfn rounds`` does), once from nothing. CSV on stdout: at each number of steps the mean Score of
what each draws at the largest beta, the share of distinct molecules, and the mean of log R + log
P_B - log P_F over its draws, a lower bound of log Z that is highest for an exact sampler.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import pandas as pd
import torch

from molgfn.active.directory import RoundsDirectory
from molgfn.gfn.condition import Condition
from molgfn.gfn.rollout import rollout
from molgfn.machine.device import seeded
from molgfn.molecules.run_directory import RunDirectory
from molgfn.reward.reward import Reward, build_reward
from molgfn.workflows.train import Training, start_training

N_DRAWS = 512


def main() -> None:
    """Train both, measure both at the same steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="directory of finished rounds")
    parser.add_argument("--round", type=int, default=2)
    parser.add_argument("--measures", type=int, default=5, help="how often, evenly over the steps")
    options = parser.parse_args()
    rounds = RoundsDirectory(options.run)
    before, after = (rounds.round(n).policy for n in (options.round - 1, options.round))
    records = []
    for way, source in (("warm", before), ("afresh", None)):
        config, vocabulary = after.load([])
        with tempfile.TemporaryDirectory() as scratch:
            training = start_training(
                config, RunDirectory(Path(scratch) / "run"), vocabulary, after=source
            )
            reward = build_reward(config.reward)
            every = max(1, config.train.steps // options.measures)
            records.append({"way": way, "steps": 0, **measure(training, reward)})
            for metrics in training.steps():
                step = int(metrics["step"])
                if step % every == 0 or step == config.train.steps:
                    records.append({"way": way, "steps": step, **measure(training, reward)})
                    print(records[-1], file=sys.stderr)
    pd.DataFrame(records).to_csv(sys.stdout, index=False, float_format="%.4f")


def measure(training: Training, reward: Reward) -> dict[str, float]:
    """Draw, with random numbers of its own, and look at what came."""
    train, env = training.config.train, training.env
    condition = Condition.of(train.beta_max, N_DRAWS, device=env.device)
    sampler = training.trainer.networks.sampler
    drawn = rollout(env, sampler, condition, generator=seeded(1234, env.device))
    molecules = env.molecules(drawn.terminal)
    log_score = torch.from_numpy(reward(molecules).log_score).float()
    known = ~log_score.isnan()
    log_reward = training.target.log_reward(
        log_score[:, None], torch.zeros(N_DRAWS), condition, train.log_reward_floor
    )
    with torch.no_grad():
        log_pf = sampler(drawn.states, condition[drawn.trajectory]).log_prob(drawn.actions)
    bound = log_reward + drawn.total(drawn.log_pb) - drawn.total(log_pf)
    return {
        "score": float(log_score[known].exp().mean()),
        "distinct": len(set(molecules)) / len(molecules),
        "log_z_bound": float(bound[known].mean()),
    }


if __name__ == "__main__":
    main()
