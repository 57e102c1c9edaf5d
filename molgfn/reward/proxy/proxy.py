"""The proxy: an ensemble of networks that stands in for an expensive measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from molgfn.chem.molecule import Molecule
from molgfn.chem.properties.batch import MoleculeBatch
from molgfn.reward.proxy.architecture import Architecture, Weights
from molgfn.reward.proxy.calibration import Calibration
from molgfn.reward.proxy.ensemble import Ensemble
from molgfn.reward.proxy.features import GraphedMolecules, Graphs
from molgfn.reward.proxy.neighbours import TrainingNeighbours
from molgfn.reward.proxy.size import SizeBaseline
from molgfn.tables.columns import value_column

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Control:
    """Networks of the same architecture, fitted on another part of the data.

    Attributes:
        networks: Weights of the networks.
        mean: Mean of their training targets.
        sd: Standard deviation of their training targets.
    """

    networks: tuple[Weights, ...]
    mean: float
    sd: float

    @cached_property
    def evaluate(self) -> Ensemble:
        """Evaluates the networks, standardised."""
        return Ensemble(self.networks)


@dataclass(frozen=True)
class Proxy:
    """Ensemble of message-passing networks with what is needed to read its predictions.

    Attributes:
        target: What is predicted, such as ``PARP1``.
        unit: Unit as it stands in column names, such as ``kcal_mol``; may be empty.
        architecture: Shape of each network.
        networks: Weights of the members.
        calibration: Scale of predictions and of their standard deviation.
        size: What a training molecule of a given size has.
        neighbours: Fingerprints of the training molecules.
        provenance: Training digest, report and versions, as written to ``proxy.json``.
        control: A second opinion that never enters a reward; older proxies have none.
        held_out: Predictions of the test molecules (:mod:`molgfn.reward.proxy.held_out`) by an
            ensemble that never saw them; only of a proxy fresh from its fit.
    """

    target: str
    unit: str
    architecture: Architecture
    networks: tuple[Weights, ...]
    calibration: Calibration
    size: SizeBaseline
    neighbours: TrainingNeighbours
    provenance: Mapping[str, Any]
    control: Control | None = None
    held_out: pd.DataFrame | None = None

    @property
    def value_column(self) -> str:
        """Name of the predicted column, such as ``PARP1_kcal_mol``."""
        return value_column(self.target, self.unit)

    def predict(
        self, molecules: Sequence[Molecule]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predict the target of molecules.

        The same molecules give the same bits on the same machine, whatever else was or is
        predicted; another order of a molecule's atoms may change the last bits.

        Args:
            molecules: Molecules; stereo is not seen.

        Returns:
            Predicted values and their standard deviations, each of shape ``(len(molecules),)``,
            in the target's unit.
        """
        return self.predict_graphs(_graphs(molecules))

    def predict_graphs(self, graphs: Graphs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predict the target of molecules given as graphs."""
        return self._summary(graphs, self._scaled(graphs))

    def predict_members(
        self, molecules: Sequence[Molecule]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Predict the target of molecules, each network for itself too.

        Returns:
            Predicted values and their standard deviations as :meth:`predict` has them, then those
            of each network, shape ``(members, len(molecules))``, in the target's unit.
        """
        graphs = _graphs(molecules)
        members = self._scaled(graphs)
        return *self._summary(graphs, members), members

    def predict_control(self, molecules: Sequence[Molecule]) -> NDArray[np.float64]:
        """Predictions of the control, for watching the proxy only.

        Returns:
            Values in the target's unit, shape ``(len(molecules),)``.

        Raises:
            ValueError: The proxy has no control.
        """
        if self.control is None:
            raise ValueError(f"the proxy of {self.target!r} has no control")
        predicted = self.control.evaluate(_graphs(molecules)).mean(axis=0)
        return np.asarray(predicted * self.control.sd + self.control.mean, dtype=np.float64)

    def _summary(
        self, graphs: Graphs, members: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        value = members.mean(axis=0)
        return value, self.calibration.std(members.std(axis=0), value, graphs.descriptors)

    def _scaled(self, graphs: Graphs) -> NDArray[np.float64]:
        return self._evaluate(graphs) * self.calibration.sd + self.calibration.mean

    @cached_property
    def _evaluate(self) -> Ensemble:
        return Ensemble(self.networks)

    def nearest_train_similarity(self, molecules: Sequence[Molecule]) -> NDArray[np.float64]:
        """Tanimoto similarity (Morgan, radius 2) to the nearest training molecule.

        Returns:
            Similarity, shape ``(len(molecules),)``, 0 to 1. Predictions far below about 0.3 are
            extrapolations.
        """
        return self.neighbours.similarity(MoleculeBatch.of(molecules))


def _graphs(molecules: Sequence[Molecule]) -> Graphs:
    if isinstance(molecules, GraphedMolecules):
        return molecules.graphs
    return Graphs.of(MoleculeBatch.of(molecules))
