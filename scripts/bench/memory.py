"""Memory of a long training and of a long sampling: JSON on stdout, a table on stderr.

    OMP_NUM_THREADS=1 python scripts/bench/memory.py [--full] > memory.json

Each runs in a process of its own, as the command does it: the training in a run directory, with
replay, metrics and checkpoints; the sampling keeps of its molecules what ``molgfn sample`` keeps.
Resident memory is read every 10 steps, or with every batch of molecules. ``slope`` is that of a
straight line after the first third, when libraries are loaded and caches warm: what is bounded has
none in the end. By default 200 steps of 64 trajectories and as many replayed, one update each;
``--full`` takes 1000 steps of the shipped training, and 100,000 molecules.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from measuring import MEMORY_BASELINE_MB, say, show, write

EVERY = 10
#: Memory in MB by steps or molecules so far.
Readings = list[tuple[int, float]]
#: Readings and the peak, MB.
Watched = tuple[Readings, float]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=_example())
    parser.add_argument("--steps", type=int, help="steps of the training; default: 200")
    parser.add_argument("--n", type=int, help="molecules to sample; default: 5000")
    parser.add_argument("--full", action="store_true", help="shipped training, 1000; n 100,000")
    options = parser.parse_args()
    steps = options.steps or (1000 if options.full else 200)
    n = options.n or (100_000 if options.full else 5000)
    rows = {
        f"training, {steps} steps": describe(*_apart(train, steps, options.full), 100),
        f"sampling, {n} molecules": describe(*_apart(sample, n), 1000),
    }
    show("MB", rows, ("first", "steady", "last", "peak", "slope", "per"))
    say("slope: MB for the steps or molecules in the last column, after the first third")
    say("baseline: {:g} MB after step 1, {:g} MB at step 40".format(*MEMORY_BASELINE_MB))
    settings = {"steps": steps, "n": n, "full": options.full, "threads": 1}
    write(settings, {"baseline_mb": MEMORY_BASELINE_MB, "memory": rows})


def train(steps: int, shipped: bool) -> Watched:
    """Train in a fresh run directory and watch the memory.

    Args:
        steps: Steps.
        shipped: Whether with the shipped settings, instead of small batches.

    Returns:
        Resident memory in MB by step, and its peak.
    """
    from molgfn.config.schema import Config, TrainConfig
    from molgfn.molecules.run_directory import RunDirectory
    from molgfn.workflows.train import start_training

    # No workers: all that a training needs is then in this process.
    settings = replace(TrainConfig(), steps=steps, reward_workers=0)
    if not shipped:
        settings = replace(settings, batch_size=64, updates_per_step=1, replay_batch_size=64)
    readings = []
    with tempfile.TemporaryDirectory(prefix="molgfn_bench_") as folder:
        config = Config(device="cpu", train=settings)
        training = start_training(config, RunDirectory(Path(folder) / "run"))
        for metrics in training.steps():
            step = int(metrics["step"])
            if step == 1 or step % EVERY == 0:
                readings.append((step, resident_mb()))
    return readings, peak_mb()


def sample(n: int) -> Watched:
    """Sample from the shipped policy and watch the memory.

    Args:
        n: Molecules.

    Returns:
        Resident memory in MB by the number of molecules, and its peak.
    """
    from molgfn.config.resources import shipped_path
    from molgfn.machine.device import seeded
    from molgfn.molecules.sampler import load_sampler

    sampler = load_sampler(shipped_path("policy", "parp1"), "cpu")
    readings, drawn = [], 0
    for batch in sampler.sample(n, sampler.ask(sampler.config.train.beta_max), generator=seeded(0)):
        drawn += len(batch)
        readings.append((drawn, resident_mb()))
    return readings, peak_mb()


def describe(readings: Readings, peak: float, per: int) -> dict[str, object]:
    """Sum the readings up.

    Args:
        readings: Memory in MB by progress.
        peak: The most there was, MB.
        per: Progress that the slope is given for.

    Returns:
        First, median after the first third, last and peak in MB, and the slope.
    """
    progress, memory = np.array(readings).T
    late = progress > progress[-1] / 3
    slope = None  # one point has none
    if late.sum() > 1:
        slope = round(float(np.polyfit(progress[late], memory[late], 1)[0]) * per, 2)
    return {
        "first": round(memory[0]),
        "steady": round(float(np.median(memory[late]))),
        "last": round(memory[-1]),
        "peak": round(peak),
        "slope": slope,
        "per": per,
        "readings_mb": {str(step): round(mb, 1) for step, mb in readings},
    }


def resident_mb() -> float:
    """Resident memory of this process now, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def peak_mb() -> float:
    """The most resident memory this process ever had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _apart(function: Callable[..., Watched], *arguments: int) -> Watched:
    """Call a function in a process that has done nothing else."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _example() -> str:
    return "Example: OMP_NUM_THREADS=1 python scripts/bench/memory.py --steps 100 > memory.json"


if __name__ == "__main__":
    main()
