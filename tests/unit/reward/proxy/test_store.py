import gzip
import json
from dataclasses import replace

import numpy as np
import pytest

from molgfn.chem.molecule import read_molecule
from molgfn.errors import CheckpointError, ConfigError, OutputError
from molgfn.reward.proxy.store import (
    check_writable,
    find_proxy,
    is_proxy,
    load_held_out,
    load_proxy,
    load_training,
    save_proxy,
)


def test_a_saved_proxy_comes_back_the_same(proxy, dataset, tmp_path):
    save_proxy(proxy, dataset, tmp_path / "toy")
    loaded = load_proxy(tmp_path / "toy")
    assert loaded.value_column == "TOY_kcal_mol"
    assert loaded.size == proxy.size
    assert loaded.calibration == proxy.calibration
    assert len(loaded.calibration.weights) == 5
    control = loaded.predict_control(dataset.molecules)
    assert np.array_equal(control, proxy.predict_control(dataset.molecules))
    held_out = load_held_out(tmp_path / "toy")
    assert held_out["measured"].tolist() == pytest.approx(proxy.held_out["measured"].tolist())
    training = load_training(tmp_path / "toy", "TOY_kcal_mol")
    assert training.molecules == dataset.molecules
    for ours, theirs in zip(
        loaded.predict(dataset.molecules), proxy.predict(dataset.molecules), strict=True
    ):
        assert np.array_equal(ours, theirs)
    assert np.array_equal(
        loaded.nearest_train_similarity(dataset.molecules), np.ones(len(dataset.molecules))
    )
    lines = gzip.decompress((tmp_path / "toy" / "train.csv.gz").read_bytes()).decode().splitlines()
    assert lines[:2] == ["SMILES,TOY_kcal_mol", "Cc1ccccc1,-2.1"]


def test_bounds_come_back_from_the_training_molecules(proxy, dataset, tmp_path):
    bounds = (1, -1, *[0] * (len(dataset.molecules) - 2))
    save_proxy(proxy, replace(dataset, bounds=bounds), tmp_path / "toy")
    assert load_training(tmp_path / "toy", "TOY_kcal_mol").bounds == bounds


def test_a_model_card_is_written(saved, proxy):
    card = (saved / "README.md").read_text()
    report = proxy.provenance["report"]
    assert card.startswith("# Proxy of TOY_kcal_mol\n")
    assert "Training: 42 molecules, values" in card
    assert f"| all | ensemble | {report['ensemble']['rmse']:.3f} |" in card
    assert "A control of 2 networks" in card


def test_saving_again_replaces_a_proxy_and_gives_the_same_bytes(proxy, dataset, tmp_path):
    directory = tmp_path / "deep" / "toy"
    save_proxy(proxy, dataset, directory)
    first = {path.name: path.read_bytes() for path in directory.iterdir()}
    save_proxy(proxy, dataset, directory)
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == first
    assert [path.name for path in directory.parent.iterdir()] == ["toy"]


def test_saving_refuses_a_directory_with_something_else(proxy, dataset, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="holds no proxy"):
        save_proxy(proxy, dataset, tmp_path)
    with pytest.raises(OutputError, match="holds no proxy"):
        save_proxy(proxy, dataset, tmp_path / "thesis.tex")
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_place_that_cannot_be_written_is_found_out_before_the_work(tmp_path):
    check_writable(tmp_path / "deep" / "toy")
    assert list((tmp_path / "deep").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*toy: Not a directory"):
        check_writable(tmp_path / "file" / "toy")


@pytest.fixture
def saved(proxy, dataset, tmp_path):
    save_proxy(proxy, dataset, tmp_path / "toy")
    return tmp_path / "toy"


@pytest.fixture
def unsealed(saved):
    """As proxies of before were: without digests."""
    (saved / "SHA256SUMS").unlink()
    about = json.loads((saved / "proxy.json").read_text())
    (saved / "proxy.json").write_text(json.dumps(about | {"format": 1}))
    return saved


def test_a_proxy_of_before_has_no_digests(proxy, unsealed):
    ethanol = read_molecule("CCO")
    assert load_proxy(unsealed).predict([ethanol]) == proxy.predict([ethanol])


def test_a_proxy_that_lost_its_digests_is_refused(saved):
    (saved / "SHA256SUMS").unlink()
    with pytest.raises(CheckpointError, match="SHA256SUMS is missing; fit the proxy again"):
        load_proxy(saved)


@pytest.mark.parametrize("name", ["proxy.json", "proxy.safetensors"])
@pytest.mark.parametrize("content", [b"", b"\x80\x04garbage\xff\x00", b"[1, 2]"])
def test_a_garbled_file_is_named(unsealed, name, content):
    (unsealed / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name):
        load_proxy(unsealed)


@pytest.mark.parametrize("name", ["proxy.json", "proxy.safetensors"])
def test_a_missing_file_is_named(unsealed, name):
    (unsealed / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        load_proxy(unsealed)


def test_tensors_cut_short_are_refused(unsealed):
    path = unsealed / "proxy.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cannot be read as safetensors"):
        load_proxy(unsealed)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("members", 3),
        ("members", "many"),
        ("architecture", {"hidden": 16}),
        ("size", None),
        ("calibration", {"mean": 0.0}),
        ("calibration", {"mean": "x", "sd": 1.0, "spread_scale": 1.0, "noise": 0.1}),
        ("size", {"mean": [], "sd": [1.0], "smallest_sd": 1.0, "n_min": 1, "n_max": 9}),
        ("size", {"mean": "12", "sd": [1.0], "smallest_sd": 1.0, "n_min": 1, "n_max": 9}),
        ("members", 0),
        ("control", {"members": 9, "mean": 0.0, "sd": 1.0}),
        ("members", 10**400),
        ("unit", None),
        ("provenance", json.loads("[" * 400 + "]" * 400)),
        ("provenance", {"a": json.loads("[" * 400 + "]" * 400)}),
    ],
)
def test_files_that_do_not_fit_each_other_are_refused(unsealed, key, value):
    about = json.loads((unsealed / "proxy.json").read_text())
    (unsealed / "proxy.json").write_text(json.dumps(about | {key: value}))
    with pytest.raises(CheckpointError, match="; fit the proxy again"):
        load_proxy(unsealed)


def test_a_newer_format_is_refused(unsealed):
    about = json.loads((unsealed / "proxy.json").read_text())
    (unsealed / "proxy.json").write_text(json.dumps(about | {"format": 3}))
    with pytest.raises(CheckpointError, match="format must be 1 or 2"):
        load_proxy(unsealed)


def test_a_proxy_is_found_by_name_or_path(saved):
    assert find_proxy("parp1").name == "parp1"
    assert find_proxy(str(saved)) == saved
    assert is_proxy("parp1")
    assert is_proxy(str(saved))
    assert not is_proxy("parp2")
    with pytest.raises(ConfigError, match="neither a directory nor a shipped proxy .*parp1"):
        find_proxy("parp2")


def test_garbled_test_molecules_are_named(unsealed):
    (unsealed / "held_out.csv.gz").write_bytes(gzip.compress(b"SMILES,what\nCC,1\n"))
    with pytest.raises(CheckpointError, match="held_out.csv.gz: cannot be read .*SMILES, what"):
        load_held_out(unsealed)
    (unsealed / "train.csv.gz").unlink()
    with pytest.raises(CheckpointError, match="train.csv.gz is missing"):
        load_training(unsealed, "TOY_kcal_mol")
