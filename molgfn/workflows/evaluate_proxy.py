"""How good a proxy is on molecules it did not learn from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from molgfn.chem.properties.batch import MoleculeBatch
from molgfn.errors import ConfigError, TableError
from molgfn.reward.proxy.calibration import COVERAGE
from molgfn.reward.proxy.dataset import MIN_MOLECULES, read_dataset
from molgfn.reward.proxy.evaluation import (
    compare_models,
    errors_by_similarity,
    interval_coverage,
    std_quality,
)
from molgfn.reward.proxy.held_out import SimpleModels, held_out_table
from molgfn.reward.proxy.proxy import Proxy
from molgfn.reward.proxy.store import load_held_out, load_proxy, load_training
from molgfn.tables.columns import KCAL_MOL

#: Standard deviation of one docking, kcal/mol, and rank correlation of two that differ in the seed
#: of conformer and search: ``scripts/reproduce/docking_noise.py --source environment --n 60``,
#: PARP1, default preset. No model can know single dockings better than that.
DOCKING_NOISE_KCAL_MOL, DOCKING_SPEARMAN = 0.48, 0.85


@dataclass(frozen=True)
class ProxyEvaluation:
    """How good a proxy is.

    Attributes:
        table: One row for each set of molecules and model, see
            :func:`molgfn.reward.proxy.evaluation.compare_models`.
        held_out: The predictions, one row for each molecule.
        value_column: What is predicted.
        notes: Lines for the user.
    """

    table: pd.DataFrame
    held_out: pd.DataFrame
    value_column: str
    notes: list[str]

    def save_plot(self, path: Path) -> None:
        """Draw predicted against measured values.

        Args:
            path: Image file; its suffix is the format.

        Raises:
            OutputError: The file cannot be written.
        """
        from molgfn.report.plots import plot_parity

        plot_parity(
            path,
            self.held_out["measured"].to_numpy(),
            self.held_out["predicted"].to_numpy(),
            self.held_out["nearest_train_similarity"].to_numpy(),
            "similarity to the nearest training molecule",
            self.value_column,
        )


def evaluate_own_test(directory: Path) -> ProxyEvaluation:
    """Measure a proxy on the molecules that its fit held out.

    Returns:
        The measures, of the ensemble that did not see these molecules.

    Raises:
        ConfigError: The proxy holds no such predictions.
    """
    proxy = load_proxy(directory)
    held_out = load_held_out(directory)
    if held_out is None:
        raise ConfigError(
            f"{directory.name} was fitted before predictions of unseen molecules were kept; give "
            "measured molecules to test it on, a CSV file, or fit it again with molgfn proxy fit"
        )
    evaluation = _evaluate(proxy, held_out, [])
    cautions = proxy.provenance.get("report", {}).get("cautions", ())
    evaluation.notes.extend(f"CAUTION: {caution}" for caution in cautions)
    return evaluation


def evaluate_on(
    directory: Path, path: str, smiles_column: str | None, target_column: str | None
) -> ProxyEvaluation:
    """Measure a proxy on measured molecules; those it learned from are left out.

    Args:
        directory: The proxy.
        path: CSV file with molecules and values, or ``"-"``.
        smiles_column: Column with the SMILES; default: the one called SMILES.
        target_column: Column with the values; default: the proxy's own.

    Returns:
        The measures; the simpler models learn from the proxy's training molecules.

    Raises:
        TableError: The file cannot be read, or too few molecules are new to the proxy.
    """
    proxy = load_proxy(directory)
    column = proxy.value_column if target_column is None else target_column
    data = read_dataset(path, smiles_column, column)
    training = load_training(directory, proxy.value_column)
    known = frozenset(training.molecules)
    is_new = np.array([m not in known for m in data.molecules])
    # A bound can neither test nor teach the simple models.
    new = np.flatnonzero(is_new & (data.bound_signs == 0))
    if len(new) < MIN_MOLECULES:
        raise TableError(
            f"{path} holds {len(new)} molecules that the proxy did not learn from, a test needs "
            f"at least {MIN_MOLECULES}"
        )
    unseen = data.part(new)
    molecules = MoleculeBatch.of(unseen.molecules)
    value, std = proxy.predict(molecules)
    simple = SimpleModels.fit(training, np.flatnonzero(training.bound_signs == 0), seed=0)
    similarity = proxy.nearest_train_similarity(molecules)
    interval = proxy.calibration.interval
    notes = list(data.problems)
    if not is_new.all():
        notes.append(f"left out: {(~is_new).sum()} molecules the proxy learned from")
    if is_new.sum() > len(new):
        notes.append(f"left out: {is_new.sum() - len(new)} bounds, which cannot test")
    return _evaluate(proxy, held_out_table(unseen, value, std, interval, similarity, simple), notes)


def _evaluate(proxy: Proxy, held_out: pd.DataFrame, notes: list[str]) -> ProxyEvaluation:
    residuals = (held_out["predicted"] - held_out["measured"]).to_numpy()
    quality = std_quality(residuals, held_out["std"].to_numpy())
    if proxy.unit == KCAL_MOL:
        notes.append(
            f"noise floor: a docking has a standard deviation of {DOCKING_NOISE_KCAL_MOL} kcal/mol "
            f"and Spearman {DOCKING_SPEARMAN} with a second one from another seed (60 molecules of "
            "the environment, PARP1)"
        )
    ranks = quality["spearman_with_error"]
    notes.append(
        f"standard deviation: errors / std have spread {quality['z_std']} (1 is right), "
        f"{quality['within_2_std']:.0%} of the errors within 2 std (95 % is right)"
        + ("" if math.isnan(ranks) else f", Spearman with the size of the error {ranks}")
    )
    if held_out["interval"].max() > 0:
        notes.append(
            f"conformal interval of {COVERAGE:.0%}: {interval_coverage(held_out):.0%} of the "
            f"values lie in it, its mean half width is {held_out['interval'].mean():.3g}"
        )
    for row in errors_by_similarity(held_out).itertuples():
        notes.append(
            f"similarity to training {row.similarity}: {row.n} molecules, rmse {row.rmse}, "
            f"mean std {row.mean_std}"
        )
    return ProxyEvaluation(compare_models(held_out), held_out, proxy.value_column, notes)
