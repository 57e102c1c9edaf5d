"""The oracle: its specification, and asking it inside a worker process."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

from molgfn.active.answer import Answer
from molgfn.active.simulated import NOISY_PREFIX, NoisyProperty
from molgfn.chem.molecule import Molecule, read_mol
from molgfn.config.reward_schema import COMMAND_PREFIX, FactorConfig
from molgfn.config.rounds_schema import LABORATORY, VINA, OracleConfig
from molgfn.errors import ConfigError, MoleculeError, did_you_mean
from molgfn.reward.docking.catalogue import find_target
from molgfn.reward.docking.packages import require_engine
from molgfn.reward.docking.settings import PRESETS
from molgfn.reward.protocol import Scorer, check_columns
from molgfn.reward.scorers import find_scorer
from molgfn.tables.measured import value_fault

_KEY = "rounds.oracle.scorer"
#: Time limit that a program never reaches, seconds: that of its call is kept from outside.
_PROGRAM_LIMIT_S = 2e6

#: Answers of an opened oracle for molecules, in their order.
Measure = Callable[[Sequence[Molecule]], list[Answer]]


@dataclass(frozen=True, slots=True)
class OracleSpec:
    """An oracle as plain values that any process can open.

    Attributes:
        scorer: See :class:`molgfn.config.rounds_schema.OracleConfig`.
        column: Column of the measured values.
        target: Where vina docks; ``""`` for other oracles.
        target_digest: Identity of that target's receptor and box.
        preset: Search effort of vina.
        value_column: Column of the scorer's result that holds the value; None for its first.
        timeout_s: Time limit of one molecule, seconds.
        tries: Tries of a call that breaks down.
        log10: Whether only values with a logarithm are of use.
    """

    scorer: str
    column: str
    target: str
    target_digest: str
    preset: str
    value_column: str | None
    timeout_s: float
    tries: int
    log10: bool

    @classmethod
    def of(cls, config: OracleConfig) -> OracleSpec:
        """Check the configuration of an oracle and that everything it needs is there.

        Raises:
            ConfigError: There is no such scorer or preset, or the column may not have that name.
            TargetError: There is no such target.
            MissingPackageError: The packages for docking are not installed.
            ValueError: The oracle is the laboratory, which no process can ask.
        """
        name = config.scorer.strip()
        if name == LABORATORY:
            raise ValueError("the laboratory is asked by tables, not by a process")
        if config.column is not None:
            check_columns([config.column], "rounds.oracle.column", "choose another name")
        limits = config.timeout_s, config.tries, config.scale == "log10"
        if name == VINA:
            require_engine()
            if config.preset not in PRESETS:
                raise ConfigError(
                    f"rounds.oracle.preset must be one of {', '.join(PRESETS)}, got "
                    f"{config.preset!r}{did_you_mean(config.preset, PRESETS)}"
                )
            target = find_target(config.target)
            column = target.energy_column if config.column is None else config.column
            return cls(name, column, target.name, target.digest, config.preset, None, *limits)
        scorer = _open_scorer(name, config.column)
        if config.column is None:
            own = scorer.columns[0] if len(scorer.columns) == 1 else name
            return cls(name, own, "", "", "", None, *limits)
        chosen = _value_column(name, scorer, config.column)
        return cls(name, config.column, "", "", "", chosen, *limits)

    @classmethod
    def from_json(cls, text: str) -> OracleSpec:
        """Read what :meth:`to_json` wrote."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """One line of JSON; equal oracles give equal text."""
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def starts_programs(self) -> bool:
        """Whether it runs a program of the user, which must end with the process."""
        return self.scorer.startswith(COMMAND_PREFIX)

    def describe(self) -> str:
        """One line for readers, such as ``AutoDock Vina on PARP1, 16 x 25000 evaluations, …``."""
        if self.scorer == VINA:
            return f"AutoDock Vina on {self.target}, {PRESETS[self.preset].describe()}"
        return self.scorer


def measure(spec_json: str, smiles: Sequence[str]) -> list[Answer]:
    """Ask the oracle inside a worker process, which keeps it open.

    Args:
        spec_json: The oracle, as :meth:`OracleSpec.to_json` wrote it.
        smiles: Standard SMILES.

    Returns:
        Answers, in the order of the molecules.

    Raises:
        ScorerError: The oracle as a whole broke.
        MolgfnError: What it needs is missing.
    """
    molecules, answers = read_asked(smiles)
    measured = open_oracle(spec_json)(molecules)
    answers |= {m.smiles: answer for m, answer in zip(molecules, measured, strict=True)}
    return [answers[text] for text in smiles]


def read_asked(smiles: Iterable[str]) -> tuple[list[Molecule], dict[str, Answer]]:
    """Read standard SMILES; the answer for one that cannot be read is a failure."""
    molecules: list[Molecule] = []
    unreadable: dict[str, Answer] = {}
    for text in smiles:
        try:
            molecules.append(Molecule(read_mol(text), text))
        except MoleculeError as error:
            unreadable[text] = Answer.failed(str(error))
    return molecules, unreadable


@lru_cache(maxsize=1)
def open_oracle(spec_json: str) -> Measure:
    """Open an oracle, once in each process.

    Args:
        spec_json: The oracle, as :meth:`OracleSpec.to_json` wrote it.

    Raises:
        MolgfnError: What it needs is missing.
    """
    spec = OracleSpec.from_json(spec_json)
    scorer = _open_scorer(spec.scorer, spec.value_column)

    def ask(molecules: Sequence[Molecule]) -> list[Answer]:
        if not molecules:
            return []
        began = time.monotonic()
        scores = scorer(molecules)
        cost_s = (time.monotonic() - began) / len(molecules)
        column = scorer.columns[0]
        if spec.value_column in scorer.columns:
            column = spec.value_column
        return [
            _answer(float(value), reason, cost_s, log10=spec.log10)
            for value, reason in zip(scores.values[column], scores.reasons, strict=True)
        ]

    return ask


def _open_scorer(name: str, value_column: str | None) -> Scorer:
    """The scorer of a name; the identity transform is there because a factor needs one."""
    if name.startswith(NOISY_PREFIX):
        return NoisyProperty(name)
    if name == COMMAND_PREFIX:
        raise ConfigError(f"{_KEY}: the program is missing; give command: ./program")
    factor = FactorConfig(name, "identity", column=value_column, timeout_s=_PROGRAM_LIMIT_S)
    return find_scorer(factor, _no_proxy, key=_KEY)


def _no_proxy() -> Scorer:
    raise ConfigError(f"{_KEY}: a proxy learns from the oracle; name another scorer")


def _value_column(name: str, scorer: Scorer, column: str) -> str | None:
    """Column of the scorer's result that holds the value; a program tells its columns later."""
    if name.startswith(COMMAND_PREFIX) or column in scorer.columns:
        return column
    if len(scorer.columns) > 1:
        raise ConfigError(
            f"rounds.oracle.column: {name} has no column {column!r}, only "
            f"{', '.join(scorer.columns)}"
        )
    return None


def _answer(value: float, reason: str, cost_s: float, *, log10: bool) -> Answer:
    """The answer with a value, where that is one to learn from."""
    if not math.isfinite(value):
        return Answer.failed(reason if reason else "no number returned", cost_s)
    if fault := value_fault(value, log10=log10):
        return Answer.failed(f"{value:g} {fault}", cost_s)
    return Answer(value, "ok", "", cost_s)
