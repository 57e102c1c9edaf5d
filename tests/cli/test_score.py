import csv
import gzip
import io

import pytest

from molgfn.fragments.fragment import Fragment
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.fragments.vocabulary_file import save_vocabulary

HEADER = [
    "SMILES", "Score", "status", "reason", "InChIKey", "scaffold", "MW", "logP", "TPSA", "QED",
    "SA", "heavy_atoms", "standard_SMILES",
]  # fmt: skip
INPUT = "id,SMILES,QED\n007,OCC,old\nNA,nonsense,old\n3,c1ccccc1,old\n"


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_one_row_out_for_each_row_in(cli, qed_alone):
    result = cli("score", "-", *qed_alone, input=INPUT)
    assert result.exit_code == 0
    header = ["QED_computed" if name == "QED" else name for name in HEADER]
    assert result.stdout.splitlines()[0].split(",") == [*header, "id", "QED"]
    good, bad, _ = rows(result.stdout)
    assert good["Score"] == good["QED_computed"] == "0.406808"
    assert good["QED"] == bad["QED"] == "old"
    assert (good["id"], good["SMILES"], good["standard_SMILES"]) == ("007", "OCC", "CCO")
    assert (bad["id"], bad["SMILES"], bad["status"], bad["Score"]) == (
        "NA",
        "nonsense",
        "invalid",
        "",
    )
    assert "RDKit cannot read" in bad["reason"]
    assert "stay as they are; computed under names of their own: QED_computed\n" in result.stderr
    assert "scored 2 of 3 rows\nrow 2 is invalid: RDKit cannot read 'nonsense'" in result.stderr


def test_strict_writes_everything_and_exits_with_4(cli, qed_alone, tmp_path):
    output = tmp_path / "out.csv"
    result = cli("score", "-", "--strict", "-o", output, *qed_alone, input=INPUT)
    assert result.exit_code == 4
    assert result.stdout == ""
    assert result.stderr.endswith("error: 1 of 3 rows could not be scored (--strict)\n")
    assert [r["status"] for r in rows(output.read_text())] == ["ok", "invalid", "ok"]
    assert cli("score", output, "--strict", *qed_alone).exit_code == 4


def test_all_formats_give_the_same_scores(cli, qed_alone, tmp_path):
    (tmp_path / "a.csv").write_text("name,SMILES\nx,CCO\ny,CC\n")
    (tmp_path / "a.smi").write_text("CCO x\nCC y\n")
    (tmp_path / "a.smi.gz").write_bytes(gzip.compress(b"CCO\tx\r\nCC\ty\r\n"))
    texts = {cli("score", tmp_path / n, *qed_alone).stdout for n in ("a.csv", "a.smi", "a.smi.gz")}
    texts.add(cli("score", *qed_alone, input="CCO x\nCC y\n").stdout)
    assert len(texts) == 1
    cli("score", tmp_path / "a.csv", "-o", tmp_path / "b.csv.gz", *qed_alone)
    assert gzip.decompress((tmp_path / "b.csv.gz").read_bytes()).decode() == texts.pop()


def test_scoring_twice_changes_nothing(cli, qed_alone, tmp_path):
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    assert cli("score", "-o", first, *qed_alone, input=INPUT).exit_code == 0
    assert cli("score", first, "-o", second, *qed_alone).exit_code == 0
    assert first.read_bytes() == second.read_bytes()


def test_many_bad_rows_are_told_in_a_few_lines(cli, qed_alone):
    result = cli("score", *qed_alone, input="SMILES\n" + "x\n" * 20)
    assert result.stderr.count("is invalid") == 5
    assert "and 15 more; see the columns status and reason" in result.stderr


