"""Seconds of selecting a diverse batch, step by step: JSON on stdout, a table on stderr.

    OMP_NUM_THREADS=1 python scripts/bench/selection.py [TABLE.csv] > selection.json

Reading, fingerprints and scaffolds are timed on the molecules of the table (default: the docked
molecules that come with the program, by their energy), as is the whole of ``molgfn select`` but its
start. Selecting alone is timed on many synthetic fingerprints: families of members that share most
of their some 50 bits, scores that run in families, labels that do too. How good and how diverse a
batch is shows a table of scored molecules, such as ``molgfn sample --n 3000 --score`` writes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
from machine import machine
from numpy.typing import NDArray

from molgfn.chem.diverse_subset import select_diverse
from molgfn.chem.molecule import read_molecule
from molgfn.chem.similarity import (
    N_BITS,
    mean_pairwise_similarity,
    morgan_fingerprints,
    tanimoto_similarity,
)
from molgfn.config.choices import SelectionMethod
from molgfn.config.resources import shipped_path
from molgfn.tables.reader import Table, read_molecule_table
from molgfn.workflows.select import select_rows

METHODS: tuple[SelectionMethod, ...] = get_args(SelectionMethod)
FAMILIES = 2000

T = TypeVar("T")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", nargs="?", type=Path, help="CSV with SMILES and scores")
    parser.add_argument("--score-column", default="Score")
    parser.add_argument("--n", type=int, default=100_000, help="synthetic fingerprints")
    parser.add_argument("--k", type=int, default=200)
    parser.add_argument("--min-distance", type=float, default=0.4)
    parser.add_argument("--max-per-scaffold", type=int, default=5)
    options = parser.parse_args()
    report = {
        **about(options),
        "table": of_table(options),
        "synthetic": of_synthetic(options),
    }
    show(report)
    json.dump(report, sys.stdout, indent=2)
    print()


def of_table(options: argparse.Namespace) -> dict[str, Any]:
    """Every step on real molecules, and what the batches are like."""
    if options.table is None:
        table = read_molecule_table(shipped_path("data", "parp1") / "docked.csv")
        energies = table.frame["PARP1_kcal_mol"]
        table.frame["Score"] = [str(-float(e)) if e else "" for e in energies]
        source, column = "docked.csv", "Score"
    else:
        table = read_molecule_table(options.table)
        source, column = options.table.name, options.score_column
    kept = table.frame[table.frame[column] != ""]
    table = Table(kept, table.smiles_column, source)
    molecules, reading = timed(lambda: [read_molecule(s) for s in table.smiles])
    fingerprints, fingerprinting = timed(lambda: morgan_fingerprints(molecules))
    scaffolds, splitting = timed(lambda: [m.scaffold for m in molecules])
    scores = kept[column].astype(float).to_numpy()
    limits = {"groups": scaffolds, "max_per_group": options.max_per_scaffold}
    methods = {}
    for method in METHODS:
        picked, alone = timed(
            lambda way=method: select_diverse(
                fingerprints, scores, options.k, options.min_distance, method=way, **limits
            )
        )
        selection, whole = timed(
            lambda way=method: select_rows(
                table,
                options.k,
                options.min_distance,
                column,
                method=way,
                max_per_scaffold=options.max_per_scaffold,
            )
        )
        methods[method] = {
            "selecting_s": alone,
            "whole_s": whole,
            "molecules_read": selection.n_candidates,
            **quality(fingerprints[picked], scores[picked]),
        }
    return {
        "source": source,
        "n": len(table),
        "reading_s": reading,
        "fingerprints_s": fingerprinting,
        "scaffolds_s": splitting,
        "methods": methods,
    }


def of_synthetic(options: argparse.Namespace) -> dict[str, Any]:
    """Selecting alone, from as many candidates as a round may have."""
    fingerprints, scores, groups = synthetic(options.n)
    methods = {}
    for method in METHODS:
        for cap in (None, options.max_per_scaffold):
            picked, seconds = timed(
                lambda way=method, most=cap: select_diverse(
                    fingerprints,
                    scores,
                    options.k,
                    options.min_distance,
                    method=way,
                    groups=groups,
                    max_per_group=most,
                )
            )
            name = method if cap is None else f"{method}, {cap} per group"
            methods[name] = {
                "selecting_s": seconds,
                **quality(fingerprints[picked], scores[picked]),
            }
    bits = np.bitwise_count(fingerprints).sum(axis=1)
    return {"n": options.n, "bits_mean": float(bits.mean()), "methods": methods}


def synthetic(n: int) -> tuple[NDArray[np.uint64], NDArray[np.float64], list[str]]:
    """Fingerprints in families, scores, and labels; some members of a family have another label."""
    generator = np.random.default_rng(0)
    # As in molecules, some bits are far more common than others.
    common = 1.0 / np.arange(1, N_BITS + 1) ** 0.8
    common /= common.sum()
    parents = [generator.choice(N_BITS, 50, replace=False, p=common) for _ in range(FAMILIES)]
    family = generator.integers(FAMILIES, size=n)
    dense = np.zeros((n, N_BITS), dtype=bool)
    for row, number in zip(dense, family, strict=True):
        row[generator.permutation(parents[number])[: generator.integers(25, 46)]] = True
        row[generator.choice(N_BITS, 15, p=common)] = True
    fingerprints = np.packbits(dense, axis=1).view(np.uint64)
    scores = generator.normal(size=FAMILIES)[family] + 0.5 * generator.normal(size=n)
    return fingerprints, scores, [f"{f} {x}" for f, x in zip(family, np.arange(n) % 3, strict=True)]


def quality(
    fingerprints: NDArray[np.uint64], scores: NDArray[np.float64]
) -> dict[str, float | None]:
    """How good and how diverse a batch is."""
    similarity = tanimoto_similarity(fingerprints, fingerprints)
    return {
        "picked": len(scores),
        "score_mean": round(float(scores.mean()), 4),
        "similarity_mean": (
            round(mean_pairwise_similarity(fingerprints), 4) if len(scores) > 1 else None
        ),
        "similarity_max": round(float((similarity - np.eye(len(scores))).max()), 4),
        "log_det_similarity": round(float(np.linalg.slogdet(similarity).logabsdet), 2),
    }


def timed(function: Callable[[], T]) -> tuple[T, float]:
    """The result, and seconds of processor time."""
    start = time.process_time()
    result = function()
    return result, round(time.process_time() - start, 3)


def show(report: dict[str, Any]) -> None:
    """Print a table to stderr."""
    for kind in ("table", "synthetic"):
        part = report[kind]
        print(f"{kind}: {part['n']} candidates", file=sys.stderr)
        for step in ("reading_s", "fingerprints_s", "scaffolds_s"):
            if step in part:
                print(f"  {step:28}{part[step]:10.2f}", file=sys.stderr)
        names = list(next(iter(part["methods"].values())))
        print(" " * 30 + "".join(f"{name:>20}" for name in names), file=sys.stderr)
        for method, row in part["methods"].items():
            cells = "".join(f"{row[name]!s:>20}" for name in names)
            print(f"  {method:28}{cells}", file=sys.stderr)


def about(options: argparse.Namespace) -> dict[str, object]:
    """Machine and settings."""
    return machine() | {
        "k": options.k,
        "min_distance": options.min_distance,
        "max_per_scaffold": options.max_per_scaffold,
    }


if __name__ == "__main__":
    main()
