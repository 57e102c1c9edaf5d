"""What the benchmarks share: the best of several passes, tables for people, JSON for machines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from machine import machine

#: Passes that count; a first one that warms up does not.
PASSES = 3

# The most used implementation, recursionpharma/gflownet, one thread of the 2-core machine
# (README.md, here): 64 trajectories a step, 4-layer 128-wide graph transformer.
#: Trajectories per CPU-second in training, at best.
TRAINING_BASELINE = 16.0
#: Molecules per CPU-second in sampling without reward.
SAMPLING_BASELINE = (36.0, 45.0)
#: Seconds from the start of the process to the end of the first training step.
FIRST_STEP_BASELINE_S = 14.7
#: Resident memory after step 1 and at step 40, MB.
MEMORY_BASELINE_MB = (2100.0, 5500.0)

Row = Mapping[str, object]


@dataclass(frozen=True)
class Measured:
    """The best pass of a piece of work.

    Attributes:
        per_cpu_second: Things done per second of processor time, all threads together.
        per_second: Things done per second on the clock.
        n: Things done in the pass.
        cpu_s: Processor time of the pass, seconds.
    """

    per_cpu_second: float
    per_second: float
    n: int
    cpu_s: float

    def row(self) -> dict[str, float]:
        """The numbers by name, rounded."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def best_of(work: Callable[[], int], passes: int = PASSES, *, warm_up: bool = True) -> Measured:
    """Repeat a piece of work and keep the pass that went best.

    Other work on the machine takes caches and clock rate away; the best pass suffered least.

    Args:
        work: Does something and returns how many things it did.
        passes: How often it counts.
        warm_up: Whether to do it once more before.

    Returns:
        The pass with the most things per second of processor time.
    """
    if warm_up:
        work()
    return max((_measured(work) for _ in range(passes)), key=lambda m: m.per_cpu_second)


def _measured(work: Callable[[], int]) -> Measured:
    cpu, wall = time.process_time(), time.perf_counter()
    n = work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Measured(n / cpu, n / wall, n, cpu)


def say(text: str = "") -> None:
    """Print a line for people."""
    print(text, file=sys.stderr, flush=True)


def show(title: str, rows: Mapping[str, Row], columns: Sequence[str]) -> None:
    """Print a table for people.

    Args:
        title: Stands above the names of the rows.
        rows: Values by the name of their row.
        columns: Which values to show, in order; where a row has none, nothing stands.
    """
    width = max(len(name) for name in (title, *rows)) + 2
    widths = [max(len(column), 9) + 2 for column in columns]
    heads = zip(columns, widths, strict=True)
    say(f"{title:{width}}" + "".join(f"{column:>{w}}" for column, w in heads))
    for name, row in rows.items():
        cells = zip(columns, widths, strict=True)
        say(f"{name:{width}}" + "".join(f"{_cell(row.get(column)):>{w}}" for column, w in cells))
    say()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


def write(settings: Mapping[str, object], results: Mapping[str, object]) -> None:
    """Print the report to stdout.

    Args:
        settings: What was asked for.
        results: What was measured.
    """
    report = {**machine(), "settings": dict(settings), **results}
    json.dump(report, sys.stdout, indent=2)
    print()
