"""The proxy that benchmarks compare with computes what the published one does."""

from __future__ import annotations

import gzip
import io
import pickle
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

#: Place of each parameter in the published list; 12 to 15 are of no use here.
PLACES = {
    "first.weight": 0,
    "first.bias": 1,
    "convolution.lin.weight": 2,
    "convolution.bias": 3,
    "convolution.nn.0.weight": 4,
    "convolution.nn.0.bias": 5,
    "convolution.nn.2.weight": 6,
    "convolution.nn.2.bias": 7,
    "memory.weight_ih_l0": 8,
    "memory.weight_hh_l0": 9,
    "memory.bias_ih_l0": 10,
    "memory.bias_hh_l0": 11,
    "pool.lstm.weight_ih_l0": 16,
    "pool.lstm.weight_hh_l0": 17,
    "pool.lstm.bias_ih_l0": 18,
    "pool.lstm.bias_hh_l0": 19,
    "last.weight": 20,
    "last.bias": 21,
}


class _Arrays(pickle.Unpickler):
    """Reads numpy arrays and refuses all else."""

    def find_class(self, module: str, name: str) -> object:
        if module.split(".")[0] == "numpy" and name in {"_reconstruct", "ndarray", "dtype"}:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not a part of an array")


@pytest.fixture(scope="module")
def standard_proxy() -> ModuleType:
    """The benchmark's module, which is not in the package."""
    path = Path(__file__).parents[3] / "scripts" / "bench" / "standard_proxy.py"
    spec = spec_from_file_location("standard_proxy", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_known_values(standard_proxy: ModuleType, shared_data: Path) -> None:
    network: nn.Module = standard_proxy.StandardProxy()
    weights = gzip.decompress((shared_data / "seh" / "best_params.pkl.gz").read_bytes())
    arrays: list[np.ndarray] = _Arrays(io.BytesIO(weights)).load()
    network.load_state_dict({k: torch.tensor(arrays[place]) for k, place in PLACES.items()})
    known = pd.read_csv(shared_data / "seh" / "proxy_reference.csv")
    found = network.from_smiles(list(known.smiles)).numpy()
    assert np.abs(found - known.transposed_f64).max() < 1e-3
    # The two readings of the weights differ by far more.
    assert np.abs(found - known.original_f64).max() > 0.1


def test_no_bond(standard_proxy: ModuleType) -> None:
    assert standard_proxy.StandardProxy().from_smiles(["C", "CC"]).isfinite().all()
