"""Throughput of the reward: JSON on stdout, a table for people on stderr.

    OMP_NUM_THREADS=1 python scripts/bench/reward.py [--n 1024] [--proxy parp1] > reward.json

Counts molecules per second of processor time, the best of three passes, so that other work on the
machine matters less; on processors with two threads a core it still does. Molecules are random
trajectories of the shipped environment and draws of the shipped policy, fresh ones in every pass.
``plain`` is the plain way to the same number, measured in the same run: RDKit's own functions, and
the ensemble network by network. Beside the proxy from SMILES it is the most used proxy, see
standard_proxy.py, which reads the same molecules but predicts something else.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from machine import machine
from rdkit import Chem
from rdkit.Chem import QED, Crippen
from standard_proxy import StandardProxy

from molgfn.chem.molecule import Molecule, read_molecule
from molgfn.chem.properties.alerts import structural_alerts
from molgfn.chem.properties.batch import MoleculeBatch
from molgfn.chem.properties.by_name import BATCH_PROPERTIES, PROPERTIES
from molgfn.chem.smiles import parse_smiles
from molgfn.config.resources import shipped_path
from molgfn.config.reward_schema import RewardConfig
from molgfn.machine.device import seeded
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.policy.uniform import UniformPolicy
from molgfn.molecules.sampler import load_sampler
from molgfn.molecules.scoring.tree_features import TreeFeaturiser
from molgfn.reward.proxy.features import Graphs
from molgfn.reward.proxy.member import ProxyNetwork
from molgfn.reward.proxy.proxy import Proxy
from molgfn.reward.reward import build_reward
from molgfn.reward.scorers import PropertyScorer, ProxyScorer

BATCH = 64
PASSES = 3
#: Batches of a pass of the standard proxy, which is slow.
STANDARD_BATCHES = 3
#: The most used implementation, from SMILES, batch 64, on the 2-core machine (README.md, here).
BASELINE = (105.0, 163.0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1024, help="molecules in each pass")
    parser.add_argument("--proxy", default="parp1", help="name or directory of a proxy")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results = {}
    for name, beta in (("random", None), ("policy", 32.0)):
        results[name] = measure(options.n, beta, options.proxy)
        show(name, results[name])
    json.dump({**about(options), "molecules_per_cpu_second": results}, sys.stdout, indent=2)
    print()


def measure(n: int, beta: float | None, proxy_name: str) -> dict[str, dict[str, float]]:
    """Measure everything on molecules of one kind: random ones, or the policy's at beta."""
    sampler = load_sampler(shipped_path("policy", "parp1"), "cpu")
    if beta is None:
        sampler = replace(sampler, policy=UniformPolicy(sampler.env))
    states = sampler.draw_states(
        (PASSES + 1) * n, sampler.ask(beta if beta else 1.0), generator=seeded(7)
    )
    env = sampler.env
    smiles = [molecule.smiles for molecule in env.molecules(states)]

    def trees(number: int) -> list[FragmentStates]:
        """Batches of the pass of that number; pass 0 warms up."""
        return [
            states[torch.arange(i, min(i + BATCH, (number + 1) * n))]
            for i in range(number * n, (number + 1) * n, BATCH)
        ]

    def texts(number: int) -> list[list[str]]:
        part = smiles[number * n : (number + 1) * n]
        return [part[i : i + BATCH] for i in range(0, n, BATCH)]

    def fresh(number: int) -> list[list[Molecule]]:
        """Molecules that nothing has been computed of."""
        return [[Molecule(parse_smiles(s), s) for s in part] for part in texts(number)]

    def rate(function: Callable[..., object], batches: Callable[[int], list[Any]]) -> float:
        """Molecules per second of processor time in the best pass."""
        best = math.inf
        for number in range(PASSES + 1):
            part = batches(number)
            start = time.process_time()
            for batch in part:
                function(batch)
            if number:
                best = min(best, (time.process_time() - start) / sum(map(len, part)))
        return round(1 / best, 1)

    results: dict[str, dict[str, float]] = {}

    def compare(
        name: str,
        fast: Callable[[list[Molecule]], object],
        plain: Callable[[list[Molecule]], object] | None = None,
    ) -> None:
        results[name] = {"rate": rate(fast, fresh)}
        if plain is not None:
            results[name]["plain"] = rate(plain, fresh)

    reward = build_reward(RewardConfig(proxy=proxy_name))
    proxy = next(s.proxy for s in reward.scorers if isinstance(s, ProxyScorer))
    featurise = TreeFeaturiser(env.vocabulary)

    def from_smiles(batch: list[str]) -> object:
        return proxy.predict([Molecule(parse_smiles(s), s) for s in batch])

    compare("proxy from molecules", proxy.predict, lambda ms: plain_proxy(proxy, ms))
    standard = StandardProxy()
    results["proxy from SMILES"] = {
        "rate": rate(from_smiles, texts),
        "plain": rate(standard.from_smiles, lambda number: texts(number)[:STANDARD_BATCHES]),
    }
    results["proxy from trees"] = {
        "rate": rate(lambda part: proxy.predict_graphs(featurise(part)), trees)
    }
    compare("nearest training similarity", proxy.nearest_train_similarity)
    plain_ways = {"QED": QED.qed, "logP": Crippen.MolLogP, "SA": PROPERTIES["SA"]}
    for name, function in BATCH_PROPERTIES.items():
        scorer = PropertyScorer(name, PROPERTIES[name], function)
        compare(name, scorer, lambda ms, way=plain_ways[name]: [way(m.mol) for m in ms])
    alerts = next(s for s in reward.scorers if s.columns == ("alerts",))
    compare("alerts", alerts, lambda ms: [structural_alerts(m.mol) for m in ms])
    compare("whole default reward", reward)
    results["trees to molecules"] = {"rate": rate(env.molecules, trees)}
    results["SMILES to molecules"] = {
        "rate": rate(lambda batch: [parse_smiles(s) for s in batch], texts),
        "plain": rate(lambda batch: [Chem.MolFromSmiles(s) for s in batch], texts),
    }
    results["SMILES to standard molecules"] = {
        "rate": rate(lambda batch: [read_molecule(s) for s in batch], texts)
    }
    return results


