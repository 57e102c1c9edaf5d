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
from molgfn.reward.proxy.architecture import Architecture, Weights
from molgfn.reward.proxy.calibration import Calibration, fit_calibration
from molgfn.reward.proxy.cautions import cautions
from molgfn.reward.proxy.dataset import Dataset
from molgfn.reward.proxy.ensemble import Ensemble
from molgfn.reward.proxy.evaluation import summarise
from molgfn.reward.proxy.features import Graphs
from molgfn.reward.proxy.held_out import SimpleModels, held_out_table
from molgfn.reward.proxy.neighbours import TrainingNeighbours
from molgfn.reward.proxy.proxy import Control, Proxy
from molgfn.reward.proxy.size import SizeBaseline
from molgfn.reward.proxy.split import Kept, early_stopping_fold, half, split_for_test
from molgfn.reward.proxy.training import TrainingSettings, fit_network

_LIBRARIES = ("torch", "torch-geometric", "rdkit")
#: How the record of a proxy describes its split, by what no two parts share.
_SPLITS: dict[Kept, str] = {
    "scaffolds": "Murcko scaffolds, none in two parts",
    "clusters": "clusters of similar molecules of a scaffold, none in two parts",
    "molecules": "molecules at random",
}


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
            raise ValueError(f"an ensemble needs at least 2 members, got {self.members}")
        if self.control_members < 1:
            raise ValueError(f"a control needs a member, got {self.control_members}")

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
    half of the scaffolds. Where scaffolds are too few or too large for that, smaller units are
    kept apart (:mod:`molgfn.reward.proxy.split`), and the report says so.

    Args:
        data: Measured molecules.
        target: What is predicted, such as ``PARP1``.
        unit: Unit as in column names, such as ``kcal_mol``; may be empty.
        settings: What to fit.
        on_epoch: Called ``settings.n_epochs`` times, for progress.

    Returns:
        The proxy; ``provenance["report"]`` holds the measurements.

    Raises:
        TableError: Too few values are no bounds, or all but a few are the same.
    """
    seed, n_members = settings.seed, settings.members
    # Whatever the data do not allow is found before the first network is fitted.
    split, (half_of_all, half_kept) = split_for_test(data, seed), half(data, seed + 2000)
    everything = np.arange(len(data.molecules))
    graphs = Graphs.of(MoleculeBatch.of(data.molecules))
    fitting = _Fitting(data, graphs, settings, on_epoch)
    tested = fitting.members(split.train, n_members, seed + 1)
    calibration = _calibrate(tested, data, graphs, split.calibration)
    # A bound is learned from; it can neither calibrate nor test, nor teach the simple models.
    exact = data.bound_signs == 0
    measured = split.train[exact[split.train]]
    held_out = _test(tested, calibration, data, measured, split.test, seed)
    final = fitting.members(everything, n_members, seed + 1001)
    control = fitting.members(half_of_all, settings.control_members, seed + 3001)
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
                f"the report is of an ensemble that never saw the {split.kept} of test and "
                "calibration; the members stored here were fitted on all molecules, each but for "
                f"the tenth it stopped early on; the control on half of the {half_kept}"
            ),
            "versions": {"molgfn": __version__, **versions},
            "report": {
                "split": _SPLITS[split.kept],
                "kept_apart": split.kept,
                "n_train": len(split.train),
                "n_calibration": len(split.calibration),
                **summarise(held_out),
                "cautions": cautions(data, split, {half_kept, *fitting.kept}),
            },
        },
        control=control,
        held_out=held_out,
    )


@dataclass
class _Fitting:
    """Fits ensembles on parts of the data.

    Attributes:
        data: All molecules.
        graphs: Their graphs.
        settings: What to fit.
        on_epoch: Called after every epoch.
        kept: What the members' early stopping kept apart so far.
    """

    data: Dataset
    graphs: Graphs
    settings: FitSettings
    on_epoch: Callable[[], None]
    kept: set[Kept] = field(default_factory=set)

    def members(self, indices: NDArray[np.int64], n_members: int, seed: int) -> Control:
        """Fit networks on the molecules ``indices``, whose values differ."""
        values = self.data.targets[indices]
        mean, sd = float(values.mean()), float(values.std())
        targets = (self.data.targets - mean) / sd
        own = [self.data.molecules[i] for i in indices]
        networks: list[Weights] = []
        for member in range(n_members):
            stopping, kept = early_stopping_fold(own, member, seed)
            self.kept.add(kept)
            network = fit_network(
                self.graphs,
                targets,
                indices[~stopping],
                indices[stopping],
                self.settings.architecture,
                self.settings.training,
                seed=seed + member,
                on_epoch=self.on_epoch,
                bounds=self.data.bound_signs,
            )
            networks.append(network.state_dict())
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
