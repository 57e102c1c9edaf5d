"""Sampling as a user runs it, on the policy that ships with the package."""

import csv
import io
import shutil

import pytest
from files_of_before import make_old

from molgfn.chem.molecule import read_molecule
from molgfn.chem.similarity import morgan_fingerprints, tanimoto_distance
from molgfn.config.resources import shipped_path


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """A directory without runs, so that the shipped policy is the one that samples."""
    monkeypatch.chdir(tmp_path)


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_distinct_valid_molecules_and_the_same_bytes_again(cli):
    first = cli("sample", "--n", "50", "--seed", "1")
    assert first.exit_code == 0
    table = rows(first.stdout)
    assert len({row["InChIKey"] for row in table}) == len(table) == 50
    for row in table:
        assert read_molecule(row["SMILES"]).inchikey == row["InChIKey"]
    assert cli("sample", "--n", "50", "--seed", "1").stdout == first.stdout
    assert cli("sample", "--n", "50", "--seed", "2").stdout != first.stdout


def test_output_file_holds_what_stdout_would(cli, tmp_path):
    file = tmp_path / "out.csv"
    assert cli("sample", "--n", "5", "-o", file).stdout == ""
    assert file.read_text() == cli("sample", "--n", "5").stdout


def test_top_k_keeps_its_distance_and_is_best_first(cli):
    result = cli("sample", "--n", "40", "--top-k", "5", "--min-distance", "0.5")
    table = rows(result.stdout)
    assert len(table) == 5
    scores = [float(row["Score"]) for row in table]
    assert scores == sorted(scores, reverse=True)
    fingerprints = morgan_fingerprints([read_molecule(row["SMILES"]) for row in table])
    distance = tanimoto_distance(fingerprints, fingerprints)
    assert min(distance[i, j] for i in range(5) for j in range(i)) >= 0.5


def test_scored_samples_agree_with_score(cli):
    sampled = cli("sample", "--n", "5", "--score").stdout
    scored = cli("score", "-", input=cli("sample", "--n", "5").stdout).stdout
    for one, other in zip(rows(sampled), rows(scored), strict=True):
        assert float(one["Score"]) == pytest.approx(float(other["Score"]), rel=1e-4)
        assert one["SMILES"] == other["SMILES"]


def test_draws_are_controlled_unless_the_user_says_otherwise(cli):
    controlled = cli("sample", "--n", "40").stdout
    assert cli("sample", "--n", "40", "--rejection-control").stdout == controlled
    plain = cli("sample", "--n", "40", "--no-rejection-control").stdout
    assert plain != controlled
    assert len({row["InChIKey"] for row in rows(plain)}) == len(rows(plain)) == 40


def test_a_scorer_of_ones_own_is_asked_only_on_request(cli, tmp_path):
    run = shutil.copytree(shipped_path("policy", "parp1"), tmp_path / "run")
    make_old(run)
    config = run / "config.yaml"
    text, command = config.read_text(), "scorer: 'command: tee asked',"
    assert text.count("scorer: QED,") == 1
    config.write_text(text.replace("scorer: QED,", command))
    plain = cli("sample", run, "--n", "5")
    assert plain.exit_code == 0
    assert "your own scorer would have to score every draw" in plain.stderr
    assert not (tmp_path / "asked").exists()
    # It only repeats the SMILES, so nothing has a score and nothing stays.
    cli("sample", run, "--n", "5", "--rejection-control")
    assert (tmp_path / "asked").exists()


def test_fewer_than_asked_for_exits_with_5_and_writes_what_there_is(cli):
    result = cli("sample", "--n", "10", "--top-k", "10", "--min-distance", "0.99")
    assert result.exit_code == 5
    written = len(rows(result.stdout))
    assert 1 <= written < 10
    assert f"{written} of 10 molecules" in result.stderr


def test_closed_pipe_is_quiet(start):
    process = start("sample", "--n", "200")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait() == 0
    assert "Traceback" not in process.stderr.read()


def test_a_directory_without_a_policy(cli, tmp_path):
    result = cli("sample", tmp_path, "--n", "1")
    assert result.exit_code == 3
    assert "holds no trained policy" in result.stderr


def test_beta_must_be_positive(cli):
    assert cli("sample", "--n", "1", "--beta", "0").exit_code == 2


def test_a_beta_beyond_the_training_is_noted(cli):
    assert "trained for beta 4 to 32" in cli("sample", "--n", "1", "--beta", "64").stderr
    assert "note" not in cli("sample", "--n", "1", "--beta", "8").stderr


def test_evaluate_prints_both_columns(cli):
    result = cli("evaluate", "--n", "20")
    table = {row["measure"]: row for row in rows(result.stdout)}
    assert float(table["molecules"]["trained"]) == 20
    assert 0 < float(table["Score mean"]["random"]) <= 1
    assert "PARP1_kcal_mol mean" in table
