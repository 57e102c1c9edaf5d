"""Active-learning rounds: the oracle, the batches and what to buy.

Every attribute documented here becomes the comment of its key in ``molgfn config``. Nothing heavy
is imported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from molgfn.config.choices import AcquisitionKind, Direction, SelectionMethod
from molgfn.errors import ConfigError

#: The oracle that is a person: a batch goes out as CSV and comes back with measured values.
LABORATORY = "lab"
#: The oracle that is AutoDock Vina.
VINA = "vina"


@dataclass(frozen=True, slots=True)
class OracleConfig:
    """What gives the true, paid-for values.

    Attributes:
        scorer: ``vina``; ``lab`` for measurements that you bring with ``molgfn rounds ingest``;
            a property such as QED; ``package.module:function``; the name of an entry point in the
            group ``molgfn.scorers``; ``command: ./program --flag``; or, to try things out,
            ``noisy: QED 0.05``, a property with noise of that standard deviation.
        target: Receptor that vina docks into, a name from ``molgfn targets list``.
        preset: How hard vina searches: fast, default or thorough.
        column: Column of the values in every table, such as pIC50, and of what a program of
            yours writes; null for vina, which has its own (PARP1_docked_kcal_mol), and for other
            scorers their name.
        unit: Unit of the values, for the laboratory's tables, such as uM; a cell with another
            unit of concentration is converted, any other unit is refused.
        direction: ``maximise`` or ``minimise``: which values are good.
        scale: ``log10`` has the proxy learn the logarithm, as suits concentrations.
        molecules_per_call: Molecules given to one call of a process.
        timeout_s: Time limit of one molecule, seconds.
        tries: Attempts at a call that breaks down before the rounds stop.

    Raises:
        ConfigError: A value is out of range.
    """

    scorer: str = VINA
    target: str = "PARP1"
    preset: str = "default"
    column: str | None = None
    unit: str = ""
    direction: Direction = "minimise"
    scale: Literal["linear", "log10"] = "linear"
    molecules_per_call: int = 1
    timeout_s: float = 300.0
    tries: int = 3

    def __post_init__(self) -> None:
        if not self.scorer.strip():
            raise ConfigError("rounds.oracle.scorer must not be empty; give vina, lab or a scorer")
        if self.column is not None and not self.column.strip():
            raise ConfigError("rounds.oracle.column must not be empty; give null for the default")
        if self.scorer == LABORATORY and self.column is None:
            raise ConfigError(
                "rounds.oracle.column is missing; with the laboratory as oracle it names the "
                "column of the measured values, such as pIC50"
            )
        _at_least("rounds.oracle.molecules_per_call", self.molecules_per_call, 1)
        _at_least("rounds.oracle.tries", self.tries, 1)
        if not (math.isfinite(self.timeout_s) and self.timeout_s > 0):
            raise ConfigError(f"rounds.oracle.timeout_s must be above 0, came {self.timeout_s}")


@dataclass(frozen=True, slots=True)
class RoundsConfig:
    """Rounds of propose, measure, learn.

    Attributes:
        rounds: Rounds after the initial set.
        batch_size: Molecules proposed in each round.
        initial: CSV with molecules that were measured before, in the oracle's column; null has
            the oracle measure molecules of random trajectories.
        initial_size: Without a CSV, molecules measured before the first round.
        budget: Most molecules that the oracle measures in all; null sets no limit.
        acquisition: What to buy. ``greedy``: the best predictions; ``ucb``: predictions with a
            bonus for uncertainty; ``log_ei``: expected improvement over the best so far, in its
            logarithmic form; ``thompson``: what one member of the ensemble, another for each
            molecule in turn, finds best.
        exploration: Standard deviations of bonus for ``ucb``, 0 or more.
        candidates: Molecules sampled from the policy in each round, to choose from.
        beta: Exponent of the reward at which they are sampled; null for train.beta_max.
        selection: How the batch is chosen: ``greedy``, the best acquisition first; ``max_min``,
            each next one as far as possible from those chosen; ``log_det``, by quality and
            diversity at once (the greedy mode of a determinantal point process).
        min_distance: Tanimoto distance that any two molecules of a batch keep, 0 to 1.
        max_per_scaffold: Most molecules of a batch with the same Murcko scaffold.
        warm_start: Whether each policy continues from that of the previous round.
        warm_steps: Training steps of a policy that does; others take train.steps.
        proxy_members: Networks in the ensemble.
        proxy_epochs: Most passes over the data in its fit.
        oracle: What gives the true values.

    Raises:
        ConfigError: A value is out of range.
    """

    rounds: int = 5
    batch_size: int = 200
    initial: str | None = None
    initial_size: int = 500
    budget: int | None = None
    acquisition: AcquisitionKind = "ucb"
    exploration: float = 0.5
    candidates: int = 5000
    beta: float | None = None
    selection: SelectionMethod = "greedy"
    min_distance: float = 0.4
    max_per_scaffold: int = 5
    warm_start: bool = True
    warm_steps: int = 200
    proxy_members: int = 5
    proxy_epochs: int = 60
    oracle: OracleConfig = field(default_factory=OracleConfig)

    def __post_init__(self) -> None:
        _at_least("rounds.rounds", self.rounds, 0)
        _at_least("rounds.batch_size", self.batch_size, 1)
        _at_least("rounds.initial_size", self.initial_size, 1)
        if self.budget is not None:
            _at_least("rounds.budget", self.budget, 0)
        if not (math.isfinite(self.exploration) and self.exploration >= 0):
            raise ConfigError(f"rounds.exploration must be 0 or more, came {self.exploration}")
        if self.candidates < self.batch_size:
            raise ConfigError(
                f"rounds.candidates must be at least rounds.batch_size ({self.batch_size}), "
                f"came {self.candidates}"
            )
        if self.beta is not None and not (math.isfinite(self.beta) and self.beta > 0):
            raise ConfigError(f"rounds.beta must be above 0, came {self.beta}")
        if not 0.0 <= self.min_distance <= 1.0:
            raise ConfigError(f"rounds.min_distance must lie in 0 to 1, came {self.min_distance}")
        _at_least("rounds.max_per_scaffold", self.max_per_scaffold, 1)
        _at_least("rounds.warm_steps", self.warm_steps, 1)
        _at_least("rounds.proxy_members", self.proxy_members, 2)
        _at_least("rounds.proxy_epochs", self.proxy_epochs, 1)
        if self.oracle.scorer == LABORATORY and self.initial is None:
            raise ConfigError(
                "rounds.initial is missing; with the laboratory as oracle the first round learns "
                "from a CSV of measured molecules"
            )


def _at_least(key: str, value: int, least: int) -> None:
    if value < least:
        raise ConfigError(f"{key} must be at least {least}, came {value}")
