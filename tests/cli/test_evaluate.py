"""``molgfn evaluate`` as a user runs it, on a policy that has hardly been trained."""

import csv
import io
import math
import re

import pytest
from files_of_before import make_old

#: Small and quick: no proxy, a narrow network, short molecules.
QUICK = [
    "--set", "policy={hidden: 16, layers: 1}",
    "--set", "train.n_beta_groups=2",
    "--set", "train.updates_per_step=2",
    "--set", "train.batch_size=8",
    "--set", "train.replay_batch_size=8",
    "--set", "train.steps=3",
    "--set", "limits.max_fragments=4",
]  # fmt: skip
FIT = [
    "held-out molecules",
    "slope of log p against log R",
    "Pearson of log p with log R",
    "Spearman of log p with log R",
    "rmse of log p - log R",
]
PARTITION = [
    "log Z",
    "log Z lower bound (ELBO)",
    "log Z upper bound (EUBO)",
    "entropy of the sampler, nats",
    "effective sample size",
]
SHARE = "share of draws that stay"
EXISTING = [
    "molecules",
    "distinct fraction",
    "failed to score",
    "Score mean",
    "Score top-10",
    "Score top-100",
    "heavy atoms mean",
    "Spearman of Score with heavy atoms",
    "mean pairwise Tanimoto similarity",
    "mean pairwise similarity of top-100",
    "#Circles at distance 0.7",
]
#: Two fragments of benzene and ammonia: biphenyl, aniline and hydrazine, no other molecule.
TINY = """format: 1
name: tiny
provenance: {}
fragments:
- {smiles: c1ccccc1, sites: {0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1}, count: 1}
- {smiles: N, sites: {0: 1}, count: 1}
"""


def table(text):
    rows = list(csv.DictReader(io.StringIO(text)))
    return {row.pop("measure"): row for row in rows}


@pytest.fixture
def trained(cli, qed_alone, tmp_path):
    """Train a run of the name given, with further options."""

    def run(name, *options):
        directory = tmp_path / name
        result = cli("train", "--run", directory, *qed_alone, *QUICK, *options)
        assert result.exit_code == 0, result.stderr
        return directory

    return run


@pytest.fixture
def tiny(trained, tmp_path):
    vocabulary = tmp_path / "tiny.yaml"
    vocabulary.write_text(TINY)
    limits = ["--set", "limits.max_fragments=2", "--set", f"vocabulary={vocabulary}"]
    return trained("tiny", *limits)


def test_rows_and_columns_are_the_contract(cli, trained):
    run = trained("run")
    result = cli("evaluate", run, "--n", "20", "--beta", "8")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "measure,random,trained,all,policy"
    found = table(result.stdout)
    assert list(found) == [*EXISTING, *FIT, *PARTITION, SHARE]
    assert all(found[m]["all"] == "" != found[m]["random"] for m in EXISTING)
    assert all(set(found[m].values()).isdisjoint({""}) for m in FIT)
    assert {found["molecules"][c] for c in ("random", "trained", "policy")} == {"20"}
    assert 0.5 <= float(found[SHARE]["trained"]) < 1
    assert all(found[m]["random"] == found[m]["all"] == "" for m in PARTITION)
    for column in ("trained", "policy"):
        lower, upper = (float(found[m][column]) for m in PARTITION[1:3])
        assert lower <= float(found["log Z"][column]) <= upper
    assert "warning: the effective sample size is" in result.stderr
    assert all(line.startswith(("policy: ", "warning: ")) for line in result.stderr.splitlines()), (
        result.stderr
    )
    assert cli("evaluate", run, "--n", "20", "--beta", "8").stdout == result.stdout


