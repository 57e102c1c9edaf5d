import numpy as np
import pytest

from molgfn.chem.molecule import read_molecule
from molgfn.reward.proxy.architecture import Architecture
from molgfn.reward.proxy.dataset import Dataset
from molgfn.reward.proxy.fit import FitSettings, fit_proxy
from molgfn.reward.proxy.training import TrainingSettings

RINGS = ["c1ccccc1", "c1ccncc1", "C1CCCCC1", "c1ccoc1", "c1ccsc1", "C1CCNC1", "c1ccc2ccccc2c1"]
TAILS = ["C", "CC", "CCC", "CO", "CCO", "C(=O)N"]


@pytest.fixture(scope="session")
def dataset():
    """42 molecules whose target falls by 0.3 per heavy atom."""
    molecules = tuple(read_molecule(tail + ring) for ring in RINGS for tail in TAILS)
    return Dataset(molecules, np.array([-0.3 * m.n_heavy_atoms for m in molecules]))


@pytest.fixture(scope="session")
def settings():
    return FitSettings(
        members=2,
        architecture=Architecture(hidden=8, layers=2),
        training=TrainingSettings(epochs=3, batch_size=16),
    )


@pytest.fixture(scope="session")
def proxy(dataset, settings):
    return fit_proxy(dataset, "TOY", "kcal_mol", settings)
