"""Trajectories trained per second of processor time: JSON on stdout, a table on stderr.

    OMP_NUM_THREADS=1 python scripts/bench/training.py [--steps 16] > training.json

On-policy rows have no replay, no random trajectories and one update a step, as the baseline has.
They learn at a rate so small that the policy stays what it was: all passes see trajectories of one
length. They begin with fresh weights; ``trained`` with those of the shipped policy, which builds
larger molecules. The reward is the shipped one; ``proxy alone`` leaves its properties and alerts
out, which the baseline's reward has not. ``new_share`` tells how many of the molecules were new and
had to be scored. ``shipped settings`` is the shipped training as it is, at its first steps, and
with trained weights, which it keeps, what it is like later. ``sampled`` counts trajectories that
were sampled and scored, ``learned`` those that entered an update, the replayed ones included.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch
from measuring import PASSES, TRAINING_BASELINE, best_of, say, show, write

from molgfn.config.resources import shipped_path
from molgfn.config.schema import Config, PolicyConfig, TrainConfig
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.fragments.vocabulary_file import find_vocabulary
from molgfn.gfn.checkpoint import load_part
from molgfn.gfn.trainer import Trainer
from molgfn.machine.device import seeded, set_up_device
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.target import build_target
from molgfn.molecules.task import build_env, build_networks

#: Size of the baseline's network.
LIKE_FOR_LIKE = PolicyConfig(hidden=128, layers=4)
#: Small enough to leave the policy as it is.
NO_LEARNING = 1e-9


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=_example())
    parser.add_argument("--steps", type=int, default=16, help="steps of a pass at 64 a batch")
    parser.add_argument("--passes", type=int, default=PASSES, help="passes, the best counts")
    options = parser.parse_args()
    rows = {
        name: measure(config, options.steps, options.passes, trained=trained)
        for name, (config, trained) in settings().items()
    }
    show(
        "trajectories per CPU-second",
        rows,
        ("batch", "layers", "hidden", "length", "sampled", "learned", "ratio"),
    )
    say(f"ratio: sampled to the baseline's {TRAINING_BASELINE:g}")
    write(vars(options), {"baseline_per_cpu_second": TRAINING_BASELINE, "training": rows})


def settings() -> dict[str, tuple[Config, bool]]:
    """Every training that is measured, and whether it begins with the shipped policy."""
    found = {}
    starts = (False, True) if shipped_weights_fit() else (False,)
    for size in (64, 512):
        for trained in starts:
            name = f"on-policy, {size}, default network" + (", trained" if trained else "")
            found[name] = (on_policy(size), trained)
            found[f"{name}, proxy alone"] = (proxy_alone(on_policy(size)), trained)
        like = proxy_alone(on_policy(size, LIKE_FOR_LIKE))
        found[f"on-policy, {size}, 4 layers of 128, proxy alone"] = (like, False)
    found["shipped settings"] = (Config(), False)
    if True in starts:
        found["shipped settings, trained"] = (without_learning(Config()), True)
    return found


def on_policy(batch_size: int, policy: PolicyConfig | None = None) -> Config:
    """A training whose every trajectory is sampled by the policy and learned from once.

    Args:
        batch_size: Trajectories in each step.
        policy: Size of the network; default: the shipped one.

    Returns:
        The configuration.
    """
    train = replace(
        TrainConfig(),
        batch_size=batch_size,
        updates_per_step=1,
        random_share=0.0,
        replay_batch_size=0,
        epsilon_start=0.0,
        epsilon_end=0.0,
    )
    policy = PolicyConfig() if policy is None else policy
    return without_learning(Config(device="cpu", train=train, policy=policy))


def without_learning(config: Config) -> Config:
    """The same training with a policy that stays what it is; an update costs the same."""
    train = replace(config.train, learning_rate=NO_LEARNING, log_z_learning_rate=NO_LEARNING)
    return replace(config, train=train)


def proxy_alone(config: Config) -> Config:
    """The same training with nothing in its reward but what reads the proxy."""
    factors = tuple(factor for factor in config.reward.factors if factor.scorer == "proxy")
    return replace(config, reward=replace(config.reward, factors=factors))


def build_trainer(
    config: Config, vocabulary: Vocabulary | None = None, *, trained: bool = False
) -> Trainer[FragmentStates]:
    """Make a trainer as ``molgfn train`` does, without a run directory.

    Args:
        config: The configuration.
        vocabulary: In place of the one that the configuration names.
        trained: Whether to begin with the weights of the shipped policy.

    Returns:
        The trainer at step 0.
    """
    device = set_up_device("cpu")
    vocabulary = find_vocabulary(config.vocabulary) if vocabulary is None else vocabulary
    env = build_env(config, vocabulary, device)
    networks = build_networks(config, env)
    if trained:
        weights = load_part(shipped_path("policy", "parp1"), "policy").tensors
        networks.policy.load_state_dict(weights)
        networks.sampler.load_state_dict(weights)
    target = build_target(config.reward, env)
    return Trainer(env, networks, target, config.train, generator=seeded(config.seed, device))


def shipped_weights_fit() -> bool:
    """Whether the default network is the shipped policy's; not so while a change is at work."""
    try:
        build_trainer(Config(), trained=True)
    except RuntimeError as error:
        say(f"without the shipped policy, which does not fit: {str(error).splitlines()[0]}")
        return False
    return True


def measure(config: Config, steps: int, passes: int, *, trained: bool = False) -> dict[str, object]:
    """Measure one training.

    Args:
        config: The configuration.
        steps: Steps of a pass at 64 trajectories a batch; larger batches take fewer.
        passes: Passes of which the best counts.
        trained: Whether to begin with the weights of the shipped policy.

    Returns:
        Settings and rates.
    """
    trainer, train = build_trainer(config, trained=trained), config.train
    steps = max(1, steps * 64 // train.batch_size)
    # The replay buffer is filled before the first update draws from it.
    replayed = train.updates_per_step * train.replay_batch_size
    lengths, failed = [], 0

    def work() -> int:
        nonlocal failed
        for _ in range(steps):
            metrics = trainer.train_step()
            lengths.append(metrics["length"])
            failed += int(metrics["failed"])
        return steps * train.batch_size

    best = best_of(work, passes)
    n_sampled = len(lengths) * train.batch_size
    learned_share = 1 - failed / n_sampled + replayed / train.batch_size
    return {
        "batch": train.batch_size,
        "updates": train.updates_per_step,
        "layers": config.policy.layers,
        "hidden": config.policy.hidden,
        "threads": torch.get_num_threads(),
        "length": round(sum(lengths) / len(lengths), 2),
        "new_share": round(trainer.target.statistics()["distinct"] / n_sampled, 3),
        "sampled": round(best.per_cpu_second, 1),
        "learned": round(best.per_cpu_second * learned_share, 1),
        "sampled_per_second": round(best.per_second, 1),
        "cpu_s_per_step": round(best.cpu_s / steps, 4),
        "ratio": round(best.per_cpu_second / TRAINING_BASELINE, 2),
    }


def _example() -> str:
    return "Example: OMP_NUM_THREADS=1 python scripts/bench/training.py > training.json"


if __name__ == "__main__":
    main()
