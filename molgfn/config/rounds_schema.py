"""Active-learning rounds: the oracle, the batches and what to buy.

Every attribute documented here becomes the comment of its key in ``molgfn config``. Nothing heavy
is imported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from molgfn.config.choices import AcquisitionKind, Direction, SelectionMethod
from molgfn.config.ranges import BETA, COUNT, SECONDS, SHARE, Range, check_ranges
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
    molecules_per_call: Annotated[int, Range(1, 1_000_000)] = 1
    timeout_s: Annotated[float, SECONDS] = 300.0
    tries: Annotated[int, Range(1, 1000)] = 3

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
        check_ranges(self, "rounds.oracle.")


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

    rounds: Annotated[int, Range(0, 10_000)] = 5
    batch_size: Annotated[int, Range(1, 1_000_000)] = 200
    initial: str | None = None
    initial_size: Annotated[int, Range(1, 1_000_000)] = 500
    budget: Annotated[int | None, Range(0, 10**9)] = None
    acquisition: AcquisitionKind = "ucb"
    exploration: Annotated[float, Range(0, 1000)] = 0.5
    candidates: Annotated[int, Range(1, 1_000_000)] = 5000
    beta: Annotated[float | None, BETA] = None
    selection: SelectionMethod = "greedy"
    min_distance: Annotated[float, SHARE] = 0.4
    max_per_scaffold: Annotated[int, COUNT] = 5
    warm_start: bool = True
    warm_steps: Annotated[int, COUNT] = 200
    proxy_members: Annotated[int, Range(2, 100)] = 5
    proxy_epochs: Annotated[int, Range(1, 100_000)] = 60
    oracle: OracleConfig = field(default_factory=OracleConfig)

    def __post_init__(self) -> None:
        check_ranges(self, "rounds.")
        if self.candidates < self.batch_size:
            raise ConfigError(
                f"rounds.candidates must be at least rounds.batch_size ({self.batch_size}), "
                f"got {self.candidates}"
            )
        if self.oracle.scorer == LABORATORY and self.initial is None:
            raise ConfigError(
                "rounds.initial is missing; with the laboratory as oracle the first round learns "
                "from a CSV of measured molecules"
            )
