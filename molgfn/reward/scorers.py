"""The scorers that come with molgfn, and how a scorer is found by its name."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from molgfn.chem.molecule import Molecule
from molgfn.chem.properties.alerts import count_alerts, structural_alerts
from molgfn.chem.properties.batch import MoleculeBatch
from molgfn.chem.properties.by_name import BATCH_PROPERTIES, PROPERTIES
from molgfn.config.reward_schema import COMMAND_PREFIX, FactorConfig
from molgfn.errors import ConfigError, ScorerError, did_you_mean
from molgfn.machine.program import ProgramError, split_command
from molgfn.reward.command import CommandScorer
from molgfn.reward.foreign import faults_of, one_line, read_numbers, read_scores
from molgfn.reward.protocol import Scorer, Scores, Uncertainty
from molgfn.tables.columns import SIMILARITY_COLUMN, member_columns, std_column

if TYPE_CHECKING:
    # It loads torch, which a process that scores without a proxy does not need.
    from molgfn.reward.proxy.proxy import Proxy
    from molgfn.reward.proxy.size import SizeBaseline

#: Packages offer scorers under this entry point group.
ENTRY_POINT_GROUP = "molgfn.scorers"


@dataclass(frozen=True)
class ProxyScorer(Scorer):
    """Predicted value, its standard deviation, and how near the training set is.

    Attributes:
        proxy: The proxy.
        with_members: Whether every network of the ensemble gets a column too.
        with_similarity: Whether to measure how near the training set is, which costs about as
            much as the prediction.
    """

    proxy: Proxy
    with_members: bool = False
    with_similarity: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """``PARP1_kcal_mol``, ``PARP1_kcal_mol_std``, ``nearest_train_similarity``, members."""
        value = self.proxy.value_column
        similarity = (SIMILARITY_COLUMN,) if self.with_similarity else ()
        return value, self.uncertainty.std, *similarity, *self.uncertainty.members

    @property
    def needs_molecules(self) -> bool:
        """Only for fingerprints, to tell how near the training set is."""
        return self.with_similarity

    @property
    def uncertainty(self) -> Uncertainty:
        """``PARP1_kcal_mol_std``; with members ``PARP1_kcal_mol_member_1`` and so on."""
        value = self.proxy.value_column
        members = member_columns(value, len(self.proxy.networks) if self.with_members else 0)
        return Uncertainty(std_column(value), members, self.proxy.calibration.sd)

    @property
    def size(self) -> SizeBaseline:
        """What training molecules of a size have."""
        return self.proxy.size

    def __call__(self, molecules: Sequence[Molecule]) -> Scores:
        """Predict; a prediction that is not a number is missing, with a reason."""
        value, std, members = self.proxy.predict_members(molecules)
        reasons = ["" if ok else "the proxy's prediction is no number" for ok in np.isfinite(value)]
        value = np.where(np.isfinite(value), value, np.nan)
        columns = [value, std]
        if self.with_similarity:
            columns.append(self.proxy.nearest_train_similarity(molecules))
        if self.with_members:
            columns.extend(members)
        return Scores(dict(zip(self.columns, columns, strict=True)), tuple(reasons))


@dataclass(frozen=True)
class PropertyScorer(Scorer):
    """One number that RDKit computes from a molecule.

    Attributes:
        name: Name of the column.
        function: From the sanitised molecule to the number.
        of_batch: From many molecules to the same numbers, where there is a faster way.
    """

    name: str
    function: Callable[[Chem.Mol], float]
    of_batch: Callable[[MoleculeBatch], NDArray[np.float64]] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.name,)

    def __call__(self, molecules: Sequence[Molecule]) -> Scores:
        """Compute; a molecule that RDKit cannot handle is missing, with RDKit's reason."""
        if self.of_batch is not None:
            # If RDKit cannot handle one of them, it is found below.
            with suppress(ValueError, RuntimeError, ArithmeticError):
                values = self.of_batch(MoleculeBatch.of(molecules))
                if np.isfinite(values).all():
                    return Scores({self.name: values}, ("",) * len(molecules))
        values, reasons = np.full(len(molecules), np.nan), [""] * len(molecules)
        for index, molecule in enumerate(molecules):
            try:
                values[index] = self.function(molecule.mol)
            except (ValueError, RuntimeError, ArithmeticError) as error:
                reasons[index] = f"{self.name}: {' '.join(str(error).split())}"
                continue
            if not np.isfinite(values[index]):
                values[index], reasons[index] = np.nan, f"{self.name} is no finite number"
        return Scores({self.name: values}, tuple(reasons))


@dataclass(frozen=True)
class FunctionScorer(Scorer):
    """A user's Python function: SMILES in, numbers out.

    Attributes:
        name: What messages and the column call it.
        function: From a list of canonical SMILES to as many numbers; None or NaN for a molecule
            that cannot be scored.
    """

    name: str
    function: Callable[[list[str]], Sequence[float | None]]

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.name,)

    def __call__(self, molecules: Sequence[Molecule]) -> Scores:
        """Call the function.

        Raises:
            ScorerError: The function raised, or did not return one number per molecule.
        """
        smiles = [molecule.smiles for molecule in molecules]
        if not smiles:
            return Scores({self.name: np.zeros(0)}, ())
        cure = "; it gets a list of SMILES and returns as many numbers"
        with faults_of(self.name, cure):
            return read_numbers(self.function(list(smiles)), smiles, self.name)