def plain_proxy(proxy: Proxy, molecules: Sequence[Molecule]) -> object:
    """The ensemble, network by network."""
    batch = Graphs.of(MoleculeBatch(molecules)).batch()
    networks = [ProxyNetwork.of(proxy.architecture, weights) for weights in proxy.networks]
    with torch.inference_mode():
        return np.mean([network(batch).numpy() for network in networks], axis=0)


def show(kind: str, results: dict[str, dict[str, float]]) -> None:
    """Print a table to stderr."""
    print(f"{kind} molecules of the shipped environment", file=sys.stderr)
    print(f"{'':32}{'per CPU-second':>16}{'plain way':>12}{'ratio':>8}", file=sys.stderr)
    for name, row in results.items():
        plain = row.get("plain")
        more = f"{plain:12.0f}{row['rate'] / plain:8.1f}" if plain else ""
        print(f"{name:32}{row['rate']:16.0f}{more}", file=sys.stderr)
    for name in ("proxy from SMILES", "proxy from trees"):
        low, high = (results[name]["rate"] / base for base in reversed(BASELINE))
        print(f"{name}: {low:.0f} to {high:.0f} times the baseline", file=sys.stderr)


def about(options: argparse.Namespace) -> dict[str, object]:
    """Machine and settings."""
    return machine() | {
        "threads": options.threads,
        "n": options.n,
        "proxy": options.proxy,
        "batch": BATCH,
        "baseline_per_cpu_second": BASELINE,
    }


if __name__ == "__main__":
    main()
