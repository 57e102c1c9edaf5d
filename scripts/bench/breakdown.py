"""Where the time of a training step goes: JSON on stdout, a table on stderr.

    OMP_NUM_THREADS=1 python scripts/bench/breakdown.py [--steps 8] > breakdown.json

Timers are put around functions of the package from outside; every moment counts for the innermost
of them, so the parts sum to the step. What several scorers share, such as arrays of atoms, counts
for the first that asks for it. The timers themselves cost a little, so for throughput see
training.py. The trainings are the same ones.
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from measuring import say, write
from stopwatch import Stopwatch
from training import build_trainer, settings

from molgfn.config.schema import Config
from molgfn.gfn import trainer as trainer_module
from molgfn.gfn.trainer import Trainer
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.policy.distribution import ActionDistribution
from molgfn.molecules.policy.network import FlowPolicy
from molgfn.molecules.scoring.chunk_score import ChunkScore
from molgfn.reward.proxy.proxy import Proxy
from molgfn.reward.reward import Reward, build_reward
from molgfn.reward.scorers import ProxyScorer

#: Where the baseline's step goes, shares (README.md, here).
BASELINE = {
    "policy forward": 0.40,
    "backward": 0.22,
    "proxy forward": 0.13,
    "Python graph building": 0.15,
    "RDKit": (0.04, 0.05),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=_example())
    parser.add_argument("--steps", type=int, default=8, help="steps at 64 a batch")
    options = parser.parse_args()
    about = vars(options) | {"threads": 1}
    results = {}
    for name, (config, trained) in settings().items():
        results[name] = measure(config, options.steps, trained=trained)
        show_breakdown(name, results[name])
    write(about, {"baseline_shares": BASELINE, "seconds_per_step": results})


def measure(config: Config, steps: int, *, trained: bool) -> dict[str, dict[str, float]]:
    """CPU-seconds per step of one training, by phase and part.

    Args:
        config: The configuration.
        steps: Steps at 64 trajectories a batch; larger batches take fewer.
        trained: Begin with the weights of the shipped policy.
    """
    steps = max(1, steps * 64 // config.train.batch_size)
    trainer = build_trainer(config, trained=trained)
    trainer.train_step()  # warms up
    watch = Stopwatch()
    with timers(watch, config):
        for _ in range(steps):
            with watch.timing("other", "rest"):
                trainer.train_step()
    found: dict[str, dict[str, float]] = {}
    for (phase, part), seconds in watch.seconds.items():
        found.setdefault(phase, {})[part] = round(seconds / steps, 5)
    return found


@contextmanager
def timers(watch: Stopwatch, config: Config) -> Iterator[None]:
    """Put timers into the package, and take them out again."""
    with ExitStack() as stack:
        time_environment(watch, stack)
        time_policy(watch, stack)
        time_reward(watch, stack, config)
        watch.wrap(stack, trainer_module, "rollout", "loop", "rollout")
        watch.wrap(stack, trainer_module, "rollout_backward", "loop", "replay")
        watch.wrap(stack, Trainer, "_update", "loss", "update")
        watch.wrap(stack, Trainer, "_descend", "optimiser", "update")
        watch.wrap(stack, torch.Tensor, "backward", "backward")
        yield


def time_environment(watch: Stopwatch, stack: ExitStack) -> None:
    """Time every public method of the environment."""
    others = {
        "molecules": "assembly",
        "keys": "keys and symmetry",
        "log_symmetry": "keys and symmetry",
    }
    for name, _ in inspect.getmembers(FragmentEnv, inspect.isfunction):
        if not name.startswith("_") and name != "to":
            watch.wrap(stack, FragmentEnv, name, others.get(name, "environment"))


def time_policy(watch: Stopwatch, stack: ExitStack) -> None:
    """Time the network, and what is done with its logits."""
    watch.wrap(stack, FlowPolicy, "_tables", "policy forward")
    watch.wrap(stack, FlowPolicy, "_distribution", "policy forward")
    watch.wrap(stack, ActionDistribution, "sample", "drawing of actions")
    watch.wrap(stack, ActionDistribution, "log_prob", "log-probabilities")


def time_reward(watch: Stopwatch, stack: ExitStack, config: Config) -> None:
    """Time the proxy and every other scorer of the reward."""
    watch.wrap(stack, ChunkScore, "__call__", "assembly and answers", "reward")
    watch.wrap(stack, Reward, "__call__", "shared features, product")
    watch.wrap(stack, Proxy, "predict_members", "proxy")
    watch.wrap(stack, Proxy, "nearest_train_similarity", "nearest training molecule")
    kinds = {type(scorer) for scorer in build_reward(config.reward).scorers}
    for kind in kinds - {ProxyScorer}:
        watch.wrap(stack, kind, "__call__", lambda scorer: scorer.columns[0])


def show_breakdown(name: str, found: dict[str, dict[str, float]]) -> None:
    """Print where the time of one training's steps goes."""
    whole = sum(sum(parts.values()) for parts in found.values())
    say(f"{name}: {1000 * whole:.0f} CPU-ms a step")
    for phase, parts in sorted(found.items(), key=lambda item: -sum(item[1].values())):
        total = sum(parts.values())
        say(f"  {phase:32}{1000 * total:9.1f} ms{total / whole:8.1%}")
        for part, seconds in sorted(parts.items(), key=lambda item: -item[1]):
            say(f"    {part:30}{1000 * seconds:9.1f} ms{seconds / whole:8.1%}")
    say()


def _example() -> str:
    return "Example: OMP_NUM_THREADS=1 python scripts/bench/breakdown.py > breakdown.json"


if __name__ == "__main__":
    main()
