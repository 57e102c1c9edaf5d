"""Factors of the reward: each a scorer, a transform and a weight.

Nothing heavy is imported, so that ``molgfn config`` prints and checks a reward without RDKit or
torch. The scorers and transforms themselves are in :mod:`molgfn.reward`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, get_args

from molgfn.config.choices import AcquisitionKind, Direction
from molgfn.config.ranges import BETA, SECONDS, SHARE, VALUE, Range, check_ranges
from molgfn.errors import ConfigError, did_you_mean, shown

#: Transforms by name, each with the parameters it must be given.
TRANSFORM_PARAMETERS: dict[str, tuple[str, ...]] = {
    "identity": (),
    "sigmoid": ("low", "high"),
    "window": ("low", "high", "softness"),
    "decay": ("limit", "softness"),
    "ligand_efficiency": ("low", "high"),
    "size_corrected": ("low", "high"),
}

# Of low to high, which a value is divided by.
_LEAST_WIDTH = 1e-9

#: Width of an edge over which a value falls off.
SOFTNESS = Range(1e-9, 1e12)

#: Prefix of a scorer that is a program: ``command: ./score.sh --fast``.
COMMAND_PREFIX = "command:"


@dataclass(frozen=True, slots=True)
class FactorConfig:
    """One factor of the reward: a scorer's value, mapped to (0, 1] and raised to a weight.

    Attributes:
        scorer: ``proxy``; a property such as ``QED``, ``SA``, ``MW``, ``logP``, ``TPSA``;
            ``alerts``; the name of an entry point in the group ``molgfn.scorers``;
            ``package.module:function``; or ``command: ./program --flag``.
        transform: Name of the map to (0, 1]:

            * ``identity``: the value itself, which must lie in 0 to 1;
            * ``sigmoid``: 0.1 at one end and 0.9 at the other end of ``low`` to ``high``;
            * ``window``: 1 between ``low`` and ``high``, a Gaussian of width ``softness`` outside;
            * ``decay``: 1 on the good side of ``limit``, exp(-excess / softness) beyond it;
            * ``ligand_efficiency``: value per heavy atom, then ``sigmoid``;
            * ``size_corrected``: standard deviations from the mean of the proxy's training
              molecules with as many heavy atoms, then ``sigmoid``.
        direction: ``maximise`` or ``minimise``: which values are good. A window has none.
        weight: Exponent of the factor in the product, > 0.
        low: Lower end, in the unit of the value (after the division by size, where there is one).
        high: Upper end, above ``low``.
        limit: Last value without penalty (``decay``).
        softness: Width of the edge, > 0, in the unit of the value (``window``, ``decay``).
        column: Column of a user's own scorer that is the value; default: its first numeric one.
        timeout_s: Time limit of one call of a ``command:`` scorer, seconds.
        name: What messages call the factor; default: the scorer.

    Raises:
        ConfigError: A name is unknown, a parameter is missing, superfluous or out of range.
    """

    scorer: str
    transform: str
    direction: Direction = "maximise"
    weight: Annotated[float, Range(1e-9, 1e9)] = 1.0
    low: Annotated[float | None, VALUE] = None
    high: Annotated[float | None, VALUE] = None
    limit: Annotated[float | None, VALUE] = None
    softness: Annotated[float | None, SOFTNESS] = None
    column: str | None = None
    timeout_s: Annotated[float, SECONDS] = 60.0
    name: str = ""

    def __post_init__(self) -> None:
        if not self.scorer.strip() or self.scorer.strip() == COMMAND_PREFIX:
            raise ConfigError(
                f"reward.factors: a scorer is missing, got {shown(self.scorer)}; "
                "give proxy, a property such as QED, module:function or command: ./program"
            )
        if self.transform not in TRANSFORM_PARAMETERS:
            raise self._unknown("transform", self.transform, tuple(TRANSFORM_PARAMETERS))
        if self.direction not in get_args(Direction):
            raise self._unknown("direction", self.direction, get_args(Direction))
        if self.transform == "window" and self.direction != "maximise":
            raise self._error("a window has no direction; remove it")
        self._check_parameters()
        check_ranges(self, f"{self._where}: ")

    @property
    def label(self) -> str:
        """What messages and tables call this factor."""
        return self.name if self.name else self.scorer

    @property
    def reads_proxy(self) -> bool:
        """Whether its scorer is the proxy."""
        return self.scorer.strip() == "proxy"

    def _check_parameters(self) -> None:
        needed = TRANSFORM_PARAMETERS[self.transform]
        for field in ("low", "high", "limit", "softness"):
            value: float | None = getattr(self, field)
            if field in needed and value is None:
                raise self._error(
                    f"transform {self.transform} needs {', '.join(needed)}; {field} is missing"
                )
            if field not in needed and value is not None:
                takes = ", ".join(needed) if needed else "no parameter"
                raise self._error(f"transform {self.transform} takes {takes}; remove {field}")
        if self.low is not None and self.high is not None and self.high - self.low < _LEAST_WIDTH:
            raise self._error(
                f"low must be below high by at least {_LEAST_WIDTH:g}, got {self.low} and "
                f"{self.high}; the good side is said by direction"
            )
        if self.column is not None and not self.column:
            raise self._error("column must not be empty; leave it out for the first numeric one")

    def _unknown(self, kind: str, value: str, known: tuple[str, ...]) -> ConfigError:
        expected = f"expected one of {', '.join(known)}{did_you_mean(value, known)}"
        return self._error(f"unknown {kind} {shown(value)}, {expected}")

    def _error(self, what: str) -> ConfigError:
        return ConfigError(f"{self._where}: {what}")

    @property
    def _where(self) -> str:
        return f"reward.factors, factor {shown(self.label)}"


#: The default reward. Docking energies grow with size, so the affinity is compared with molecules
#: of the same size; the raw energy at half weight keeps very small binders from winning instead.
#: Chosen among the candidates of ``scripts/reproduce/compare_size_transforms.py``.
DEFAULT_FACTORS: tuple[FactorConfig, ...] = (
    FactorConfig("proxy", "size_corrected", "minimise", low=-3.0, high=0.0, name="affinity"),
    FactorConfig("proxy", "sigmoid", "minimise", 0.5, low=-12.0, high=-8.0, name="energy"),
    FactorConfig("QED", "sigmoid", low=0.3, high=0.7),
    FactorConfig("SA", "sigmoid", "minimise", low=3.0, high=5.0),
    FactorConfig("MW", "window", low=250.0, high=450.0, softness=50.0),
    FactorConfig("logP", "window", low=0.0, high=4.5, softness=1.0),
    FactorConfig("alerts", "decay", "minimise", limit=0.0, softness=2.0),
)


#: Label of the guard's part of the Score among the factors.
GATE = "applicability"


@dataclass(frozen=True, slots=True)
class GuardConfig:
    """How much the reward trusts the proxy.

    Attributes:
        kappa: Standard deviations by which every prediction is moved to its bad side before a
            factor reads it; 0 trusts the mean. 0.5 to 1 keeps a policy away from molecules
            of which the proxy is unsure.
        min_similarity: Similarity to the nearest training molecule of the proxy (Tanimoto,
            0 to 1) below which the Score is lowered; 0 lowers none.
        softness: Shortfall of similarity that lowers the Score by a factor of e, > 0.

    Raises:
        ConfigError: A number is out of its range.
    """

    kappa: Annotated[float, Range(0, 1000)] = 0.0
    min_similarity: Annotated[float, SHARE] = 0.0
    softness: Annotated[float, SOFTNESS] = 0.05

    def __post_init__(self) -> None:
        check_ranges(self, "reward.guard.")


@dataclass(frozen=True, slots=True)
class AcquisitionConfig:
    """How factors that read the proxy use the uncertainty of its predictions.

    Attributes:
        kind: ``greedy``: the prediction. ``ucb``: the prediction moved to its good side by
            ``exploration`` standard deviations. ``log_ei``: the factors of the proxy become one,
            the expected improvement over ``best`` against the spread of the training values, in
            logarithms so that even a poor molecule has a slope. ``thompson``: every member of
            the ensemble has its own Score; the Score is their mean of the power ``power``, from
            which a policy at that beta draws as if it took another member for each molecule.
        exploration: Standard deviations, 0 or more (``ucb``).
        best: Best value measured so far, in the proxy's unit (``log_ei``).
        power: Exponent of the mean over the members, > 0 (``thompson``).

    Raises:
        ConfigError: A number is missing or out of its range.
    """

    kind: AcquisitionKind = "greedy"
    exploration: Annotated[float, Range(0, 1000)] = 0.5
    best: Annotated[float | None, VALUE] = None
    power: Annotated[float, BETA] = 32.0

    def __post_init__(self) -> None:
        check_ranges(self, "reward.acquisition.")
        if self.kind == "log_ei" and self.best is None:
            raise ConfigError(
                "reward.acquisition.best is missing; log_ei needs the best value measured so far"
            )


@dataclass(frozen=True, slots=True)
class PriorConfig:
    """How much a molecule must be like those of a library.

    Attributes:
        name: A directory made by ``molgfn prior fit``; empty for none.
        weight: Exponent alpha of the prior's probability p0: molecules are drawn in proportion to
            p0^alpha times the reward. 1 draws them from the library's law, reweighed by the reward.

    Raises:
        ConfigError: The weight is out of its range.
    """

    name: str = ""
    weight: Annotated[float, Range(0, 100)] = 1.0

    def __post_init__(self) -> None:
        check_ranges(self, "reward.prior.")


@dataclass(frozen=True, slots=True)
class RewardConfig:
    """The reward: the product of its factors, each raised to its weight.

    Attributes:
        proxy: Name of a proxy shipped with the package, or a directory made by
            ``molgfn proxy fit``.
        factors: The factors; labels must be distinct.
        floor: Smallest value of one factor, in (0, 1): keeps log finite without hiding failures,
            which are missing and not small.
        divide_by_multiplicity: Whether to divide the reward of a molecule by the number of
            fragment trees that make it, so that molecules and not trees are drawn in proportion to
            their reward. Only a vocabulary that does not decode uniquely needs it (see
            ``molgfn fragments check``); taking every new molecule apart costs time.
        prior: A law of molecules that multiplies the reward.
        guard: How much the proxy is trusted.
        acquisition: How its uncertainty is used; ``molgfn rounds`` sets it for every round.

    Raises:
        ConfigError: No factor, two factors of one label, a floor outside (0, 1), or a guard and an
            acquisition that contradict each other.
    """

    proxy: str = "parp1"
    factors: tuple[FactorConfig, ...] = DEFAULT_FACTORS
    floor: Annotated[float, Range(1e-300, 1, with_most=False)] = 1e-4
    divide_by_multiplicity: bool = False
    prior: PriorConfig = PriorConfig()
    guard: GuardConfig = GuardConfig()
    acquisition: AcquisitionConfig = AcquisitionConfig()

    def __post_init__(self) -> None:
        if not self.factors:
            raise ConfigError("reward.factors is empty; give at least one factor")
        labels = [factor.label for factor in self.factors]
        if self.guard.min_similarity > 0.0:
            labels.append(GATE)
        for label in labels:
            if labels.count(label) > 1:
                raise ConfigError(
                    f"reward.factors: two factors are called {shown(label)}; give one another name:"
                )
        check_ranges(self, "reward.")
        if self.prior.name and self.divide_by_multiplicity:
            raise ConfigError(
                "reward.divide_by_multiplicity shares the reward among the trees of a molecule, "
                "which reward.prior does by itself; set one of them"
            )
        if self.guard.kappa > 0.0 and self.acquisition.kind != "greedy":
            raise ConfigError(
                "reward.guard.kappa makes the reward wary of uncertainty and "
                f"reward.acquisition.kind {self.acquisition.kind} makes it seek it; set one of them"
            )
