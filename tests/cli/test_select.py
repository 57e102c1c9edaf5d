import csv
import io
import subprocess
from collections import Counter
from itertools import combinations

import pytest

from molgfn.chem.molecule import read_molecule
from molgfn.chem.similarity import morgan_fingerprints, tanimoto_distance

# Chains, rings and amides of many lengths: some alike, some not.
SMILES = [
    *("C" * n + end for n in range(1, 8) for end in ("O", "N", "C(=O)O", "c1ccccc1", "C1CCNCC1")),
    *(f"O=C(N{'C' * n})c1ccc({x})cc1" for n in range(4) for x in ("F", "Cl", "OC", "C#N")),
]
TABLE = "id,SMILES,Score\n" + "".join(
    f"{i},{s},{(i * 37 % 101) / 101:.4f}\n" for i, s in enumerate(SMILES)
)


@pytest.mark.parametrize("distance", [0.0, 0.3, 0.5, 0.8])
def test_every_two_keep_their_distance_and_the_best_come_first(cli, distance):
    result = cli("select", "-", "--top-k", 10, "--min-distance", distance, input=TABLE)
    picked = list(csv.DictReader(io.StringIO(result.stdout)))
    assert result.exit_code == (0 if len(picked) == 10 else 5)
    scores = [float(row["Score"]) for row in picked]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == max(float(line.rsplit(",", 1)[1]) for line in TABLE.splitlines()[1:])
    fingerprints = morgan_fingerprints([read_molecule(row["SMILES"]) for row in picked])
    distances = tanimoto_distance(fingerprints, fingerprints)
    assert all(distances[i, j] >= distance for i, j in combinations(range(len(picked)), 2))
    for row in picked:  # rows come out as they went in
        assert f"{row['id']},{row['SMILES']},{row['Score']}\n" in TABLE


def test_fewer_than_asked_for_are_written_and_exit_with_5(cli, tmp_path):
    output = tmp_path / "out.csv"
    args = ("--top-k", 9, "--min-distance", 0.9, "-o", output)
    result = cli("select", *args, input="SMILES,Score\nCCO,1\nCCCO,0.5\n")
    assert result.exit_code == 5
    assert result.stderr == (
        "molgfn: error: 1 of 9 molecules selected: no further one of the 2 candidates is 0.9 from "
        "all of them; lower --min-distance or --top-k, or give more molecules\n"
    )
    assert output.read_text() == "SMILES,Score\nCCO,1\n"


