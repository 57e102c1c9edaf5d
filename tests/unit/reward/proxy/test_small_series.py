"""Fits of series that are small, of one kind, or have odd values."""

import itertools
import json
import math
import re

import numpy as np
import pytest
from series import SHAPES, series, smiles_of, values_of

from molgfn.chem.molecule import read_molecule
from molgfn.chem.properties.batch import MoleculeBatch
from molgfn.report.fitted import fit_lines
from molgfn.reward.proxy.architecture import Architecture
from molgfn.reward.proxy.card import model_card
from molgfn.reward.proxy.cautions import cautions, far_values
from molgfn.reward.proxy.dataset import Dataset
from molgfn.reward.proxy.features import Graphs
from molgfn.reward.proxy.fit import FitSettings, fit_proxy
from molgfn.reward.proxy.split import split_for_test
from molgfn.reward.proxy.training import TrainingSettings, fit_network

TINY = Architecture(hidden=8, layers=2)
KINDS = ("normal", "tiny", "huge", "two", "outlier", "constant", "one differs")


def fit(data, epochs=2):
    settings = FitSettings(members=2, architecture=TINY, training=TrainingSettings(epochs=epochs))
    return fit_proxy(data, "T", "", settings)


def text_of(proxy, data):
    report = proxy.provenance["report"]
    return "\n".join([json.dumps(report), *fit_lines(report), model_card(proxy, data)])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (series(30, 1), "30 of 30 molecules have the scaffold .*clusters of similar molecules"),
        (series(45, 3, "one large", "outlier"), "usual spread .* a wrong unit or a slip"),
        (series(40, 4), "all test molecules have one scaffold"),
        (series(36, 9, kind="two"), "test molecules tell little: the numbers are rough"),
    ],
    ids=["one scaffold", "outlier", "four scaffolds", "two values"],
)
def test_a_small_series_is_fitted_and_its_report_is_honest(data, expected):
    proxy = fit(data)
    text = text_of(proxy, data)
    assert not re.search(r"\b(nan|inf|infinity)\b", text, re.IGNORECASE)
    assert re.search(f"CAUTION: .*{expected}", text)
    assert re.search(rf"\*\*Caution\*\*: .*{expected}", text)
    assert np.isfinite(proxy.predict(data.molecules)).all()


def test_a_test_of_equal_values_has_no_correlations():
    data = series(30, 1)
    plain = fit(data)
    targets = data.targets.copy()
    known = {smiles: index for index, smiles in enumerate(m.smiles for m in data.molecules)}
    targets[[known[smiles] for smiles in plain.held_out["SMILES"]]] = 6.5
    proxy = fit(Dataset(data.molecules, targets))
    report = proxy.provenance["report"]
    for model in ("ensemble", "random_forest", "heavy_atoms"):
        assert not {"r2", "spearman"} & set(report[model])
    assert "all test values are 6.5: nothing to rank" in report["cautions"]
    line = next(line for line in fit_lines(report) if line.startswith("random forest"))
    assert line.split()[-2:] == ["-", "-"]


def network_of(epochs, patience, valid, batch_size=64):
    data = series(30, 6)
    return fit_network(
        Graphs.of(MoleculeBatch.of(data.molecules)),
        data.targets - 6.5,
        np.arange(20),
        np.array(valid, dtype=np.int64),
        TINY,
        TrainingSettings(epochs=epochs, patience=patience, batch_size=batch_size),
        seed=0,
        on_epoch=lambda: None,
    ).state_dict()


def test_without_molecules_to_stop_early_on_all_epochs_are_trained():
    patient, impatient, short = (network_of(*args, []) for args in ((8, 99), (8, 1), (2, 99)))
    assert all(patient[name].equal(impatient[name]) for name in patient)
    assert not all(patient[name].equal(short[name]) for name in patient)


@pytest.mark.parametrize(("epochs", "batch_size"), [(10, 20), (5, 10), (2, 4), (1, 2), (1, 20)])
def test_any_number_of_steps_has_a_schedule(epochs, batch_size):
    weights = network_of(epochs, 99, range(20, 30), batch_size)
    assert all(tensor.isfinite().all() for tensor in weights.values())


def test_few_measured_values_among_bounds_are_held_out_at_random():
    chains = tuple(read_molecule("C" * n + "O") for n in range(1, 41))
    bounds = tuple(int(i % 3 != 0) for i in range(40))
    data = Dataset(chains, np.arange(40.0), bounds=bounds)
    split = split_for_test(data, seed=0)
    assert split.kept == "molecules"
    first = cautions(data, split, ())[0]
    assert first.startswith("no scaffolds make parts with enough measured values, so molecules")


def test_far_values_are_named_and_others_are_not():
    plain = series(40, 9)
    assert far_values(plain) == []
    assert far_values(series(40, 9, kind="two")) == []
    targets = plain.targets.copy()
    targets[7] = 7_100_000.0
    (line,) = far_values(Dataset(plain.molecules, targets))
    assert line.startswith(f"{plain.molecules[7].smiles} has the value 7.1e+06, ")
    targets[:6] = 1e5
    lines = far_values(Dataset(plain.molecules, targets))
    assert len(lines) == 4
    assert lines[-1] == "4 more values are as far away"


def test_a_value_apart_from_others_that_are_the_same_is_no_reason_to_fail():
    data = series(40, 9, kind="constant")
    targets = data.targets.copy()
    targets[:3] = 5.0, 5.1, 1e6
    (line,) = far_values(Dataset(data.molecules, targets))
    assert "1e+06" in line


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_storm_of_series_ends_with_a_report_or_a_reason(cli, tmp_path, seed):
    rng = np.random.default_rng(seed)
    for shape, kind in itertools.product(SHAPES, KINDS):
        n, k = int(rng.integers(30, 61)), int(rng.integers(1, 14))
        smiles = smiles_of(n, k, shape, rng)
        rows = [f"{s},{v!r}" for s, v in zip(smiles, values_of(n, kind, rng).tolist(), strict=True)]
        if rng.random() < 0.3:
            rows += rows[:5]
        (tmp_path / "series.csv").write_text("\n".join(["SMILES,y", *rows]) + "\n")
        epochs = rng.choice([1, 2, 10])
        made = tmp_path / f"{shape}_{kind}"
        result = cli(
            "proxy", "fit", tmp_path / "series.csv", "--target-column", "y", "-o", made,
            "--members", "2", "--epochs", epochs,
        )  # fmt: skip
        what = (seed, n, k, shape, kind, epochs, result.stderr)
        assert result.exit_code == (3 if kind in ("constant", "one differs") else 0), what
        assert not re.search(r"\b(nan|inf)\b", result.stderr, re.IGNORECASE), what
        if result.exit_code == 0:
            report = json.loads((made / "proxy.json").read_text())["provenance"]["report"]
            numbers = [*report["ensemble"].values(), *report["std"].values()]
            assert all(math.isfinite(number) for number in numbers), what
            assert cli("proxy", "evaluate", made).exit_code == 0
        else:
            assert "a proxy needs values that differ" in result.stderr
            assert not made.exists()