class ColumnScorer(Scorer):
    """A user's scorer that has columns; what it returns is checked."""

    def __init__(self, name: str, own: Any) -> None:
        """Ask it for its columns.

        Args:
            name: What messages call it.
            own: The scorer; it need not extend :class:`Scorer`.

        Raises:
            ScorerError: Its columns are no names.
        """
        self._name, self._own = name, own
        with faults_of(name):
            columns = [own.columns] if isinstance(own.columns, str) else list(own.columns)
        if not columns or not all(isinstance(column, str) for column in columns):
            raise ScorerError(f"scorer {name!r}: its columns must be names, got {columns!r:.60}")
        self._columns = tuple(columns)

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns."""
        return self._columns

    @property
    def needs_molecules(self) -> bool:
        """What it says, else True."""
        return bool(getattr(self._own, "needs_molecules", True))

    @property
    def uncertainty(self) -> Uncertainty | None:
        """What it says, else None."""
        known: Uncertainty | None = getattr(self._own, "uncertainty", None)
        return known

    @property
    def size(self) -> SizeBaseline | None:
        """What it says, else None."""
        known: SizeBaseline | None = getattr(self._own, "size", None)
        return known

    def __call__(self, molecules: Sequence[Molecule]) -> Scores:
        """Score molecules as it does.

        Raises:
            ScorerError: It raised, or did not return one number per column and molecule.
        """
        with faults_of(self._name):
            returned = self._own(molecules)
            smiles = [molecule.smiles for molecule in molecules]
            return read_scores(returned, self._columns, smiles, self._name)


_PROPERTY_SCORERS = {
    "alerts": PropertyScorer("alerts", lambda mol: float(len(structural_alerts(mol))), count_alerts)
} | {
    name: PropertyScorer(name, function, BATCH_PROPERTIES.get(name))
    for name, function in PROPERTIES.items()
}
#: Names of the scorers that come with molgfn; any other is the user's own.
BUILT_IN = ("proxy", *_PROPERTY_SCORERS)


def are_built_in(factors: Iterable[FactorConfig]) -> bool:
    """Whether no factor reads a user's own scorer, which may be slow or tied to its process."""
    return all(factor.scorer.strip() in BUILT_IN for factor in factors)


def find_scorer(
    factor: FactorConfig,
    proxy_scorer: Callable[[], Scorer],
    *,
    key: str | None = None,
) -> Scorer:
    """Make the scorer that a factor names.

    Args:
        factor: The factor.
        proxy_scorer: Makes the scorer ``proxy``; called for no other.
        key: What messages call the place of the name in the configuration; default: the factor.

    Raises:
        ConfigError: There is no such scorer, or it cannot be imported.
    """
    name = factor.scorer.strip()
    where = f"reward.factors, factor {factor.label!r}" if key is None else key
    if name == "proxy":
        return proxy_scorer()
    if name in _PROPERTY_SCORERS:
        return _PROPERTY_SCORERS[name]
    if name.startswith(COMMAND_PREFIX):
        command = name.removeprefix(COMMAND_PREFIX).strip()
        try:
            split_command(command)
        except ProgramError as error:
            raise ConfigError(
                f"{where}: the command {command!r} {error}; give command: ./program"
            ) from error
        return CommandScorer(factor.label, command, factor.column, factor.timeout_s)
    return _users_own(_import(name, where), factor.label, where)


def _import(name: str, where: str) -> Any:
    """Object behind ``package.module:function`` or an entry point."""
    found = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    try:
        with redirect_stdout(sys.stderr):  # standard output may be the table
            if name in found.names:
                return found[name].load()
            module_name, colon, attribute = name.partition(":")
            if colon:
                return getattr(importlib.import_module(module_name), attribute)
    except (Exception, SystemExit) as error:  # whatever a user's module raises while it loads
        what = one_line(f"{type(error).__name__}: {error}")
        raise ConfigError(f"{where}: cannot import the scorer {name!r}: {what}") from error
    known = [*BUILT_IN, *sorted(found.names)]
    raise ConfigError(
        f"{where}: unknown scorer {name!r}, expected one of "
        f"{', '.join(known)}, module:function or command: ./program{did_you_mean(name, known)}"
    )


def _users_own(thing: Any, label: str, where: str) -> Scorer:
    """A scorer as it stands, a class of scorers, or a plain function of SMILES."""
    if isinstance(thing, type):
        with faults_of(label, "; a class of scorers is made without arguments"):
            thing = thing()
    if not callable(thing):
        raise ConfigError(
            f"{where}: the scorer is a {type(thing).__name__}, "
            "expected a function from a list of SMILES to numbers"
        )
    if hasattr(thing, "columns"):
        return ColumnScorer(label, thing)
    return FunctionScorer(label, thing)
