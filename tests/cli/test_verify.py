"""``molgfn verify`` on spaces that are listed in a blink."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest

from molgfn.workflows import verify as verification

#: Benzene, chain ends and a linker of the shipped vocabulary; QED is quick.
QUICK = (
    "--fragments", "5",
    "--set", "policy.hidden=32",
    "--set", "train.replay_batch_size=0",
    "--set", "train.ema_decay=0.9",
)  # fmt: skip
GRID = (
    "--env", "hypergrid", "--dimensions", "2", "--r0", "0.1",
    "--set", "train.batch_size=16",
    "--set", "train.ema_decay=0.9",
)  # fmt: skip


def measures(text: str) -> dict[str, float]:
    return dict(pd.read_csv(io.StringIO(text)).to_numpy().tolist())


@pytest.fixture
def verified(cli, qed_alone, tmp_path):
    def run(*options, steps=120):
        place = tmp_path / "v"
        settings = ("--set", f"train.steps={steps}", *qed_alone, "-o", place)
        result = cli("verify", *QUICK, *settings, *options)
        assert result.exit_code == 0, result.stderr
        return result, place

    return run


def test_a_corrected_sampler_is_unbiased_and_its_control_is_not(verified, tmp_path):
    result, place = verified()
    found = measures(result.stdout)
    assert found["L1"] < 0.15
    assert found["sum of p"] == pytest.approx(1, abs=1e-5)
    assert abs(found["slope on log symmetry factor"]) < 0.1
    assert abs(found["error of log Z"]) < 0.05
    saved = json.loads((place / "verify.json").read_text())
    assert saved["L1"] == pytest.approx(found["L1"], rel=1e-5)
    assert saved["slope on log number of trees"] is None  # this vocabulary decodes uniquely
    assert (place / "verify.png").read_bytes().startswith(b"\x89PNG")
    assert "unbiased" in result.stderr

    control, _ = verified("--no-symmetry-correction", "-o", tmp_path / "control")
    found = measures(control.stdout)
    assert found["L1"] > 0.3
    assert found["slope on log symmetry factor"] == pytest.approx(1, abs=0.3)
    assert "BIASED: p grows with the symmetry factor" in control.stderr


@pytest.mark.slow
def test_the_default_meets_its_target(cli, tmp_path):
    """Thousands of molecules, real reward: L1 below 0.02 after minutes of training."""
    result = cli("verify", "-o", tmp_path / "v")
    found = measures(result.stdout)
    assert found["terminal molecules"] > 2000
    assert found["L1"] < 0.02
    assert found["slope"] == pytest.approx(1, abs=0.01)


def test_takes_a_run_that_is_there(cli, verified, tmp_path):
    first, place = verified(steps=5)
    again = cli("verify", "--run", place, "-o", tmp_path / "elsewhere")
    assert again.exit_code == 0
    assert again.stdout == first.stdout
    assert (tmp_path / "elsewhere" / "verify.json").exists()
    # Scores lie below 1: the partition function falls as beta rises.
    sharp = cli("verify", "--run", place, "--beta", "2", "-o", tmp_path / "sharp")
    assert (measures(first.stdout)["beta"], measures(sharp.stdout)["beta"]) == (1, 2)
    assert measures(sharp.stdout)["log Z"] < measures(first.stdout)["log Z"] - 0.3


def test_a_verified_run_is_not_the_newest_run(cli, qed_alone, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = ("--set", "train.steps=2", *qed_alone)
    assert cli("verify", *QUICK, *settings).exit_code == 0
    assert len(list((tmp_path / "runs" / "verify").iterdir())) == 1
    sampled = cli("sample", "--n", "5")
    assert sampled.exit_code == 0
    assert "runs/verify" not in sampled.stderr


@pytest.mark.parametrize(
    ("n_fragments", "max_fragments", "message"),
    [(50, 9, "molecules or more can be built"), (5, 4, "more than 200 states")],
)
def test_a_space_too_large_to_list_names_the_cure(
    cli, qed_alone, tmp_path, monkeypatch, n_fragments, max_fragments, message
):
    monkeypatch.setattr(verification, "MAX_STATES", 200)
    settings = ("--fragments", n_fragments, "--set", f"limits.max_fragments={max_fragments}")
    result = cli("verify", *settings, *qed_alone, "-o", tmp_path / "v")
    assert result.exit_code == 3
    assert message in result.stderr
    assert "limits.max_fragments" in result.stderr
    assert not (tmp_path / "v").exists()  # said before the training, not after


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--r0", "0.1"), "--r0 belongs to --env hypergrid"),
        (("--env", "hypergrid", "--fragments", "3"), "--env hypergrid takes"),
        (("--run", "x", "--set", "seed=1"), "--run is verified as it was trained"),
        (("--run", "x", "--no-symmetry-correction"), "--run is verified as it was trained"),
    ],
)
def test_options_that_do_not_go_together(cli, options, message):
    result = cli("verify", *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_hypergrid_follows_modes_and_distance(cli, tmp_path):
    result = cli("verify", *GRID, "--set", "train.steps=300", "-o", tmp_path)
    assert result.exit_code == 0, result.stderr
    table = pd.read_csv(io.StringIO(result.stdout))
    assert "R0 0.1: 4 of 4 modes, the last after" in result.stderr
    assert table["visited"].tolist() == [480 * (i + 1) for i in range(10)]
    assert table["modes"].iloc[-1] == table["all_modes"].iloc[-1] == 4
    assert table["all_modes_after"].iloc[-1] <= 4800
    assert table["exact_l1"].iloc[-1] < 0.3 < table["exact_l1"].iloc[0]
    assert len(json.loads((tmp_path / "verify.json").read_text())) == 10
    assert (tmp_path / "verify.png").exists()


def test_hypergrid_without_modes_is_refused(cli, tmp_path):
    result = cli("verify", *GRID, "--side", "4", "-o", tmp_path)
    assert result.exit_code == 3
    assert "side" in result.stderr
