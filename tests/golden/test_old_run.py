"""A run of the first version, two steps of a tiny training, loads for ever.

``old_run/expected.json`` says what that version drew from it, how probable it made that, and how
its third step went. Neither is ever written anew.
"""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

OLD_RUN = Path(__file__).parent / "old_run"
EXPECTED = json.loads((OLD_RUN / "expected.json").read_text())
BETA = ("--beta", EXPECTED["beta"])


@pytest.fixture
def run(tmp_path):
    return shutil.copytree(OLD_RUN, tmp_path / "run")


def rows_of(result):
    assert result.exit_code == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_it_draws_what_it_drew(run, cli):
    expected = EXPECTED["molecules"]
    drawn = rows_of(cli("sample", run, "--n", len(expected), "--seed", EXPECTED["seed"], *BETA))
    assert [row["SMILES"] for row in drawn] == [row["SMILES"] for row in expected]


def test_its_likelihoods_are_what_they_were(run, cli, tmp_path):
    expected = EXPECTED["molecules"]
    file = tmp_path / "molecules.smi"
    file.write_text("".join(f"{row['SMILES']}\n" for row in expected))
    config = ("--config", run / "config.yaml")
    scored = rows_of(cli("score", file, "--log-likelihood", "--policy", run, *BETA, *config))
    for name in ("Score", "log_likelihood", "n_trees"):
        values = [float(row[name]) for row in scored]
        assert values == pytest.approx([row[name] for row in expected], rel=1e-4), name


def test_its_training_goes_on(run, cli):
    assert cli("train", "--run", run, "--resume", "--set", "train.steps=3").exit_code == 0
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in metrics] == [1, 2, 3]
    third = {name: metrics[2][name] for name in EXPECTED["third_step"]}
    assert third == pytest.approx(EXPECTED["third_step"], rel=1e-3)
