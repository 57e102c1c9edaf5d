"""Exact log p per second of processor time: JSON on stdout, a table on stderr.

    OMP_NUM_THREADS=1 python scripts/bench/likelihood.py [--n 256] > likelihood.json

The probability that a trajectory of the shipped policy ends in a state is a sum over all orders in
which the state can be built. ``states`` are the policy's own molecules as trees; ``molecules`` are
the same ones read from SMILES and parsed into trees first, as ``molgfn score --log-likelihood``
does. The cost grows steeply with the number of fragments, which the table shows.
"""

from __future__ import annotations

import argparse

import torch
from measuring import best_of, show, write

from molgfn.chem.molecule import read_molecule
from molgfn.config.resources import shipped_path
from molgfn.gfn.likelihood import log_likelihood
from molgfn.machine.device import seeded
from molgfn.molecules.likelihood import MoleculeLikelihood
from molgfn.molecules.sampler import load_sampler

BETAS = (4.0, 32.0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=_example())
    parser.add_argument("--n", type=int, default=256, help="molecules at each beta")
    parser.add_argument("--passes", type=int, default=2, help="passes, the best counts")
    options = parser.parse_args()
    rows: dict[str, dict[str, object]] = {}
    for beta in BETAS:
        rows |= measure(options.n, beta, options.passes)
    show("exact log p", rows, ("rate", "fragments"))
    settings = {**vars(options), "betas": BETAS, "threads": torch.get_num_threads()}
    write(settings, {"per_cpu_second": rows})


def measure(n: int, beta: float, passes: int) -> dict[str, dict[str, object]]:
    """Measure at one beta.

    Args:
        n: Molecules.
        beta: Exponent of the reward they are drawn with, and log p is asked for.
        passes: Passes of which the best counts.

    Returns:
        Rates by what was done.
    """
    sampler = load_sampler(shipped_path("policy", "parp1"), "cpu")
    env, policy = sampler.env, sampler.policy
    asked = sampler.ask(beta)
    states = sampler.draw_states(n, asked, generator=seeded(7))
    smiles = [molecule.smiles for molecule in env.molecules(states)]
    of_molecules = MoleculeLikelihood(env, policy, asked)

    def by_states() -> int:
        return len(log_likelihood(env, policy, states, asked))

    def by_molecules() -> int:
        return len(of_molecules([read_molecule(s) for s in smiles]).log_likelihood)

    fragments = round(float(states.n_fragments.double().mean()), 2)
    return {
        f"{name}, beta {beta:g}": {
            "rate": round(best_of(work, passes).per_cpu_second, 1),
            "fragments": fragments,
        }
        for name, work in (("states", by_states), ("molecules", by_molecules))
    }


def _example() -> str:
    return "Example: OMP_NUM_THREADS=1 python scripts/bench/likelihood.py --n 64 > likelihood.json"


if __name__ == "__main__":
    main()
