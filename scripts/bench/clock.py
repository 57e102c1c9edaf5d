"""Training on the clock, with processes that score: JSON on stdout, a table for people on stderr.

    OMP_NUM_THREADS=1 python scripts/bench/clock.py [--device cuda] [--workers 0 1] > clock.json

Counts trajectories per second of wall time, the best of three stretches, where the other benchmarks
count processor time of one process. Trainings begin with the weights of the shipped policy and
learn as ``molgfn train`` does; scores come from the training process and as many workers as are
asked for. On a GPU it draws terminal states too, and ``busy`` is the share of time in which the
device computes: the time of its kernels in a pass that is profiled, over that of one that is not.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from measuring import say, show, write
from torch.profiler import ProfilerActivity, profile

from molgfn.config.resources import shipped_path
from molgfn.config.schema import Config, TrainConfig
from molgfn.gfn.checkpoint import load_part
from molgfn.machine.device import seeded, set_up_device
from molgfn.molecules.run_directory import RunDirectory
from molgfn.molecules.sampler import load_sampler
from molgfn.workflows.train import start_training

#: Steps before the clock starts: workers load their libraries meanwhile.
WARM_UP_STEPS = 20
STRETCHES = 3
DRAWN = (64, 1024, 4096)
DRAWS = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--steps", type=int, default=10, help="steps of each stretch")
    parser.add_argument("--batch", type=int, nargs="+", default=[256], help="trajectories a step")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1], help="scoring processes")
    options = parser.parse_args()
    device = set_up_device(options.device)
    results = {}
    if device.type == "cuda":
        results["sampling"] = sampling(device)
        show("sampled per second", results["sampling"], ("n", "rate", "busy"))
    results["training"] = {
        f"{batch} a step, {n_workers} workers": train(device, batch, n_workers, options.steps)
        for batch in options.batch
        for n_workers in options.workers
    }
    show("trained per second", results["training"], ("batch", "workers", "rate", "busy"))
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    write({**vars(options), "device_name": name}, results)


def sampling(device: torch.device) -> dict[str, dict[str, object]]:
    """Measure draws of terminal states at beta 32, without assembly."""
    sampler = load_sampler(shipped_path("policy", "parp1"), str(device))
    found: dict[str, dict[str, object]] = {}
    for n in DRAWN:

        def draw(n: int = n) -> None:
            for seed in range(DRAWS):
                sampler.draw_states(n, sampler.ask(32.0), generator=seeded(seed, device))

        draw()
        found[f"{n} at once"] = {"n": n, **timed(draw, DRAWS * n, device)}
    return found


def train(device: torch.device, batch: int, n_workers: int, steps: int) -> dict[str, object]:
    """Measure the shipped settings but for the size of a batch."""
    settings = replace(
        TrainConfig(), batch_size=batch, reward_workers=n_workers, checkpoint_every=10**6
    )
    with tempfile.TemporaryDirectory(prefix="molgfn_bench_") as folder:
        config = Config(device=str(device), train=settings)
        training = start_training(config, RunDirectory(Path(folder) / "run"))
        weights = load_part(shipped_path("policy", "parp1"), "policy").tensors
        for network in (training.trainer.networks.policy, training.trainer.networks.sampler):
            network.load_state_dict(weights)
        running = training.steps(say)

        def stretch() -> None:
            for _ in range(steps):
                next(running)

        for _ in range(WARM_UP_STEPS):
            next(running)
        found = timed(stretch, steps * batch, device)
        running.close()
    return {"batch": batch, "workers": n_workers, **found}


def timed(work: Callable[[], None], n: int, device: torch.device) -> dict[str, float]:
    """Things per second of the best of some passes; on a GPU the share it computes as well."""
    seconds = min(_seconds(work, device) for _ in range(STRETCHES))
    if device.type == "cpu":
        return {"rate": n / seconds}
    with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as found:
        _seconds(work, device)
    kernels_s = sum(event.self_device_time_total for event in found.key_averages()) / 1e6
    return {"rate": n / seconds, "busy": kernels_s / seconds}


def _seconds(work: Callable[[], None], device: torch.device) -> float:
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
