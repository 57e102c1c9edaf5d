"""How training and sampling scale: JSON on stdout, a table on stderr.

    OMP_NUM_THREADS=1 python scripts/bench/scaling.py [--axis vocabulary] > scaling.json

One thing changes at a time from an on-policy training of 64 trajectories with the default network
and fresh weights (see training.py); ``trained`` counts whole steps with their reward, ``sampled``
trajectories of the policy alone, both per second of processor time.

* batch: trajectories in each step.
* fragments: every molecule has exactly that number of fragments; heavy atoms and weight are free.
* vocabulary: 100 takes every third fragment of the shipped 300. More are made by copying them with
  isotope labels on all atoms, round by round: to the program the copies are other fragments, with
  embeddings and entries of their own, but sites, symmetries, pairs and sizes stay those of the
  original, so molecules do not change with the size. The weight of labelled atoms is not limited.
* threads: of torch, with 512 trajectories; the clock matters here, so ``trained_per_s`` and
  ``sampled_per_s`` count per second on it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

import torch
from measuring import best_of, show, write
from rdkit import Chem
from training import build_trainer, on_policy

from molgfn.config.schema import Config, LimitsConfig
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.fragments.vocabulary_file import find_vocabulary
from molgfn.gfn.condition import Condition
from molgfn.gfn.rollout import rollout

BATCH = 64
UNLIMITED = 100_000
POINTS = {
    "batch": (16, 64, 256, 1024),
    "fragments": (3, 6, 9, 15, 24),
    "vocabulary": (100, 300, 1000, 3000),
    "threads": (1, 2),
}
COLUMNS = ("trained", "sampled", "trained_per_s", "sampled_per_s", "length")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=_example())
    parser.add_argument("--axis", choices=POINTS, help="this one alone")
    parser.add_argument("--passes", type=int, default=2, help="passes, the best counts")
    options = parser.parse_args()
    results = {}
    for axis, points in POINTS.items():
        if options.axis in (None, axis):
            results[axis] = {f"{axis} {x}": measure(axis, x, options.passes) for x in points}
            show(axis, results[axis], COLUMNS)
    write({**vars(options), "batch": BATCH, "threads": 1}, {"scaling": results})


def measure(axis: str, value: int, passes: int) -> dict[str, object]:
    """Rates and the mean length of trajectories at one point, the best of some passes."""
    size = {"batch": value, "threads": 512}.get(axis, BATCH)
    trainer = build_trainer(configuration(axis, value, size), vocabulary(axis, value))
    config = trainer.config
    steps = max(1, 256 // size)
    condition = Condition.at(torch.linspace(config.beta_min, config.beta_max, size).log())
    lengths = []

    def train() -> int:
        for _ in range(steps):
            lengths.append(trainer.train_step()["length"])
        return steps * size

    def sample() -> int:
        for _ in range(steps):
            rollout(trainer.env, trainer.networks.sampler, condition, generator=trainer.generator)
        return steps * size

    torch.set_num_threads(value if axis == "threads" else 1)
    trained, sampled = best_of(train, passes), best_of(sample, passes)
    torch.set_num_threads(1)
    return {
        axis: value,
        "trained": round(trained.per_cpu_second, 1),
        "sampled": round(sampled.per_cpu_second, 1),
        "trained_per_s": round(trained.per_second, 1),
        "sampled_per_s": round(sampled.per_second, 1),
        "length": round(sum(lengths) / len(lengths), 2),
    }


def configuration(axis: str, value: int, size: int) -> Config:
    """The on-policy training with what the axis asks for."""
    config = on_policy(size)
    limits = config.limits
    if axis == "fragments":
        limits = LimitsConfig(value, value, UNLIMITED, UNLIMITED)
    if axis == "vocabulary":
        limits = replace(limits, max_weight_g_per_mol=UNLIMITED)
    return replace(config, limits=limits)


def vocabulary(axis: str, value: int) -> Vocabulary:
    """The shipped vocabulary, or one of another size."""
    shipped = find_vocabulary("default")
    if axis != "vocabulary":
        return shipped
    fragments = shipped.fragments
    if value < len(fragments):
        fragments = fragments[:: len(fragments) // value]
    chosen = [fragment for fragment, _ in zip(copies(fragments), range(value), strict=False)]
    return Vocabulary(f"{value} fragments", tuple(chosen), shipped.pairs)


def copies(fragments: tuple[Fragment, ...]) -> Iterator[Fragment]:
    """Yield fragments, then copies of them with ever heavier isotopes, without end."""
    yield from fragments
    shift = 1
    while True:
        for fragment in fragments:
            yield isotope(fragment, shift)
        shift += 1


def isotope(fragment: Fragment, shift: int) -> Fragment:
    """Copy a fragment with another mass number on every atom.

    All atoms of an element get the same one, its rounded mass plus ``shift``, so the symmetry of
    the fragment is kept.
    """
    mol = Chem.Mol(fragment.mol)
    for atom in mol.GetAtoms():
        atom.SetIsotope(round(atom.GetMass()) + shift)
    smiles = Chem.MolToSmiles(mol)
    written = mol.GetPropsAsDict(True, True)["_smilesAtomOutputOrder"]
    place = {atom: i for i, atom in enumerate(written)}
    sites = {place[atom]: capacity for atom, capacity in fragment.capacities.items()}
    entries = frozenset(place[atom] for atom in fragment.entries)
    return Fragment.build(smiles, sites, entries, fragment.count)


def _example() -> str:
    return (
        "Example: OMP_NUM_THREADS=1 python scripts/bench/scaling.py --axis threads > threads.json"
    )


if __name__ == "__main__":
    main()