METHODS = ["greedy", "max_min", "log_det"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_distance_and_cap(cli, method):
    options = ("--method", method, "--min-distance", 0.4, "--max-per-scaffold", 2)
    result = cli("select", "-k", 9, *options, input=TABLE)
    assert result.exit_code == 0
    picked = list(csv.DictReader(io.StringIO(result.stdout)))
    molecules = [read_molecule(row["SMILES"]) for row in picked]
    fingerprints = morgan_fingerprints(molecules)
    distances = tanimoto_distance(fingerprints, fingerprints)
    assert all(distances[i, j] >= 0.4 for i, j in combinations(range(9), 2))
    in_scaffold = Counter(m.scaffold for m in molecules if m.scaffold)
    assert max(in_scaffold.values()) <= 2
    assert float(picked[0]["Score"]) == max(float(row["Score"]) for row in picked)
    assert cli("select", "-k", 9, *options, input=TABLE).stdout == result.stdout


def test_the_methods_differ(cli):
    chosen = {cli("select", "-k", 3, "--method", m, input=TABLE).stdout for m in METHODS}
    assert len(chosen) > 1


def test_a_cap_that_limits_is_named(cli):
    table = "SMILES,Score\nCc1ccccc1,1\nNC(=O)c1ccccc1,0.5\nCCO,0.2\n"
    result = cli("select", "-k", 3, "--max-per-scaffold", 1, input=table)
    assert (result.exit_code, result.stdout) == (5, "SMILES,Score\nCc1ccccc1,1\nCCO,0.2\n")
    assert result.stderr == (
        "molgfn: error: 2 of 3 molecules selected: at most 1 per scaffold leaves out 1 of the 3 "
        "candidates, and no further one is 0.3 from all of them; raise "
        "--max-per-scaffold, lower --min-distance or --top-k, or give more molecules\n"
    )


def test_too_few_molecules_are_named(cli):
    result = cli("select", "-k", 3, input="SMILES,Score\nCCO,1\n")
    assert result.stderr == (
        "molgfn: error: 1 of 3 molecules selected: there are no further candidates; lower --top-k "
        "or give more molecules\n"
    )


def test_help_names_methods_and_cap(cli):
    text = " ".join(cli("select", "--help").stdout.split())
    for word in ("--method", *METHODS, "--max-per-scaffold", "no cap"):
        assert word in text


@pytest.mark.parametrize("option", [("--method", "best"), ("--max-per-scaffold", 0)])
def test_options_that_make_no_sense_are_refused(cli, option):
    result = cli("select", *option, input=TABLE)
    assert result.exit_code == 2
    assert option[0] in result.stderr


def test_bad_rows_are_left_out_with_a_note(cli):
    table = "SMILES,Score\nCCO,1\noops,2\nc1ccccc1,\n"
    result = cli("select", "-k", 1, input=table)
    assert (result.exit_code, result.stdout) == (0, "SMILES,Score\nCCO,1\n")
    assert result.stderr == (
        "left out 2 of 3 rows: 1 without a number in Score, 1 with an unreadable SMILES\n"
    )


def test_another_column_can_decide(cli):
    result = cli("select", "-k", 1, "--score-column", "x", input="SMILES,Score,x\nCC,1,2\nCO,2,1\n")
    assert result.stdout == "SMILES,Score,x\nCC,1,2\n"


def test_show_prints_a_table_on_standard_error(cli):
    table = "SMILES,Score,T_kcal_mol,T_kcal_mol_std\nC[nH]C,0.51234,-7.1,\nc1cc[nH]c1,0.25,-3,0.1\n"
    result = cli("select", "-k", 1, "--show", input=table)
    assert result.stdout.splitlines()[1] == "c1cc[nH]c1,0.25,-3,0.1"
    assert "0.250" in result.stderr
    assert "-3.00" in result.stderr
    assert "c1cc[nH]c1" in result.stderr


def test_show_takes_columns_of_the_user_as_they_are(cli):
    table = "SMILES,Score,QED,MW\nCCO,0.5,high,\n"
    result = cli("select", "-k", 1, "--show", input=table)
    assert result.exit_code == 0
    assert "high" in result.stderr


@pytest.mark.parametrize("separator", [";", "\t"])
def test_scores_of_countries_with_a_decimal_comma(cli, separator):
    table = "SMILES,my score,id\nCCO,1@5,007\nc1ccccc1,12@25,1E5\nC1CCNCC1,0@75,\n"
    table = table.replace(",", separator).replace("@", ",")
    result = cli("select", "-k", 2, "--score-column", "my score", input=table)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == 'SMILES,my score,id\nc1ccccc1,"12,25",1E5\nCCO,"1,5",007\n'


def test_three_decimals_after_a_comma(cli):
    rows = [("CCO", "1,250"), ("c1ccccc1", "12,125"), ("C1CCNCC1", "900,000")]
    text = "".join(";".join(row) + "\n" for row in (("SMILES", "x"), *rows))
    result = cli("select", "-k", 1, "--score-column", "x", input=text)
    assert result.stdout == 'SMILES,x\nC1CCNCC1,"900,000"\n'
    # Where commas separate, they may part thousands as well.
    result = cli("select", "-k", 1, "--score-column", "x", input='SMILES,x\nCCO,"1,250"\n')
    assert result.exit_code == 3
    assert (
        "row 1: x must be a number or empty, got '1,250': '1,250' may be 1250 or" in result.stderr
    )


@pytest.mark.parametrize("command", ["select", "config"])
def test_a_reader_that_goes_away_is_no_fault(start, tmp_path, command):
    path = tmp_path / "big.csv"
    path.write_text(
        "SMILES,Score,note\n" + "".join(f"{'C' * n},1,{'x' * 9999}\n" for n in range(1, 60))
    )
    args = (
        ("select", path, "-k", "59", "--min-distance", "0") if command == "select" else ("config",)
    )
    process = start(*args)
    if command == "select":
        assert process.stdout.readline() == "SMILES,Score,note\n"
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == ""


def test_the_pipe_of_the_readme(start, qed_alone):
    score = start("score", *qed_alone, stdin=subprocess.PIPE)
    select = start("select", "-k", "2", stdin=score.stdout)
    score.stdin.write("CCO\nc1ccccc1C\nCCN\n")
    score.stdin.close()
    out, _ = select.communicate(timeout=120)
    assert select.returncode == 0
    assert len(out.splitlines()) == 3
