"""Molecules sampled per second of processor time: JSON on stdout, a table on stderr.

    OMP_NUM_THREADS=1 python scripts/bench/sampling.py [RUN] [--full] > sampling.json

``trajectories`` draws terminal states and nothing else. ``molecules`` assembles them and keeps
those that are distinct by InChIKey, as ``molgfn sample`` does; ``scored`` adds the reward,
``controlled`` rejection control. Loading is not counted, see startup.py for that. Every pass draws
other molecules; from 10,000 on there is one pass. A policy that repeats itself has to draw more:
``distinct`` tells how many of the first trajectories differ.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import torch
from measuring import PASSES, SAMPLING_BASELINE, best_of, say, show, write

from molgfn.config.resources import shipped_path
from molgfn.machine.device import seeded
from molgfn.molecules.rejection import RejectionControl
from molgfn.molecules.sampler import Sampler, load_sampler
from molgfn.reward.reward import Reward, build_reward

SIZES = (64, 1000, 10_000)
#: Molecules from which on a single pass is long enough.
ONE_PASS = 10_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=_example())
    parser.add_argument("run", nargs="?", type=Path, help="run directory; default: the shipped one")
    parser.add_argument("--n", type=int, nargs="+", default=SIZES, help="molecules to draw")
    parser.add_argument("--beta", type=float, help="default: the largest trained for")
    parser.add_argument("--full", action="store_true", help="100,000 molecules too")
    options = parser.parse_args()
    run = shipped_path("policy", "parp1") if options.run is None else options.run
    sampler = load_sampler(run, "cpu")
    beta = sampler.config.train.beta_max if options.beta is None else options.beta
    reward = build_reward(sampler.config.reward)
    sizes = [*options.n, 100_000] if options.full else options.n
    rows = measure(sampler, reward, beta, sizes)
    show("per CPU-second", rows, ("n", "rate", "ratio", "distinct"))
    say("ratio: to the baseline's {:g} to {:g}, without reward".format(*SAMPLING_BASELINE))
    settings = {"policy": run.name, "n": sizes, "beta": beta, "threads": torch.get_num_threads()}
    write(settings, {"baseline_per_cpu_second": SAMPLING_BASELINE, "sampling": rows})


def measure(
    sampler: Sampler, reward: Reward, beta: float, sizes: Sequence[int]
) -> dict[str, dict[str, object]]:
    """Measure every way of sampling at every size.

    Args:
        sampler: The policy.
        reward: Scores its molecules.
        beta: Exponent of the reward.
        sizes: How many molecules to draw.

    Returns:
        Rates by what was done.
    """
    seeds = count()

    asked = sampler.ask(beta)

    def trajectories(n: int) -> int:
        return len(sampler.draw_states(n, asked, generator=seeded(next(seeds))))

    def molecules(n: int) -> int:
        return sum(len(part) for part in sampler.sample(n, asked, generator=seeded(next(seeds))))

    def scored(n: int) -> int:
        batches = sampler.sample(n, asked, generator=seeded(next(seeds)))
        return sum(len(reward([s.molecule for s in part]).score) for part in batches)

    def controlled(n: int) -> int:
        generator = seeded(next(seeds))
        keep = RejectionControl(sampler, asked, generator=generator)
        return sum(len(part) for part in sampler.sample(n, asked, generator=generator, keep=keep))

    rows: dict[str, dict[str, object]] = {}
    for work in (trajectories, molecules, scored, controlled):
        work(min(sizes))  # warms up
        for n in sizes:
            rows[f"{work.__name__}, {n}"] = rate(work, n) | distinct_share(sampler, beta, n)
    return rows


def rate(work: Callable[[int], int], n: int) -> dict[str, object]:
    """The rate of one way of sampling, and how it stands to the baseline."""
    best = best_of(lambda: work(n), 1 if n >= ONE_PASS else PASSES, warm_up=False)
    low, high = (round(best.per_cpu_second / x, 1) for x in reversed(SAMPLING_BASELINE))
    return {
        "n": best.n,
        "rate": round(best.per_cpu_second, 1),
        "per_second": round(best.per_second, 1),
        "cpu_s": round(best.cpu_s, 3),
        "ratio": f"{low}-{high}",
    }


def distinct_share(sampler: Sampler, beta: float, n: int) -> dict[str, object]:
    """Share of distinct states among n trajectories, at most 1000 of them."""
    n = min(n, 1000)
    keys = sampler.env.keys(sampler.draw_states(n, sampler.ask(beta), generator=seeded(0)))
    return {"distinct": round(len(set(keys)) / n, 3)}


def _example() -> str:
    return "Example: OMP_NUM_THREADS=1 python scripts/bench/sampling.py --n 64 1000 > sampling.json"


if __name__ == "__main__":
    main()
