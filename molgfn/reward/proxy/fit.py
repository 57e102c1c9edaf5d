"""Fitting a proxy: an honest test on unseen scaffolds first, then the ensemble on all data."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from molgfn import __version__
from molgfn.chem.properties.batch import MoleculeBatch
from molgfn.errors import TableError
from molgfn.reward.proxy.architecture import Architecture, Weights
from molgfn.reward.proxy.calibration import Calibration, fit_calibration
from molgfn.reward.proxy.dataset import Dataset
from molgfn.reward.proxy.ensemble import Ensemble
from molgfn.reward.proxy.evaluation import summarise
from molgfn.reward.proxy.features import Graphs
from molgfn.reward.proxy.held_out import SimpleModels, held_out_table
from molgfn.reward.proxy.neighbours import TrainingNeighbours
from molgfn.reward.proxy.proxy import Control, Proxy
from molgfn.reward.proxy.size import SizeBaseline
from molgfn.reward.proxy.split import scaffold_folds
from molgfn.reward.proxy.training import TrainingSettings, fit_network

#: Folds of the test split: one for the test, one for the calibration, the others to learn from.
_SPLIT_FOLDS = 8
#: Each member stops early on another tenth of its molecules.
_MEMBER_FOLDS = 10
_LIBRARIES = ("torch", "torch-geometric", "rdkit")


@dataclass(frozen=True, slots=True)
class FitSettings:
    """What to fit.

    Attributes:
        members: Networks in the ensemble, at least 2.
        control_members: Networks of the control, at least 1.
        seed: Seed of splits, initial weights and batch order.
        architecture: Shape of each network.
        training: How each network is fitted.
    """

    members: int = 5
    control_members: int = 2
    seed: int = 0
    architecture: Architecture = field(default_factory=Architecture)
    training: TrainingSettings = field(default_factory=TrainingSettings)

    def __post_init__(self) -> None:
        if self.members < 2:
            raise ValueError(f"an ensemble needs at least 2 members, came {self.members}")
        if self.control_members < 1:
            raise ValueError(f"a control needs a member, came {self.control_members}")

    @property
    def n_epochs(self) -> int:
        """Epochs that :func:`fit_proxy` reports, for a progress bar."""
        return (2 * self.members + self.control_members) * self.training.epochs


def fit_proxy(
    data: Dataset,
    target: str,
    unit: str,
    settings: FitSettings,
    on_epoch: Callable[[], None] = lambda: None,
) -> Proxy:
    """Fit an ensemble and measure it.

    Three ensembles are fitted. The first learns from six eighths of the scaffolds; an eighth
    calibrates the standard deviation, the last eighth is the test that the report tells of,
    against a random forest and heavy atoms alone. The second, which is returned, learns from all
    molecules, each member but for the tenth it stops early on. The third, the control, learns from
    half of the scaffolds.

    Args:
        data: Measured molecules.
        target: What is predicted, such as ``PARP1``.
        unit: Unit as in column names, such as ``kcal_mol``; may be empty.
        settings: What to fit.
        on_epoch: Called ``settings.n_epochs`` times, for progress.

    Returns:
        The proxy; ``provenance["report"]`` holds the measurements.

    Raises:
        TableError: The molecules of one part all have the same value.
    """
    graphs = Graphs.of(MoleculeBatch.of(data.molecules))
    seed, n_members = settings.seed, settings.members
    folds = scaffold_folds(data.molecules, _SPLIT_FOLDS, seed)
    # A bound is learned from; it can neither calibrate nor test.
    exact = data.bound_signs == 0
    test, train = np.flatnonzero((folds == 0) & exact), np.flatnonzero(folds > 1)
    tested = _fit_members(data, graphs, train, settings, n_members, seed + 1, on_epoch)
    calibrating = np.flatnonzero((folds == 1) & exact)
    if not (len(test) and len(calibrating)):
        raise TableError(
            "nearly all values are bounds; a proxy needs measured ones among every eighth of them"
        )
    calibration = _calibrate(tested, data, graphs, calibrating)
    held_out = _test(tested, calibration, data, train[exact[train]], test, seed)

    halves = scaffold_folds(data.molecules, 2, seed + 2000)
    half, everything = np.flatnonzero(halves == 0), np.arange(len(data.molecules))
    final = _fit_members(data, graphs, everything, settings, n_members, seed + 1001, on_epoch)
    control = _fit_members(
        data, graphs, half, settings, settings.control_members, seed + 3001, on_epoch
    )
    versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return Proxy(
        target=target,
        unit=unit,
        architecture=settings.architecture,
        networks=final.networks,
        # The prediction enters the standard deviation on the scale it was calibrated on.
        calibration=replace(calibration, mean=final.mean, sd=final.sd),
        size=SizeBaseline.fit(data.heavy_atoms[exact], data.targets[exact]),
        neighbours=TrainingNeighbours.of(data.molecules),
        provenance={
            "training_molecules": len(data.molecules),
            "training_digest": data.digest,
            "seed": seed,
            "made_by": (
                "the report is of an ensemble that never saw the test and calibration scaffolds; "
                "the members stored here were fitted on all molecules, each but for the tenth of "
                "the scaffolds it stopped early on; the control on half of the scaffolds"
            ),
            "versions": {"molgfn": __version__, **versions},
            "report": {
                "split": "Murcko scaffolds, none in two parts",
                "n_train": len(train),
                "n_calibration": len(calibrating),
                **summarise(held_out),
            },
        },
        control=control,
        held_out=held_out,
    )


def _fit_members(
    data: Dataset,
    graphs: Graphs,
    indices: NDArray[np.int64],
    settings: FitSettings,
    n_members: int,
    seed: int,
    on_epoch: Callable[[], None],
) -> Control:
    """Fit networks on the molecules ``indices``."""
    values = data.targets[indices]
    mean, sd = float(values.mean()), float(values.std())
    if sd == 0.0:
        raise TableError(
            f"all but a few molecules have the value {mean:g}; a proxy needs values that differ "
            f"among the {len(values)} molecules it learns from"
        )
    targets = (data.targets - mean) / sd
    own = [data.molecules[i] for i in indices]
    networks: list[Weights] = []
    for member in range(n_members):
        turn, fold = divmod(member, _MEMBER_FOLDS)
        folds = scaffold_folds(own, _MEMBER_FOLDS, seed + turn)
        networks.append(
            fit_network(
                graphs,
                targets,
                indices[folds != fold],
                indices[folds == fold],
                settings.architecture,
                settings.training,
                seed=seed + member,
                on_epoch=on_epoch,
                bounds=data.bound_signs,
            ).state_dict()
        )
    return Control(tuple(networks), mean, sd)


def _calibrate(
    ensemble: Control, data: Dataset, graphs: Graphs, held: NDArray[np.int64]
) -> Calibration:
    """Fit the standard deviation to the errors on molecules the ensemble never saw."""
    members = Ensemble(ensemble.networks)(graphs[held]) * ensemble.sd + ensemble.mean
    value = members.mean(axis=0)
    return fit_calibration(
        Calibration(ensemble.mean, ensemble.sd, 0.0, 0.0),
        value - data.targets[held],
        members.std(axis=0),
        value,
        graphs.descriptors[held],
    )


def _test(
    ensemble: Control,
    calibration: Calibration,
    data: Dataset,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    seed: int,
) -> pd.DataFrame:
    """Predictions of the test molecules by the ensemble and by simpler models."""
    unseen = data.part(test)
    molecules = MoleculeBatch.of(unseen.molecules)
    members = Ensemble(ensemble.networks)(Graphs.of(molecules))
    members = members * ensemble.sd + ensemble.mean
    value = members.mean(axis=0)
    std = calibration.std(members.std(axis=0), value, Graphs.of(molecules).descriptors)
    seen = TrainingNeighbours.of(data.part(train).molecules)
    return held_out_table(
        unseen,
        value,
        std,
        calibration.interval,
        seen.similarity(molecules),
        SimpleModels.fit(data, train, seed),
    )