def test_molecules_of_ones_own_get_a_column(cli, tiny, tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text(
        "id,structure\n1,Nc1ccccc1\n2,nonsense\n3,CCO\n4,Nc1ccc(N)cc1\n5,c1ccc(-c2ccccc2)cc1\n"
    )
    columns = ("--smiles-column", "structure")
    result = cli("evaluate", tiny, "--n", "10", "--file", file, *columns)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "measure,random,trained,file,all,policy"
    assert len(result.stdout.splitlines()) == 1 + len([*EXISTING, *FIT, *PARTITION, SHARE])
    found = table(result.stdout)
    assert found["molecules"]["file"] == "2"
    assert found["heavy atoms mean"]["file"] == "9.5"
    lines = result.stderr.splitlines()
    assert (
        f"left out 3 of 5 rows of {file}: 1 cannot be built with the vocabulary, "
        "1 break the limits, 1 cannot be read"
    ) in lines
    assert any(line.startswith("row 2 is invalid: RDKit cannot read") for line in lines)


def test_what_the_training_has_scored_is_not_held_out(cli, tiny):
    """The space has three molecules, all of which the pre-flight has scored."""
    result = cli("evaluate", tiny, "--n", "30")
    found = table(result.stdout)
    assert [found["held-out molecules"][c] for c in ("random", "trained", "all")] == ["0"] * 3
    assert found["rmse of log p - log R"]["all"] == ""
    # Thirty draws of three molecules; the hardly trained policy may draw fewer of them.
    assert re.search(r"of the policy's draws only 0\.(03|07|10) are distinct", result.stderr)
    assert "slope" not in result.stderr


def test_without_its_training_everything_counts_as_held_out(cli, tiny):
    for file in tiny.glob("checkpoints/*/trainer.*"):
        file.unlink()
    result = cli("evaluate", tiny, "--n", "30")
    assert result.exit_code == 0
    assert f"note: {tiny} holds no record of the molecules it was trained on" in result.stderr
    found = table(result.stdout)
    assert found["held-out molecules"]["all"] == "3"
    assert float(found["rmse of log p - log R"]["all"]) > 0


def test_trees_of_a_molecule_share_its_reward_where_the_run_says_so(cli, trained, tmp_path):
    """Aniline is one fragment or two: biphenyl and hydrazine stay as they are."""
    vocabulary = tmp_path / "redundant.yaml"
    vocabulary.write_text(TINY + "- {smiles: Nc1ccccc1, sites: {0: 1}, count: 1}\n")
    limits = ["--set", "limits={min_fragments: 1, max_fragments: 2}"]
    shared = ["--set", "reward.divide_by_multiplicity=true"]
    run = trained("redundant", *limits, *shared, "--set", f"vocabulary={vocabulary}")
    args = ("evaluate", run, "--n", "30", "--beta", "4")
    divided = table(cli(*args).stdout)
    make_old(run)
    config = run / "config.yaml"
    text = config.read_text()
    assert text.count("divide_by_multiplicity: true") == 1
    config.write_text(text.replace("divide_by_multiplicity: true", "divide_by_multiplicity: false"))
    whole = table(cli(*args).stdout)
    for column in ("random", "policy"):
        assert whole["Score mean"][column] == divided["Score mean"][column]
    more = float(whole["log Z"]["policy"]) - float(divided["log Z"]["policy"])
    assert 0.01 < more < math.log(2)


def test_a_file_without_rows_leaves_its_column_empty(cli, tiny, tmp_path):
    file = tmp_path / "header.csv"
    file.write_text("SMILES\n")
    result = cli("evaluate", tiny, "--n", "10", "--file", file)
    assert result.exit_code == 0
    found = table(result.stdout)
    assert (found["molecules"]["file"], found["Score mean"]["file"]) == ("0", "")
    file.write_text("SMILES\nCCO\n")
    result = cli("evaluate", tiny, "--n", "10", "--file", file)
    assert table(result.stdout)["molecules"]["file"] == "0"
    assert f"left out 1 of 1 rows of {file}" in result.stderr


def test_files_that_are_none(cli, tiny, tmp_path):
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    for file, reason in ((empty, "is empty"), (tmp_path / "none.csv", "no such file")):
        result = cli("evaluate", tiny, "--file", file, "-o", tmp_path / "out.csv")
        assert (result.exit_code, result.stdout) == (3, "")
        assert result.stderr.count("\n") == result.stderr.count("error:") == 1
        assert reason in result.stderr
    assert not (tmp_path / "out.csv").exists()
    result = cli("evaluate", tiny, "--smiles-column", "structure")
    assert result.exit_code == 2
    assert "--file" in result.stderr


def test_a_damaged_record_is_named(cli, tiny):
    (newest,) = tiny.glob("checkpoints/step_00000003")
    make_old(tiny)
    document = newest / "trainer.json"
    document.write_text(document.read_text().replace('"replay_keys"', '"other"'))
    result = cli("evaluate", tiny, "--n", "10")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.count("error:") == 1
    assert f"{document}: replay_keys is missing, expected a list" in result.stderr


def test_help_has_an_example(cli):
    assert "molgfn evaluate runs/first --n 1000 --file" in cli("evaluate", "--help").stdout


def test_a_process_of_its_own_keeps_stdout_clean(start, tiny, tmp_path):
    process = start("evaluate", tiny, "--n", "10")
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    assert list(table(stdout)) == [*EXISTING, *FIT, *PARTITION, SHARE]
    assert "Traceback" not in stderr
    file = tmp_path / "out.csv"
    process = start("evaluate", tiny, "--n", "10", "-o", file)
    assert process.communicate(timeout=300)[0] == ""
    assert file.read_text() == stdout
