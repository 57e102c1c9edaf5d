"""Training and sampling on a GPU: JSON on stdout, a table for people on stderr.

    python scripts/bench/gpu.py [--steps 10] [--batch 256 1024] [--workers 0 8] > gpu.json

Rates are per second on the clock. ``busy`` is the share of it in which the device computes: the
time of its kernels in a pass that is profiled, over the time of a pass that is not. Trainings begin
with the weights of the shipped policy and learn as ``molgfn train`` does; scores come from the
training process and as many workers as are asked for. Without a GPU nothing is measured.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from measuring import show, write
from torch.profiler import ProfilerActivity, profile

from molgfn.config.resources import shipped_path
from molgfn.config.schema import Config, TrainConfig
from molgfn.gfn.checkpoint import load_part
from molgfn.runs.components import seeded
from molgfn.runs.directory import RunDirectory
from molgfn.runs.sampler import load_sampler
from molgfn.runs.training import start_training

#: Steps before the clock starts: workers load their libraries meanwhile.
WARM_UP_STEPS = 20
SAMPLED = (64, 1024, 4096)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10, help="steps of a training, timed")
    parser.add_argument("--batch", type=int, nargs="+", default=[256, 1024], help="trajectories")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 8], help="scoring processes")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("torch sees no GPU")
    rows = sampling()
    show("sampled per second", rows, ("n", "rate", "busy"))
    trained = training(options.steps, options.batch, options.workers)
    show("trained per second", trained, ("batch", "workers", "rate", "busy"))
    about = {"device": torch.cuda.get_device_name(), **vars(options)}
    write(about, {"sampling": rows, "training": trained})


def sampling() -> dict[str, dict[str, float]]:
    """Measure draws of terminal states, without assembly."""
    sampler = load_sampler(shipped_path("policy", "parp1"), "cuda")

    def draw(n: int) -> Callable[[], object]:
        return lambda: sampler.draw_states(n, 32.0, generator=seeded(0, "cuda"))

    found = {}
    for n in SAMPLED:
        draw(n)()
        seconds, busy = timed(draw(n), 5)
        found[f"trajectories, {n}"] = {"n": n, "rate": 5 * n / seconds, "busy": busy}
    return found


def training(
    n_steps: int, batches: Sequence[int], workers: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Measure the shipped settings, and larger batches with as many updates."""
    found = {}
    for batch in batches:
        for n_workers in workers:
            train = replace(
                TrainConfig(), batch_size=batch, reward_workers=n_workers, checkpoint_every=10**6
            )
            rate, busy = train_rate(train, n_steps)
            name = f"batches of {batch}, {n_workers} workers"
            found[name] = {"batch": batch, "workers": n_workers, "rate": rate, "busy": busy}
    return found


def train_rate(train: TrainConfig, n_steps: int) -> tuple[float, float]:
    """Trajectories per second of one training, and the share of time the device computes."""
    with tempfile.TemporaryDirectory(prefix="molgfn_bench_") as folder:
        run = start_training(Config(device="cuda", train=train), RunDirectory(Path(folder) / "run"))
        weights = load_part(shipped_path("policy", "parp1"), "policy").tensors
        networks = run.trainer.networks
        networks.policy.load_state_dict(weights)
        networks.sampler.load_state_dict(weights)
        steps = run.steps()
        for _ in range(WARM_UP_STEPS):
            next(steps)
        seconds, busy = timed(lambda: next(steps), n_steps)
        steps.close()
    return n_steps * train.batch_size / seconds, busy


def timed(work: Callable[[], object], times: int) -> tuple[float, float]:
    """Repeat a piece of work: seconds on the clock, and the share in which the device computes."""

    def repeat() -> float:
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(times):
            work()
        torch.cuda.synchronize()
        return time.perf_counter() - start

    seconds = repeat()
    with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as found:
        repeat()
    kernels_s = sum(event.self_device_time_total for event in found.key_averages()) / 1e6
    return seconds, kernels_s / seconds


if __name__ == "__main__":
    main()
