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
    for name in ("Score", "QED", ""):
        result = cli(
            "proxy", "fit", data, "--target-column", "pIC50", "--target-name", name, "-o", out
        )
        assert result.exit_code == 3
        assert f"cannot be called {name!r}; give --target-name" in result.stderr
    factor = "{scorer: 'command: cat', transform: identity, name: Score}"
    result = cli("score", "--set", f"reward.factors=[{factor}]", input="CC\n")
    assert result.exit_code == 3
    assert "cannot be called 'Score'; give it another name" in result.stderr
