from collections import Counter

import numpy as np
import pandas as pd
import pytest
from series import SHAPES, series

from molgfn.chem.molecule import read_molecule
from molgfn.config.resources import shipped_path
from molgfn.errors import TableError
from molgfn.reward.proxy.dataset import Dataset
from molgfn.reward.proxy.split import (
    LEAST_OF_PART,
    early_stopping_fold,
    half,
    scaffold_folds,
    split_for_test,
)


def scaffolds_of(data, indices):
    return {data.molecules[i].scaffold for i in indices}


def test_folds_keep_scaffolds_together_and_are_of_about_equal_size():
    smiles = [tail + ring for ring in ("c1ccccc1", "C1CCCC1", "c1ccncc1") for tail in ("C", "CC")]
    molecules = [read_molecule(s) for s in [*smiles, "CCC", "CCCC", "CCCCC"]]
    folds = scaffold_folds(molecules, 3, seed=0)
    assert folds[0] == folds[1]
    assert folds[2] == folds[3]
    assert folds[4] == folds[5]
    assert sorted(np.bincount(folds, minlength=3).tolist()) in ([3, 3, 3], [2, 3, 4])
    assert np.array_equal(folds, scaffold_folds(molecules, 3, seed=0))
    with pytest.raises(ValueError, match="at least 2"):
        scaffold_folds(molecules, 1, seed=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("k", range(1, 14))
@pytest.mark.parametrize("n", [30, 31, 37, 45, 60])
def test_every_series_has_parts_that_hold_something(n, k, shape):
    data = series(n, k, shape, seed=n + k)
    split = split_for_test(data, seed=k)
    parts = (split.train, split.calibration, split.test)
    assert sum(len(part) for part in parts) == len(set(np.concatenate(parts).tolist())) == n
    assert min(len(part) for part in parts) >= LEAST_OF_PART
    assert len(split.train) >= n / 2
    if split.kept == "scaffolds":
        train, calibration, test = (scaffolds_of(data, part) for part in parts)
        assert not (train & (calibration | test))
        assert not (calibration & test)
    (largest, n_largest), *others = Counter(m.scaffold for m in data.molecules).most_common(2)
    if others and others[0][1] < n_largest:
        assert scaffolds_of(data, split.test) != {largest}
    chosen, _ = half(data, seed=k)
    assert n / 4 <= len(chosen) <= 3 * n / 4
    own = [data.molecules[i] for i in split.train]
    for member in (0, 1, 4, 9, 11):
        stopping, _ = early_stopping_fold(own, member, seed=k)
        assert 0 < stopping.sum() <= len(own) / 2


@pytest.mark.parametrize(
    ("k", "shape", "kept"),
    [(1, "equal", "clusters"), (2, "equal", "clusters"), (13, "equal", "scaffolds")],
)
def test_a_split_says_what_it_kept_apart(k, shape, kept):
    assert split_for_test(series(52, k, shape), seed=0).kept == kept


def test_one_large_scaffold_is_learned_from_and_the_others_test_it():
    data = series(60, 11, "one large")
    split = split_for_test(data, seed=0)
    assert split.kept == "scaffolds"
    assert len(scaffolds_of(data, split.test)) >= LEAST_OF_PART


def test_molecules_that_are_all_alike_are_dealt_at_random():
    # Fingerprints of radius 2 cannot tell the lengths of these chains.
    molecules = tuple(read_molecule("C" * n + "c1ccccc1") for n in range(8, 48))
    split = split_for_test(Dataset(molecules, np.arange(40.0)), seed=0)
    assert split.kept == "molecules"
    assert (len(split.test), len(split.calibration), len(split.train)) == (5, 5, 30)


def test_the_order_of_rows_does_not_change_clusters():
    data = series(40, 1)
    order = np.random.default_rng(0).permutation(40)
    first, second = split_for_test(data, 0), split_for_test(data.part(order), 0)
    assert set(first.test.tolist()) == set(order[second.test].tolist())


def test_bounds_are_learned_from_and_neither_test_nor_calibrate():
    data = series(60, 8)
    bounds = tuple(int(i % 5 != 0) for i in range(60))  # 12 of 60 are measured
    split = split_for_test(Dataset(data.molecules, data.targets, bounds=bounds), seed=0)
    measured = set(range(0, 60, 5))
    assert set(split.test.tolist()) | set(split.calibration.tolist()) <= measured
    assert len(measured & set(split.train.tolist())) >= LEAST_OF_PART
    fewer = Dataset(data.molecules, data.targets, bounds=(1, *bounds[1:]))
    with pytest.raises(TableError, match="11 of 60 values are measured, the others are bounds"):
        split_for_test(fewer, seed=0)


@pytest.mark.parametrize("kind", ["constant", "one differs"])
def test_values_that_do_not_differ_are_refused(kind):
    with pytest.raises(TableError, match="of 40 molecules have the value 5.3; a proxy needs"):
        split_for_test(series(40, 9, kind=kind), seed=0)


def test_the_rounding_of_means_is_no_difference():
    data = series(40, 9, kind="constant")
    with pytest.raises(TableError, match="40 of 40 molecules have the value 5.3"):
        split_for_test(Dataset(data.molecules, data.targets + 1e-15 * (np.arange(40) % 3)), 0)


@pytest.mark.parametrize("step", [8, pytest.param(1, marks=pytest.mark.slow)])
def test_the_shipped_set_is_split_as_ever(step):
    docked = pd.read_csv(shipped_path("data", "parp1", "docked.csv"))
    table = docked.dropna(subset="PARP1_kcal_mol")[::step]
    molecules = tuple(read_molecule(text, keep_stereo=False) for text in table["SMILES"])
    data = Dataset(molecules, table["PARP1_kcal_mol"].to_numpy())
    for seed in (0, 1):
        split, folds = split_for_test(data, seed), scaffold_folds(molecules, 8, seed)
        assert split.kept == "scaffolds"
        assert np.array_equal(split.test, np.flatnonzero(folds == 0))
        assert np.array_equal(split.calibration, np.flatnonzero(folds == 1))
        assert np.array_equal(split.train, np.flatnonzero(folds > 1))
        halves = scaffold_folds(molecules, 2, seed)
        assert np.array_equal(half(data, seed)[0], np.flatnonzero(halves == 0))
        folds = scaffold_folds(molecules, 10, seed + 1)
        assert np.array_equal(early_stopping_fold(molecules, 13, seed)[0], folds == 3)
