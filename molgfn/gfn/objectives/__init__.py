"""Training objectives, one in each module under the name that a configuration gives it.

A module has a function ``residuals(of, config)``, zero at the optimum; all have the same optimum.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from molgfn.config.schema import TrainConfig
from molgfn.gfn.balance import Evaluated, Residuals
from molgfn.gfn.environment import S


def find_objective(name: str) -> Callable[[Evaluated[S], TrainConfig], Residuals]:
    """The residuals of an objective, differentiable in the weights of the networks."""
    found: Callable[[Evaluated[S], TrainConfig], Residuals]
    found = import_module(f"{__name__}.{name}").residuals
    return found
