"""Training as a user runs it: resume after a real kill, signals, and what can go wrong."""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from files_of_before import make_old
from safetensors.torch import load_file

#: Small and quick: no proxy, a narrow network, short molecules.
QUICK = [
    "--set", "reward.factors=[{scorer: logP, transform: window, low: 1, high: 3, softness: 1}]",
    "--set", "policy={hidden: 16, layers: 1}",
    "--set", "train.batch_size=8",
    "--set", "train.replay_batch_size=8",
    "--set", "train.n_beta_groups=2",
    "--set", "train.updates_per_step=2",
    "--set", "train.checkpoint_every=10",
    "--set", "limits.max_fragments=4",
]  # fmt: skip
STEPS = 40


def wait_for(condition, process):
    while not condition():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    from typer.testing import CliRunner

    from molgfn.cli.app import app

    run = tmp_path_factory.mktemp("train") / "undisturbed"
    args = ["train", "--run", str(run), "--set", f"train.steps={STEPS}", *QUICK]
    assert CliRunner().invoke(app, args).exit_code == 0
    return run


@pytest.fixture
def copied(undisturbed, tmp_path):
    """A copy of the undisturbed run, to be damaged."""
    return Path(shutil.copytree(undisturbed, tmp_path / "copy"))


def same_run(one, other):
    """Weights, optimiser, replay, random numbers, metrics: all equal to the last bit."""
    last = f"checkpoints/step_{STEPS:08d}"
    for name in ("trainer", "policy"):
        first, second = (load_file(r / last / f"{name}.safetensors") for r in (one, other))
        assert first.keys() == second.keys()
        assert all(first[k].equal(second[k]) for k in first)
        documents = [json.loads((r / last / f"{name}.json").read_text()) for r in (one, other)]
        assert documents[0] == documents[1]
    assert (one / "metrics.jsonl").read_bytes() == (other / "metrics.jsonl").read_bytes()


