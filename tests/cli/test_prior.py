"""A prior as a user makes and uses it: fit, kill, go on, train with it, and what can go wrong."""

import shutil

import numpy as np
import pytest
from series import RINGS, TAILS

QUICK = [
    "--set", "policy={hidden: 16, layers: 1}", "--set", "limits.max_fragments=5",
]  # fmt: skip
TRAINED = [
    *QUICK, "--set", "train.steps=4", "--set", "train.batch_size=64",
    "--set", "train.replay_batch_size=8", "--set", "train.log_every=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("library") / "library.smi"
    rings, rng = ["c1ccccc1", "c1ccncc1", "C1CCNCC1", "c1ccsc1"], np.random.default_rng(0)
    assert set(rings) < set(RINGS)
    lines = [f"{ring}{tail} {n}" for ring in rings for n, tail in enumerate(TAILS[:40])]
    rng.shuffle(lines)
    path.write_text("\n".join(["not-a-molecule x", *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def fitted(cli, library, tmp_path_factory):
    path = tmp_path_factory.mktemp("fitted") / "prior"
    result = cli("prior", "fit", library, "-o", path, "--epochs", 4, *QUICK)
    assert result.exit_code == 0, result.stderr
    return path, result


def weights(prior):
    newest = sorted((prior / "checkpoints").iterdir())[-1]
    return {f.name: f.read_bytes() for f in newest.iterdir() if f.suffix == ".safetensors"}


def test_a_fit_tells_how_likely_held_out_molecules_are(fitted, cli):
    path, result = fitted
    assert result.stdout == ""
    assert "is invalid: RDKit cannot read 'not-a-molecule'" in result.stderr
    found = {
        line[:22].strip(): float(line[22:])
        for line in result.stderr.splitlines()
        if line.startswith(("prior  ", "bigram", "unigram", "random"))
    }
    assert len(found) == 4
    assert max(found["prior"], found["unigram of fragments"]) > found["random trajectories"]
    drawn = cli("sample", path, "--n", 5, "--no-rejection-control")
    assert drawn.exit_code == 0
    assert len(drawn.stdout.splitlines()) == 6


@pytest.mark.parametrize("at", [0, 2])
def test_a_fit_that_was_stopped_goes_on_to_the_same_bytes(
    fitted, cli, library, tmp_path, monkeypatch, at
):
    from molgfn.gfn.maximum_likelihood import MaximumLikelihood

    path, _ = fitted
    epoch = MaximumLikelihood.train_epoch

    def killed(self):
        if self.epoch == at:
            raise KeyboardInterrupt
        return epoch(self)

    command = ("prior", "fit", library, "-o", tmp_path / "again", "--epochs", 4, *QUICK)
    with monkeypatch.context() as patch:
        patch.setattr(MaximumLikelihood, "train_epoch", killed)
        assert cli(*command).exit_code == 130
    resumed = cli(*command)
    assert resumed.exit_code == 0, resumed.stderr
    assert f"has {at} of 4 epochs" in resumed.stderr
    assert weights(tmp_path / "again") == weights(path)
    other = cli(*command[:-1], "limits.max_fragments=4")
    assert other.exit_code == 1
    assert "holds a prior of another library or with other settings" in other.stderr


def test_a_training_begins_with_a_prior_and_resumes_exactly(fitted, cli, tmp_path):
    path, _ = fitted
    options = ["--set", f"reward.prior={{name: {path}, weight: 0.5}}", *TRAINED]
    for name, steps in (("whole", 4), ("part", 2)):
        command = ("train", "--run", tmp_path / name, "--from", path, *options)
        begun = cli(*command, "--set", f"train.steps={steps}", "--set", "train.checkpoint_every=2")
        assert begun.exit_code == 0, begun.stderr
    resumed = cli("train", "--run", tmp_path / "part", "--resume", "--set", "train.steps=4")
    assert resumed.exit_code == 0
    first, second = ((tmp_path / n / "metrics.jsonl").read_text() for n in ("whole", "part"))
    # The learning rate falls towards the last step, which the part did not know: its first two
    # steps alone are those of the whole.
    assert first.splitlines()[0] == second.splitlines()[0]
    drawn = cli("sample", tmp_path / "whole", "--n", 5, "--seed", 1)
    assert (drawn.exit_code, len(drawn.stdout.splitlines())) == (0, 6)


def test_a_prior_and_a_run_are_not_taken_for_each_other(fitted, cli, tmp_path, library):
    path, _ = fitted
    result = cli("train", "--run", path, "--resume")
    assert result.exit_code == 3
    assert "holds a prior; go on with `molgfn prior fit LIBRARY -o" in result.stderr
    assert cli("train", "--run", tmp_path / "run", *TRAINED).exit_code == 0
    result = cli("prior", "fit", library, "-o", tmp_path / "run", *TRAINED)
    assert result.exit_code == 1
    assert "holds a run that is no prior; name another -o" in result.stderr


def test_what_does_not_fit_is_refused(fitted, cli, tmp_path, library):
    path, _ = fitted
    named = ["--set", f"reward.prior.name={path}"]

    def refused(*args, code=3):
        result = cli("train", "--run", tmp_path / "run", *args)
        assert result.exit_code == code
        assert not (tmp_path / "run" / "config.yaml").exists()
        return result.stderr

    assert "fitted with other limits" in refused(*named, "--set", "policy.hidden=16")
    missing = ["--set", "reward.prior.name=nowhere"]
    assert "no such directory; make one with `molgfn prior fit" in refused(*missing, *TRAINED)
    matching = [*named, "--set", "train.objective=flow_matching"]
    assert "flow_matching cannot have a reward.prior" in refused(*matching, *TRAINED)
    shared = [*named, "--set", "reward.divide_by_multiplicity=true"]
    assert "set one of them" in refused(*shared, *TRAINED)
    wide = ["--from", path, *TRAINED, "--set", "policy.hidden=32"]
    assert ".safetensors" in refused(*wide)
    few = tmp_path / "few.smi"
    few.write_text("\n".join(library.read_text().splitlines()[:20]))
    result = cli("prior", "fit", few, "-o", tmp_path / "few")
    assert result.exit_code == 3
    assert "at least 50 are needed" in result.stderr
    damaged = shutil.copytree(path, tmp_path / "damaged")
    newest = sorted((damaged / "checkpoints").iterdir())[-1]
    (newest / "policy.safetensors").write_bytes(b"")
    broken = refused("--set", f"reward.prior.name={damaged}", *TRAINED)
    assert "reward.prior.name: " in broken
