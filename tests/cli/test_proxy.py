import json

import pytest

RINGS = ["c1ccccc1", "c1ccncc1", "C1CCCCC1", "c1ccoc1", "c1ccsc1", "C1CCNC1"]


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "assay.csv"
    rows = [f"{'C' * n}{ring},{n + len(ring)}" for ring in RINGS for n in range(1, 7)]
    path.write_text("structure,pIC50\n" + "\n".join([*rows, "C1CC,5", "CCO,"]) + "\n")
    return path


def test_a_proxy_of_ones_own_is_fitted_and_scores(cli, data, tmp_path):
    out = tmp_path / "mine"
    fitted = cli(
        "proxy", "fit", data, "--smiles-column", "structure", "--target-column", "pIC50",
        "-o", out, "--members", "2", "--epochs", "2",
    )  # fmt: skip
    assert fitted.exit_code == 0
    assert fitted.stdout == ""
    assert "row 37: RDKit cannot read 'C1CC'" in fitted.stderr
    assert "row 38: pIC50 is empty; left out" in fitted.stderr
    assert "random forest" in fitted.stderr
    about = json.loads((out / "proxy.json").read_text())
    assert (about["target"], about["unit"], about["members"]) == ("pIC50", "", 2)
    scored = cli(
        "score", "-", "--set", f"reward.proxy={out}", "--set",
        "reward.factors=[{scorer: proxy, transform: sigmoid, low: 4.0, high: 9.0}]",
        input="CCc1ccccc1\n",
    )  # fmt: skip
    assert scored.exit_code == 0
    assert "pIC50" in scored.stdout.splitlines()[0].split(",")


def test_a_proxy_of_docked_energies_has_the_name_of_the_target(cli, data, tmp_path):
    data.write_text(data.read_text().replace("pIC50", "KIT_docked_kcal_mol"))
    column = ("--target-column", "KIT_docked_kcal_mol", "--smiles-column", "structure")
    fitted = cli("proxy", "fit", data, *column, "-o", tmp_path / "mine", "--epochs", "1")
    assert fitted.exit_code == 0, fitted.stderr
    about = json.loads((tmp_path / "mine" / "proxy.json").read_text())
    assert (about["target"], about["unit"]) == ("KIT", "kcal_mol")


def test_a_bad_column_ends_with_3_and_writes_nothing(cli, data, tmp_path):
    out = tmp_path / "mine"
    result = cli(
        "proxy", "fit", data, "--smiles-column", "structure", "--target-column", "ki", "-o", out
    )
    assert result.exit_code == 3
    assert "no column 'ki'" in result.stderr
    assert not out.exists()


def test_a_column_that_would_replace_another_is_refused(cli, data, tmp_path):
    out = tmp_path / "mine"
    for name in ("Score", "QED"):
        result = cli(
            "proxy", "fit", data, "--target-column", "pIC50", "--target-name", name, "-o", out
        )
        assert result.exit_code == 3
        assert f"cannot be called {name!r}; give --target-name" in result.stderr
    factor = "{scorer: 'command: cat', transform: identity, name: Score}"
    result = cli("score", "--set", f"reward.factors=[{factor}]", input="CC\n")
    assert result.exit_code == 3
    assert "cannot be called 'Score'; give it another name" in result.stderr


@pytest.fixture
def fitted(cli, data, tmp_path):
    out = tmp_path / "mine"
    result = cli(
        "proxy", "fit", data, "--smiles-column", "structure", "--target-column", "pIC50",
        "-o", out, "--members", "2", "--epochs", "2",
    )  # fmt: skip
    assert result.exit_code == 0
    return out


def test_a_proxy_is_measured_on_what_its_fit_held_out(cli, fitted, tmp_path):
    plot, rows = tmp_path / "parity.png", tmp_path / "rows.csv"
    result = cli("proxy", "evaluate", fitted, "--plot", plot, "--predictions", rows)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == (
        "molecules,model,n,rmse,r2,spearman,size_residual_r2,size_residual_spearman"
    )
    assert [line.split(",")[:2] for line in lines[1:]] == [
        ["all", "ensemble"],
        ["all", "random_forest"],
        ["all", "heavy_atoms"],
    ]
    assert "errors / std have spread" in result.stderr
    assert "conformal interval of 90%" in result.stderr
    assert "noise floor" not in result.stderr
    assert "CAUTION: 6 test molecules tell little" in result.stderr
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert rows.read_text().startswith("SMILES,source,measured,predicted,std,interval,")


def test_a_proxy_is_measured_on_new_molecules(cli, fitted, tmp_path):
    new = tmp_path / "new.csv"
    rings = ["c1ccc2ccccc2c1", "C1CCOCC1", "c1cn[nH]c1", "C1CC1", "c1cncnc1"]
    rows = [f"{'C' * n}{ring},{n + len(ring)}" for ring in rings for n in range(1, 8)]
    new.write_text("SMILES,pIC50\n" + "\n".join([*rows, "Cc1ccccc1,9", "FC1CC1,> 9"]) + "\n")
    result = cli("proxy", "evaluate", new, "--proxy", fitted, "-o", tmp_path / "out.csv")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "left out: 1 molecules the proxy learned from" in result.stderr
    assert "left out: 1 bounds, which cannot test" in result.stderr
    assert ",35," in (tmp_path / "out.csv").read_text().splitlines()[1]


def test_too_few_new_molecules_end_with_3(cli, fitted, data):
    result = cli(
        "proxy", "evaluate", data, "--proxy", fitted, "--smiles-column", "structure"
    )  # fmt: skip
    assert result.exit_code == 3
    assert "0 molecules that the proxy did not learn from" in result.stderr


def test_columns_without_data_are_a_usage_error(cli, fitted):
    assert cli("proxy", "evaluate", fitted, "--target-column", "x").exit_code == 2


def test_a_proxy_without_test_molecules_says_what_to_do(cli, fitted):
    (fitted / "held_out.csv.gz").unlink()
    result = cli("proxy", "evaluate", fitted)
    assert result.exit_code == 3
    assert "give measured molecules to test it on" in result.stderr
