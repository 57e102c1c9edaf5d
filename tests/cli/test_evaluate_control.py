"""Proxy beside control: what a training records of them, what ``molgfn evaluate`` says of them."""

import csv
import io
import json
import shutil
from copy import deepcopy
from dataclasses import replace

import pytest
from files_of_before import make_old
from safetensors.torch import load_file
from typer.testing import CliRunner

from molgfn.cli.app import app
from molgfn.reward.proxy.proxy import Control
from molgfn.reward.proxy.store import load_proxy, load_training, save_proxy

RINGS = ["c1ccccc1", "c1ccncc1", "C1CCCCC1", "c1ccoc1", "c1ccsc1", "C1CCNC1"]
#: Small and quick; a line of metrics and a checkpoint for every step.
QUICK = [
    "--set", "policy={hidden: 16, layers: 1}",
    "--set", "train.n_beta_groups=2",
    "--set", "train.updates_per_step=2",
    "--set", "train.batch_size=32",
    "--set", "train.replay_batch_size=8",
    "--set", "train.steps=7",
    "--set", "train.log_every=1",
    "--set", "train.checkpoint_every=1",
    "--set", "train.keep_checkpoints=10",
    "--set", "limits.max_fragments=4",
]  # fmt: skip
ROWS = [
    f"{name}{of}"
    for of in ("", ", top-100 by Score")
    for name in ("control mean", "proxy minus control", "its standard error")
]
WATCHED = {"proxy_best", "control_best"}


def run_cli(*args):
    return CliRunner().invoke(app, [str(a) for a in args])


@pytest.fixture(scope="module")
def proxies(tmp_path_factory):
    """One proxy four times: its control agrees, thinks the opposite, is missing, or its own."""
    folder = tmp_path_factory.mktemp("proxies")
    data = folder / "assay.csv"
    rows = [f"{'C' * n}{ring},{n + len(ring)}" for ring in RINGS for n in range(1, 7)]
    data.write_text("SMILES,pIC50\n" + "\n".join(rows) + "\n")
    fitting = ("--target-column", "pIC50", "--members", "2", "--epochs", "5")
    assert run_cli("proxy", "fit", data, "-o", folder / "own", *fitting).exit_code == 0
    proxy, training = load_proxy(folder / "own"), load_training(folder / "own", "pIC50")
    assert proxy.control is not None
    # A copy, because a file of tensors holds none twice.
    networks, mean, sd = deepcopy(proxy.networks), proxy.calibration.mean, proxy.calibration.sd
    controls = {
        "agrees": Control(networks, mean, sd),
        "opposite": Control(networks, mean, -sd),
        "bare": None,
    }
    for name, control in controls.items():
        save_proxy(replace(proxy, control=control), training, folder / name)
    return folder


@pytest.fixture(scope="module")
def runs(proxies, tmp_path_factory):
    """Train on each proxy once, whatever number of tests asks."""
    folder = tmp_path_factory.mktemp("runs")

    def run(name, direction="maximise"):
        directory = folder / f"{name}_{direction}"
        if not directory.exists():
            ends = "low: 0.0, high: 30.0" if direction == "maximise" else "low: -10.0, high: 20.0"
            factor = f"{{scorer: proxy, transform: sigmoid, direction: {direction}, {ends}}}"
            reward = ("--set", f"reward.proxy={proxies / name}", "--set")
            result = run_cli(
                "train", "--run", directory, *reward, f"reward.factors=[{factor}]", *QUICK
            )
            assert result.exit_code == 0, result.stderr
        return directory

    return run


def metrics(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def table(text):
    rows = list(csv.DictReader(io.StringIO(text)))
    return {row.pop("measure"): row for row in rows}


def test_a_training_records_proxy_and_control(runs):
    for line in metrics(runs("agrees")):
        assert line["proxy_best"] == pytest.approx(line["control_best"], rel=1e-6)
    lines = metrics(runs("opposite"))
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6, 7]
    middle = {round(line["proxy_best"] + line["control_best"], 3) for line in lines}
    assert len(middle) == 1  # mirrored about the mean of the training data
    assert len({line["proxy_best"] for line in lines}) > 1


def test_to_watch_changes_nothing_of_the_training(runs):
    watched, bare = runs("own"), runs("bare")
    last = "checkpoints/step_00000007/trainer.safetensors"
    first, second = load_file(watched / last), load_file(bare / last)
    assert first.keys() == second.keys()
    assert all(first[name].equal(second[name]) for name in first)
    for one, other in zip(metrics(watched), metrics(bare), strict=True):
        assert one.keys() - other.keys() == WATCHED
        assert {k: v for k, v in one.items() if k not in WATCHED} == other


def test_a_resumed_run_records_the_same(runs, tmp_path):
    undisturbed = runs("own")
    resumed = shutil.copytree(undisturbed, tmp_path / "resumed")
    for step in range(4, 8):
        shutil.rmtree(resumed / f"checkpoints/step_{step:08d}")
    assert run_cli("train", "--run", resumed, "--resume").exit_code == 0
    assert (resumed / "metrics.jsonl").read_bytes() == (undisturbed / "metrics.jsonl").read_bytes()


