"""Fitting a proxy: an honest test on unseen scaffolds first, then the ensemble on all data."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from molgfn import __version__
from molgfn.chem.batch import MoleculeBatch
from molgfn.errors import TableError
from molgfn.reward.proxy.dataset import Dataset
from molgfn.reward.proxy.evaluation import baseline_errors, errors, fit_std, std_quality
from molgfn.reward.proxy.features import Graphs
from molgfn.reward.proxy.neighbours import TrainingNeighbours
from molgfn.reward.proxy.network import Architecture, ProxyNetwork
from molgfn.reward.proxy.proxy import Calibration, Proxy
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
        seed: Seed of splits, initial weights and batch order.
        architecture: Shape of each network.
        training: How each network is fitted.
    """

    members: int = 5
    seed: int = 0
    architecture: Architecture = field(default_factory=Architecture)
    training: TrainingSettings = field(default_factory=TrainingSettings)

    def __post_init__(self) -> None:
        if self.members < 2:
            raise ValueError(f"an ensemble needs at least 2 members, came {self.members}")

    @property
    def n_epochs(self) -> int:
        """Epochs that :func:`fit_proxy` reports, for a progress bar."""
        return 2 * self.members * self.training.epochs


def fit_proxy(
    data: Dataset,
    target: str,
    unit: str,
    settings: FitSettings,
    on_epoch: Callable[[], None] = lambda: None,
) -> Proxy:
    """Fit an ensemble and measure it.

    Two ensembles are fitted. The first learns from six eighths of the scaffolds; an eighth fits
    the scale of the standard deviation, the last eighth is the test that the report tells of,
    against a random forest and heavy atoms alone. The second, which is returned, learns from all
    molecules, each member but for the tenth it stops early on.

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
    folds = scaffold_folds(data.molecules, _SPLIT_FOLDS, settings.seed)
    test, held = np.flatnonzero(folds == 0), np.flatnonzero(folds == 1)
    train = np.flatnonzero(folds > 1)

    tested = _fit_members(data, graphs, train, settings, settings.seed + 1, on_epoch)
    scale, noise = fit_std(*_residuals(tested, data, held))
    report = _report(tested, data, train, test, Calibration(0.0, 1.0, scale, noise), settings.seed)

    everything = np.arange(len(data.molecules))
    final = _fit_members(data, graphs, everything, settings, settings.seed + 1001, on_epoch)
    return Proxy(
        target=target,
        unit=unit,
        architecture=settings.architecture,
        networks=final.networks,
        calibration=Calibration(final.calibration.mean, final.calibration.sd, scale, noise),
        size=SizeBaseline.fit(data.heavy_atoms, data.targets),
        neighbours=TrainingNeighbours.of(data.molecules),
        provenance={
            "training_molecules": len(data.molecules),
            "training_digest": data.digest,
            "seed": settings.seed,
            "made_by": (
                "the report is of an ensemble that never saw the test and calibration scaffolds; "
                "the members stored here were fitted on all molecules, each but for the tenth of "
                "the scaffolds it stopped early on"
            ),
            "versions": {
                "molgfn": __version__,
                **{name: importlib.metadata.version(name) for name in _LIBRARIES},
            },
            "report": report,
        },
    )


def _fit_members(
    data: Dataset,
    graphs: Graphs,
    indices: NDArray[np.int64],
    settings: FitSettings,
    seed: int,
    on_epoch: Callable[[], None],
) -> Proxy:
    """Fit an ensemble on the molecules ``indices``; only networks and scale are of use."""
    values = data.targets[indices]
    mean, sd = float(values.mean()), float(values.std())
    if sd == 0.0:
        raise TableError(
            f"all but a few molecules have the value {mean:g}; a proxy needs values that differ "
            f"among the {len(values)} molecules it learns from"
        )
    targets = (data.targets - mean) / sd
    networks: list[ProxyNetwork] = []
    for member in range(settings.members):
        turn, fold = divmod(member, _MEMBER_FOLDS)
        own = [data.molecules[i] for i in indices]
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
            )
        )
    return Proxy(
        target="",
        unit="",
        architecture=settings.architecture,
        networks=tuple(networks),
        calibration=Calibration(mean, sd, 1.0, 0.0),
        size=SizeBaseline.fit(data.heavy_atoms[indices], values),
        neighbours=TrainingNeighbours.of([data.molecules[i] for i in indices]),
        provenance={},
    )


def _residuals(
    proxy: Proxy, data: Dataset, indices: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Errors of the ensemble mean, and the spread among its members."""
    members = proxy.predict_members([data.molecules[i] for i in indices])
    return members.mean(axis=0) - data.targets[indices], members.std(axis=0)


def _report(
    proxy: Proxy,
    data: Dataset,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    calibration: Calibration,
    seed: int,
) -> dict[str, Any]:
    residuals, spread = _residuals(proxy, data, test)
    ensemble = errors(residuals + data.targets[test], data.targets[test])
    baselines = baseline_errors(data, train, test, seed)
    return {
        "split": "Murcko scaffolds, none in two parts",
        "n_train": len(train),
        "n_calibration": int(len(data.molecules) - len(train) - len(test)),
        "n_test": len(test),
        "ensemble": ensemble,
        **baselines,
        "beats_random_forest": ensemble["rmse"] < baselines["random_forest"]["rmse"],
        "std": std_quality(residuals, calibration.std(spread)),
    }