def test_resume_after_sigkill_is_exact(undisturbed, start, cli, tmp_path):
    run = tmp_path / "killed"
    process = start("train", "--run", run, "--set", f"train.steps={STEPS}", *QUICK)
    wait_for(lambda: (run / "checkpoints" / "step_00000020").exists(), process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (run / "checkpoints" / f"step_{STEPS:08d}").exists()
    assert cli("train", "--run", run, "--resume").exit_code == 0
    same_run(undisturbed, run)


def test_resume_before_the_first_checkpoint_is_exact(undisturbed, start, cli, tmp_path):
    run = tmp_path / "early"
    process = start("train", "--run", run, "--set", f"train.steps={STEPS}", *QUICK)
    wait_for(lambda: (run / "checkpoints" / "step_00000000").exists(), process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert cli("train", "--run", run, "--resume").exit_code == 0
    same_run(undisturbed, run)


def test_a_run_killed_before_its_first_checkpoint_begins_as_it_did(undisturbed, copied, cli):
    shutil.rmtree(copied / "checkpoints")
    (copied / "metrics.jsonl").write_text("")
    result = cli("train", "--run", copied, "--resume")
    assert result.exit_code == 0, result.stderr
    same_run(undisturbed, copied)


def test_a_full_disk_at_the_first_checkpoint_leaves_a_run_that_resumes(
    undisturbed, cli, tmp_path, monkeypatch
):
    import molgfn.workflows.train as module
    from molgfn.errors import OutputError

    def full(*_):
        raise OutputError("cannot write: No space left on device")

    run, args = tmp_path / "full", ["--set", f"train.steps={STEPS}", *QUICK]
    with monkeypatch.context() as patch:
        patch.setattr(module, "save_parts", full)
        assert cli("train", "--run", run, *args).exit_code == 1
    assert cli("train", "--run", run, "--resume").exit_code == 0
    same_run(undisturbed, run)


@pytest.mark.parametrize("warm", [False, True])
def test_a_run_that_lost_its_checkpoints_says_so(copied, cli, warm):
    from molgfn.machine.sealed import write_sealed

    shutil.rmtree(copied / "checkpoints")
    if warm:  # nothing of what it began with is there
        (copied / "metrics.jsonl").write_text("")
        facts = json.loads((copied / "run.json").read_text()) | {"begins_with": "another"}
        write_sealed(copied / "run.json", json.dumps(facts))
    before = sorted(copied.rglob("*"))
    result = cli("train", "--run", copied, "--resume", "--set", "train.steps=50")
    assert result.exit_code == 3
    assert f"{copied / 'checkpoints'} holds no checkpoint to resume from" in result.stderr
    assert f"molgfn train {copied / 'config.yaml'} --run OTHER" in result.stderr
    assert sorted(copied.rglob("*")) == before


def test_a_run_whose_config_is_gone_is_not_begun_anew_over_it(copied, cli):
    (copied / "config.yaml").unlink()
    result = cli("train", "--run", copied, *QUICK)
    assert result.exit_code == 1
    assert "is of a run whose config.yaml is gone; name another --run" in result.stderr
    result = cli("train", "--run", copied, "--resume")
    assert result.exit_code == 3
    assert f"{copied} has lost its config.yaml; restore it from a copy" in result.stderr


def test_metrics_that_were_changed_are_refused_and_may_be_deleted(copied, cli):
    file = copied / "metrics.jsonl"
    file.write_text(file.read_text().replace('"step": 10', '"step": 11'))
    result = cli("train", "--run", copied, "--resume", "--set", "train.steps=50")
    assert result.exit_code == 3
    assert f"{file} is damaged" in result.stderr
    file.unlink()
    assert cli("train", "--run", copied, "--resume", "--set", "train.steps=50").exit_code == 0
    assert len(file.read_text().splitlines()) == 1


def test_the_settings_of_a_resumed_run_are_kept_and_nobody_elses(copied, cli):
    assert cli("train", "--run", copied, "--resume", "--set", "train.steps=45").exit_code == 0
    assert "trained to step 45" in cli("train", "--run", copied, "--resume").stderr
    file = copied / "config.yaml"
    file.write_text(file.read_text().replace("steps: 45", "steps: 46"))
    result = cli("train", "--run", copied, "--resume")
    assert result.exit_code == 3
    assert f"{file} is damaged" in result.stderr
    assert "--resume --set" in result.stderr


def children_of(process):
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


def is_gone(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"  # dead, but nobody has asked for its exit code


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers end after the task in hand")
def test_workers_may_be_killed_and_never_outlive_the_training(undisturbed, start, cli, tmp_path):
    run = tmp_path / "helped"
    helped = ["--set", f"train.steps={STEPS}", "--set", "train.reward_workers=2", *QUICK]
    process = start("train", "--run", run, *helped)
    wait_for(lambda: len(children_of(process)) == 2, process)
    workers = children_of(process)
    os.kill(int(workers[0]), signal.SIGKILL)
    wait_for(lambda: (run / "checkpoints" / "step_00000020").exists(), process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stderr.read().count("warning: a scoring process was killed by SIGKILL") == 1
    deadline = time.monotonic() + 60
    while not all(is_gone(worker) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert cli("train", "--run", run, "--resume", "--set", "train.reward_workers=0").exit_code == 0
    same_run(undisturbed, run)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_save_and_exit(undisturbed, start, cli, tmp_path, sent, code):
    run = tmp_path / "stopped"
    process = start("train", "--run", run, "--set", f"train.steps={STEPS}", *QUICK)
    wait_for(lambda: (run / "metrics.jsonl").exists() and (run / "metrics.jsonl").stat().st_size,
             process)  # fmt: skip
    process.send_signal(sent)
    assert process.wait() == code
    message = process.stderr.read()
    assert "saved at step" in message
    assert f"molgfn train --run {run} --resume" in message
    assert "Traceback" not in message
    assert cli("train", "--run", run, "--resume").exit_code == 0
    same_run(undisturbed, run)


def test_metrics_and_preflight(undisturbed):
    lines = [json.loads(line) for line in (undisturbed / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20, 30, 40]
    assert {"loss", "score_mean", "distinct", "modes", "failed"} <= lines[-1].keys()
    assert lines[-1]["failed"] == 0


def test_a_run_is_not_overwritten(undisturbed, cli):
    result = cli("train", "--run", undisturbed, *QUICK)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == result.stderr.count("error:") == 1
    assert "--resume" in result.stderr


def test_resume_of_nothing(cli, tmp_path):
    result = cli("train", "--run", tmp_path / "none", "--resume")
    assert result.exit_code == 2
    assert "holds no run to resume" in result.stderr
    assert not (tmp_path / "none").exists()
    assert cli("train", "--resume").exit_code == 2


def test_resume_may_go_further_but_stays_the_run_it_is(copied, cli):
    result = cli("train", "--run", copied, "--resume", "--set", "policy.hidden=32")
    assert result.exit_code == 2
    assert "keeps its policy.hidden" in result.stderr
    assert cli("train", "--run", copied, "--resume", "--set", "train.steps=45").exit_code == 0
    assert "trained to step 45" in cli("train", "--run", copied, "--resume").stderr


def test_resume_with_another_vocabulary_is_refused(copied, cli):
    file = copied / "vocabulary.yaml"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-1]))
    for args in (["train", "--run", copied, "--resume"], ["sample", copied, "--n", "1"]):
        result = cli(*args)
        assert result.exit_code == 3
        assert f"{file} is damaged" in result.stderr
    make_old(copied)
    for args in (["train", "--run", copied, "--resume"], ["sample", copied, "--n", "1"]):
        result = cli(*args)
        assert result.exit_code == 3
        assert "not the one this policy was trained with" in result.stderr


def test_a_damaged_checkpoint_is_named(copied, cli):
    file = copied / "checkpoints" / f"step_{STEPS:08d}" / "policy.safetensors"
    file.write_bytes(b"garbage")
    result = cli("sample", copied, "--n", "1")
    assert result.exit_code == 3
    assert f"{file} is damaged" in result.stderr
    assert result.stdout == ""


def test_rewards_that_are_all_missing_stop_before_the_first_step(cli, tmp_path):
    scorer = tmp_path / "nan.sh"
    scorer.write_text("#!/bin/sh\necho value\nwhile read line; do echo nan; done\n")
    scorer.chmod(0o755)
    factors = f"reward.factors=[{{scorer: 'command: {scorer}', transform: identity}}]"
    result = cli("train", "--run", tmp_path / "run", "--set", factors)
    assert result.exit_code == 1
    assert result.stderr.count("error:") == 1
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_directory_that_cannot_be_written(cli, tmp_path):
    (tmp_path / "file").write_text("")
    result = cli("train", "--run", tmp_path / "file" / "run", *QUICK)
    assert result.exit_code == 1
    assert "cannot write" in result.stderr


def test_a_full_disk_is_said_and_loses_nothing(copied, cli):
    (copied / "metrics.jsonl").unlink()
    (copied / "metrics.jsonl").symlink_to("/dev/full")
    result = cli("train", "--run", copied, "--resume", "--set", "train.steps=50")
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert result.stderr.count("error:") == 1
    (copied / "metrics.jsonl").unlink()
    assert cli("train", "--run", copied, "--resume", "--set", "train.steps=50").exit_code == 0


def test_a_garbled_run_file_is_named(copied, cli):
    (copied / "run.json").write_text("{")
    result = cli("train", "--run", copied, "--resume")
    assert result.exit_code == 3
    assert "run.json is damaged" in result.stderr


def test_a_run_without_its_config_is_damaged(copied, cli):
    (copied / "config.yaml").unlink()
    result = cli("sample", copied, "--n", "1")
    assert result.exit_code == 3
    assert "is damaged: it has no config.yaml" in result.stderr


def test_a_group_of_one_has_nothing_to_compare_with(cli, tmp_path):
    sizes = ("--set", "train.batch_size=16", "--set", "train.updates_per_step=2")
    result = cli("train", "--run", tmp_path / "run", *sizes)
    assert result.exit_code == 3
    assert "at least twice train.updates_per_step times" in result.stderr


def test_an_unknown_setting_suggests_the_nearest(cli, tmp_path):
    result = cli("train", "--run", tmp_path / "run", "--set", "train.step=5")
    assert result.exit_code == 3
    assert "train.steps" in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_second_process_is_refused(undisturbed, cli):
    from molgfn.molecules.run_directory import RunDirectory

    with RunDirectory(undisturbed).locked():
        result = cli("train", "--run", undisturbed, "--resume")
    assert result.exit_code == 1
    assert "another process" in result.stderr


def test_samples_from_the_run(undisturbed, cli):
    args = ("sample", undisturbed, "--n", "20", "--seed", "3")
    result = cli(*args)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "SMILES,InChIKey,n_fragments"
    assert len({line.split(",")[1] for line in lines[1:]}) == 20
    assert cli(*args).stdout == result.stdout


def test_a_space_that_runs_dry_exits_with_5(cli, tmp_path):
    """Benzene and ammonia in molecules of two fragments: biphenyl, aniline, hydrazine."""
    vocabulary = tmp_path / "tiny.yaml"
    vocabulary.write_text(
        "format: 1\nname: tiny\nprovenance: {}\nfragments:\n"
        "- {smiles: c1ccccc1, sites: {0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1}, count: 1}\n"
        "- {smiles: N, sites: {0: 1}, count: 1}\n"
    )
    run = tmp_path / "run"
    limits = ["--set", "limits.max_fragments=2", "--set", f"vocabulary={vocabulary}"]
    trained = cli("train", "--run", run, "--set", "train.steps=2", *QUICK, *limits)
    assert trained.exit_code == 0, trained.stderr
    result = cli("sample", run, "--n", "10", "--no-rejection-control")
    assert result.exit_code == 5
    assert "3 of 10 molecules" in result.stderr
    assert len(result.stdout.splitlines()) == 1 + 3


def test_a_run_finds_its_proxy_from_any_directory(cli, tmp_path, monkeypatch):
    from molgfn.config.resources import shipped_path

    shutil.copytree(shipped_path("proxy", "parp1"), tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    own = ["--set", "reward.proxy=mine", "--set", "train.steps=2"]
    narrow = ["--set", "policy={hidden: 8, layers: 1}"]
    assert cli("train", "--run", "run", *own, *narrow).exit_code == 0
    monkeypatch.chdir("/")
    assert cli("sample", tmp_path / "run", "--n", "2", "--score").exit_code == 0