def test_a_control_that_agrees(cli, runs):
    run = runs("agrees")
    result = cli("evaluate", run, "--n", "150")
    assert result.exit_code == 0, result.stderr
    found = table(result.stdout)
    assert [name for name in found if name in ROWS] == ROWS
    for name in ROWS:
        assert found[name]["all"] == ""
        assert "" not in (found[name]["random"], found[name]["trained"])
    gap = found["proxy minus control, top-100 by Score"]["trained"]
    assert float(gap) == pytest.approx(0.0, abs=1e-5)
    top = found["pIC50 top-100 by Score"]["trained"]
    assert float(found["control mean, top-100 by Score"]["trained"]) == pytest.approx(float(top))
    assert "its control" not in result.stderr
    lines = result.stderr.splitlines()
    at = lines.index("best molecules of a batch over training, mean pIC50:")
    assert lines[at + 1].split() == ["step", "proxy", "control", "difference"]
    told = [line.split() for line in lines[at + 2 : at + 7]]
    assert [int(step) for step, *_ in told] == [1, 3, 4, 5, 7]  # 2.5 and 5.5 are rounded to even
    by_step = {line["step"]: line for line in metrics(run)}
    for step, proxy, control, difference in told:
        assert float(proxy) == pytest.approx(by_step[int(step)]["proxy_best"], abs=6e-4)
        assert float(control) == pytest.approx(by_step[int(step)]["control_best"], abs=6e-4)
        assert float(difference) == 0


@pytest.mark.parametrize("direction", ["maximise", "minimise"])
def test_a_control_that_disagrees_is_warned_of(cli, runs, direction):
    result = cli("evaluate", runs("opposite", direction), "--n", "300")
    assert result.exit_code == 0
    found = table(result.stdout)
    best = float(found["proxy minus control, top-100 by Score"]["trained"])
    excess = best - float(found["proxy minus control"]["random"])
    excess = excess if direction == "maximise" else -excess
    (warning,) = [line for line in result.stderr.splitlines() if "its control" in line]
    start = f"warning: on the best molecules the proxy is {excess:.2f} more optimistic than its"
    assert warning.startswith(start)
    assert "raise reward.guard.kappa" in warning


def test_a_window_has_no_good_side_to_be_optimistic_about(cli, runs, tmp_path):
    run = shutil.copytree(runs("opposite"), tmp_path / "window")
    make_old(run)
    config = run / "config.yaml"
    before, after = "{scorer: proxy, transform: sigmoid,", "{scorer: proxy, transform: window,"
    text = config.read_text()
    assert text.count(before) == 1
    config.write_text(text.replace(before, f"{after} softness: 1.0,"))
    result = cli("evaluate", run, "--n", "300")
    assert result.exit_code == 0, result.stderr
    assert set(ROWS) <= table(result.stdout).keys()
    assert "its control" not in result.stderr


def test_molecules_of_ones_own_are_compared_too(cli, runs, tmp_path):
    file = tmp_path / "none.csv"
    file.write_text("SMILES\n")
    result = cli("evaluate", runs("agrees"), "--n", "10", "--file", file)
    assert result.exit_code == 0
    assert [table(result.stdout)[name]["file"] for name in ROWS] == [""] * len(ROWS)


@pytest.mark.parametrize("name", ["curves.png", "curves.svg"])
def test_both_curves_are_drawn(cli, runs, tmp_path, name):
    plot = tmp_path / name
    result = cli("evaluate", runs("opposite"), "--n", "10", "--plot", plot)
    assert result.exit_code == 0
    start = {".png": b"\x89PNG", ".svg": b"<?xml"}[plot.suffix]
    assert plot.read_bytes().startswith(start)


def test_without_a_control_there_is_one_note_and_nothing_else(cli, runs, tmp_path):
    bare = runs("bare")
    result = cli("evaluate", bare, "--n", "20")
    assert result.exit_code == 0
    assert set(ROWS).isdisjoint(table(result.stdout))
    (note,) = [line for line in result.stderr.splitlines() if "control" in line]
    assert note.startswith("note: the proxy of pIC50 has no control")
    out = tmp_path / "out.csv"
    for options in (["--plot", tmp_path / "curves.png"], ["--plot", tmp_path / "c.png", "-o", out]):
        result = cli("evaluate", bare, "--n", "20", *options)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "no record of" in result.stderr.replace("\n", " ")
    assert not out.exists()


def test_a_run_from_before_is_noted(cli, runs, tmp_path):
    run = shutil.copytree(runs("agrees"), tmp_path / "old")
    make_old(run)
    lines = [{k: v for k, v in m.items() if k not in WATCHED} for m in metrics(run)]
    file = run / "metrics.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = cli("evaluate", run, "--n", "20")
    assert set(ROWS) <= table(result.stdout).keys()
    note = f"note: {run} has no record of proxy and control over its training"
    assert note in result.stderr.splitlines()
    file.unlink()
    assert cli("evaluate", run, "--n", "20").stderr == result.stderr


def test_gaps_in_the_record_are_left_out(cli, runs, tmp_path):
    """A batch without a score is null; the last line of a killed process may be cut."""
    run = shutil.copytree(runs("opposite"), tmp_path / "gaps")
    make_old(run)
    file = run / "metrics.jsonl"
    lines = file.read_text().splitlines()
    second = json.dumps(json.loads(lines[1]) | dict.fromkeys(WATCHED))
    file.write_text("\n".join([lines[0], second, lines[2], lines[3][:40]]))
    stderr = cli("evaluate", run, "--n", "10").stderr.splitlines()
    at = stderr.index("best molecules of a batch over training, mean pIC50:")
    assert [line.split()[0] for line in stderr[at + 2 : at + 4]] == ["1", "3"]
    assert not stderr[at + 4].startswith(" ")
