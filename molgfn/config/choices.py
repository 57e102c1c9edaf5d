"""Names that a user chooses from; what implements them registers under the same names."""

from __future__ import annotations

from pathlib import Path
from pkgutil import iter_modules
from typing import Literal

#: Which values are good.
Direction = Literal["maximise", "minimise"]
#: What factors that read the proxy make of its uncertainty (:mod:`molgfn.reward.acquisition`).
AcquisitionKind = Literal["greedy", "ucb", "log_ei", "thompson"]
#: How diverse molecules are chosen (:mod:`molgfn.chem.diverse_subset`).
SelectionMethod = Literal["greedy", "max_min", "log_det"]


def sign(direction: Direction) -> float:
    """Factor that makes higher values the better ones: 1 or -1."""
    return 1.0 if direction == "maximise" else -1.0


def training_objectives() -> tuple[str, ...]:
    """What a policy may be trained by: names of the modules of ``molgfn/gfn/objectives``.

    They are listed, not imported, so that a new objective is one file and needs no name here.
    """
    folder = Path(__file__).parents[1] / "gfn" / "objectives"
    return tuple(sorted(module.name for module in iter_modules([str(folder)])))