def test_the_reward_comes_from_a_configuration(cli, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("reward: {factors: [{scorer: QED, transform: identity, weight: 2}]}\n")
    (row,) = rows(cli("score", "--config", config, input="CCO\n").stdout)
    assert float(row["Score"]) == pytest.approx(0.406808**2, rel=1e-5)


def test_the_shipped_reward_gives_every_column_of_the_contract(cli):
    result = cli("score", input="CNC(=O)Cc1ccccc1\n")
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "SMILES,Score,PARP1_kcal_mol,PARP1_kcal_mol_std,status,reason,InChIKey,scaffold,"
        "MW,logP,TPSA,QED,SA,nearest_train_similarity,"
    )
    (row,) = rows(result.stdout)
    assert row["status"] == "ok"
    assert 0 < float(row["Score"]) <= 1
    assert -15 < float(row["PARP1_kcal_mol"]) < 0 < float(row["PARP1_kcal_mol_std"])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of one step on a vocabulary in which propane has two trees."""
    from typer.testing import CliRunner

    from molgfn.cli.app import app

    folder = tmp_path_factory.mktemp("likelihood")
    fragments = [
        Fragment.build("C", {0: 2}),
        Fragment.build("CC", {0: 1, 1: 1}),
        Fragment.build("c1ccccc1", dict.fromkeys(range(6), 1)),
    ]
    save_vocabulary(Vocabulary("v", tuple(fragments)), folder / "v.yaml")
    settings = [
        *("reward.factors=[{scorer: QED, transform: identity}]", f"vocabulary={folder / 'v.yaml'}"),
        *(
            "policy={hidden: 16, layers: 1}",
            "limits={max_fragments: 3}",
            "train.steps=1",
            "train.batch_size=64",
        ),
    ]
    sets = [word for setting in settings for word in ("--set", setting)]
    result = CliRunner().invoke(app, ["train", "--run", str(folder / "run"), *sets])
    assert result.exit_code == 0, result.stderr
    return folder / "run"


def test_log_likelihood_adds_columns_and_fails_no_row(cli, qed_alone, run):
    text = "SMILES,id\nCCC,a\nC,b\nnonsense,c\nCCN,d\nCCC,e\nCCCCCCC,f\n"
    plain = cli("score", *qed_alone, input=text)
    result = cli("score", "--log-likelihood", "--policy", run, *qed_alone, input=text)
    assert result.exit_code == 0
    names = ["log_likelihood", "n_trees", "log_likelihood_reason"]
    assert result.stdout.splitlines()[0].split(",") == [*HEADER, *names, "id"]
    found = rows(result.stdout)
    assert [[row[name] for name in names[1:]] for row in found] == [
        ["2", ""],
        ["0", "has 1 fragment, the policy builds molecules of 2 to 3"],
        ["", "no molecule"],
        ["0", "the vocabulary cannot build it"],
        ["2", ""],
        ["0", "has 4 or 5 or 6 or 7 fragments, the policy builds molecules of 2 to 3"],
    ]
    assert [bool(row["log_likelihood"]) for row in found] == [
        True,
        False,
        False,
        False,
        True,
        False,
    ]
    assert float(found[0]["log_likelihood"]) < 0
    assert found[0]["log_likelihood"] == found[4]["log_likelihood"]
    assert [{k: v for k, v in row.items() if k not in names} for row in found] == rows(plain.stdout)
    assert f"policy: {run}, beta 32\n" in result.stderr
    assert "4 rows have no log-likelihood; see the column log_likelihood_reason\n" in result.stderr


def test_a_molecule_that_cannot_be_drawn_is_no_failed_row(cli, qed_alone, run):
    options = ("--log-likelihood", "--policy", run, "--strict", *qed_alone)
    assert cli("score", *options, input="CCN\n").exit_code == 0
    assert cli("score", *options, input="nonsense\n").exit_code == 4


def test_what_is_drawn_has_a_likelihood_which_hangs_on_beta(cli, qed_alone, run, tmp_path):
    cli("sample", run, "--n", 20, "-o", tmp_path / "drawn.csv")
    texts = []
    for beta in ("1", "32"):
        options = ("--log-likelihood", "--policy", run, "--beta", beta, *qed_alone)
        result = cli("score", tmp_path / "drawn.csv", *options)
        assert all(float(row["log_likelihood"]) < 0 for row in rows(result.stdout))
        texts.append(result.stdout)
    assert texts[0] != texts[1]
    (tmp_path / "again.csv").write_text(texts[1])
    again = cli("score", tmp_path / "again.csv", *options)
    assert again.stdout == texts[1]
    assert "log_likelihood, n_trees, log_likelihood_reason" in again.stderr


@pytest.mark.parametrize("option", [("--policy", "runs/x"), ("--beta", "8")])
def test_options_of_the_likelihood_need_it(cli, qed_alone, option):
    result = cli("score", *option, *qed_alone, input="CC\n")
    assert result.exit_code == 2
    assert f"{option[0]} says whose likelihood; add --log-likelihood" in result.stderr
