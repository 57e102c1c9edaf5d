"""Steps of the environment alone, per second of processor time: JSON on stdout, table on stderr.

    OMP_NUM_THREADS=1 python scripts/bench/environment.py [--n 1024] > environment.json

Forward steps are those of the uniform policy: legal masks, a draw, the step with its log P_B.
Backward steps begin at molecules of the shipped policy and choose among the leaves that may be
removed. ``keys`` are canonical keys of the same molecules' trees, ``assembly`` makes them RDKit
molecules. Every pass has molecules of its own, because symmetries are remembered.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import count

import torch
from measuring import PASSES, best_of, show, write

from molgfn.config.resources import shipped_path
from molgfn.gfn.condition import Condition
from molgfn.gfn.rollout import rollout, rollout_backward
from molgfn.machine.device import seeded
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.policy.uniform import UniformPolicy
from molgfn.molecules.sampler import load_sampler

BATCHES = (64, 512)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=_example())
    parser.add_argument("--n", type=int, default=1024, help="trajectories in each pass")
    options = parser.parse_args()
    sampler = load_sampler(shipped_path("policy", "parp1"), "cpu")
    beta = sampler.config.train.beta_max
    terminal = sampler.draw_states((PASSES + 1) * options.n, sampler.ask(beta), generator=seeded(7))
    rows: dict[str, dict[str, object]] = {}
    for size in BATCHES:
        rows |= measure(terminal, size)
    show("per CPU-second", rows, ("trajectories", "steps", "length"))
    settings = {**vars(options), "batches": BATCHES, "threads": torch.get_num_threads()}
    write(settings, {"per_cpu_second": rows})


def measure(terminal: FragmentStates, size: int) -> dict[str, dict[str, object]]:
    """Measure everything in batches of one size.

    Args:
        terminal: Terminal states for all passes.
        size: Trajectories of a batch.

    Returns:
        Rates by what was done.
    """
    passes = torch.arange(len(terminal)).chunk(PASSES + 1)

    def rate(function: Callable[[FragmentStates, int], int]) -> dict[str, object]:
        numbers = count()
        counted = []

        def work() -> int:
            number = next(numbers)
            batches = [terminal[rows] for rows in passes[number].split(size)]
            counted.append(sum(function(states, number) for states in batches))
            return len(passes[number])

        best = best_of(work)
        length = sum(counted) / len(terminal)
        return {
            "trajectories": round(best.per_cpu_second),
            "steps": round(best.per_cpu_second * length),
            "length": round(length, 2),
        }

    def forward(states: FragmentStates, seed: int) -> int:
        condition = Condition.of(1.0, len(states))
        return len(rollout(env, uniform, condition, generator=seeded(seed)).states)

    def backward(states: FragmentStates, seed: int) -> int:
        return len(rollout_backward(env, states, generator=seeded(seed)).states)

    def keys(states: FragmentStates, _seed: int) -> int:
        env.keys(states)
        return n_steps(states)

    def assembly(states: FragmentStates, _seed: int) -> int:
        env.molecules(states)
        return n_steps(states)

    rows = {}
    for work in (forward, backward, keys, assembly):
        env = load_sampler(shipped_path("policy", "parp1"), "cpu").env  # remembers nothing yet
        uniform = UniformPolicy(env)
        rows[f"{work.__name__}, {size} a batch"] = rate(work)
    return rows


def n_steps(states: FragmentStates) -> int:
    """Steps to build terminal states: one for every fragment, and the stop."""
    return int(states.n_fragments.sum()) + len(states)


def _example() -> str:
    return "Example: OMP_NUM_THREADS=1 python scripts/bench/environment.py > environment.json"


if __name__ == "__main__":
    main()
