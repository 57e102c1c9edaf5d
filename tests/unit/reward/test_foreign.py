"""A user's Python: whatever it returns or raises is read rightly, or refused by name."""

import itertools
import sys
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from molgfn.chem.molecule import Molecule, read_molecule
from molgfn.config.reward_schema import FactorConfig
from molgfn.errors import ConfigError, ScorerError
from molgfn.reward.scorers import ColumnScorer, FunctionScorer, find_scorer

MOLECULES: list[Molecule] = [read_molecule(smiles) for smiles in ("CC", "CCO", "CCN")]


def score(returned):
    """Scores by a function that returns this, and by a scorer with columns that does."""
    scores = FunctionScorer("mine", lambda smiles: returned)(MOLECULES)
    own = SimpleNamespace(values={"x": returned, "more": [1]}, reasons=["", "", ""])
    with_columns = ColumnScorer("mine", columns(lambda molecules: own))(MOLECULES)
    (only,), (own_numbers,) = (vars(s)["values"].values() for s in (scores, with_columns))
    assert np.array_equal(own_numbers, only, equal_nan=True)
    assert with_columns.reasons == scores.reasons
    return only, scores.reasons


def columns(call, names=("x",)):
    class Own:
        columns = names

        def __call__(self, molecules):
            return call(molecules)

    return Own()


@pytest.mark.parametrize(
    "returned",
    [
        [1, 2.0, True + 2],
        (np.float32(1), np.int64(2), Decimal(3)),
        np.array([1, 2, 3]),
        np.array([1, 2, 3], dtype=object),
        torch.tensor([1.0, 2.0, 3.0]),
        pd.Series([1, 2, 3]),
        pd.Series([1, 2, 3], index=["CC", "CCO", "CCN"]),
        # In another order, by their keys.
        pd.Series([3, 1, 2], index=[2, 0, 1]),
        {"CCN": 3, "CC": 1, "CCO": 2},
        {2: 3, 0: 1, 1: 2},
        {1: 1, 2: 2, 3: 3}.values(),
    ],
)
def test_numbers_of_every_kind_are_read(returned):
    numbers, reasons = score(returned)
    assert numbers.tolist() == [1.0, 2.0, 3.0]
    assert reasons == ("", "", "")


@pytest.mark.parametrize(
    ("missing", "gave"),
    [
        (None, "no number"),
        (float("nan"), "no number"),
        (pd.NA, "no number"),
        (float("inf"), "inf"),
        (-np.inf, "-inf"),
        (10**400, "inf"),
    ],
)
def test_what_is_no_finite_number_is_missing_with_a_reason(missing, gave):
    numbers, reasons = score([1.0, missing, 3.0])
    assert np.isnan(numbers).tolist() == [False, True, False]
    assert reasons == ("", f"mine gave {gave}", "")


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ([1, 2], "returned 2 numbers for 3 molecules"),
        ([1, 2, 3, 4], "returned 4 numbers for 3 molecules"),
        ([], "returned 0 numbers for 3 molecules"),
        (np.zeros(2), "returned 2 numbers for 3 molecules"),
        (itertools.count(), "returned 4 numbers for 3 molecules"),
        ({"CC": 1, "CCO": 2}, "returned 2 numbers for 3 molecules"),
        ({"CC": 1, "CCO": 2, "OCC": 3}, "returned 3 values with keys, none of them 'CCN'"),
        (pd.Series([1, 2, 3], index=[1, 2, 3]), "3 values with keys, none of them 'CC'"),
        (None, "returned a NoneType"),
        (0.5, "returned a float"),
        ("123", "returned a str"),
        ({1, 2, 3}, "returned a set"),
        (pd.DataFrame({"a": [1, 2, 3]}), "returned a DataFrame"),
        ([1, "0.5", 3], "returned '0.5' for molecule 2, CCO; it must return a number"),
        ([1, "x" * 500, 3], "returned 'xxx"),
        ([1, [2], 3], "returned a list for molecule 2"),
        (np.zeros((3, 1)), "returned a ndarray for molecule 1"),
        ([1, 2 + 1j, 3], r"returned \(2\+1j\) for molecule 2"),
        ([1, np.complex64(2), 3], "returned a complex64 for molecule 2"),
        (np.array(["1", "2", "3"]), "for molecule 1, CC"),
    ],
)
def test_what_is_not_one_number_each_is_refused(returned, message):
    with pytest.raises(ScorerError, match=f"^scorer 'mine' .*{message}") as caught:
        score(returned)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("fault", [KeyError("k"), SystemExit(0), RuntimeError("a\nb" * 1000)])
def test_what_it_raises_is_told_on_one_line(fault):
    def fails(_):
        raise fault

    for scorer in (FunctionScorer("mine", fails), ColumnScorer("mine", columns(fails))):
        with pytest.raises(ScorerError, match=f"scorer 'mine' raised {type(fault).__name__}") as e:
            scorer(MOLECULES)
        assert "\n" not in str(e.value)
        assert len(str(e.value)) < 500


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ([1, 2, 3], "returned a list; a scorer with columns must return"),
        (pd.DataFrame({"x": [1, 2, 3]}), "returned a DataFrame; a scorer with columns"),
        (SimpleNamespace(values={"y": [1, 2, 3]}, reasons=[""] * 3), "no column 'x', which it"),
        (SimpleNamespace(values={"x": [1, 2, 3]}, reasons=[""]), "1 reasons for 3 molecules"),
    ],
)
def test_a_scorer_with_columns_that_returns_something_else_is_refused(returned, message):
    with pytest.raises(ScorerError, match=message):
        ColumnScorer("mine", columns(lambda _: returned))(MOLECULES)


@pytest.mark.parametrize("names", [(), [1], None])
def test_columns_that_are_no_names_are_refused(names):
    with pytest.raises(ScorerError, match="scorer 'mine'"):
        ColumnScorer("mine", columns(lambda _: None, names))


def test_what_it_prints_is_no_part_of_a_table(capsys, tmp_path, monkeypatch):
    def talks(smiles):
        sys.stdout.write("called\n")
        return [1.0] * len(smiles)

    (tmp_path / "talking.py").write_text("print('loaded')\ndef score(smiles): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    find_scorer(FactorConfig("talking:score", "identity"), lambda: pytest.fail("no proxy"))
    FunctionScorer("talks", talks)([read_molecule("C")])
    assert capsys.readouterr() == ("", "loaded\ncalled\n")


@pytest.mark.parametrize(
    "text", ["import", "1 / 0", "raise SystemExit(3)", "import nowhere_at_all"]
)
def test_a_module_that_cannot_be_loaded_is_told_on_one_line(tmp_path, monkeypatch, text):
    (tmp_path / "users_own.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "users_own", raising=False)
    with pytest.raises(ConfigError, match="cannot import the scorer 'users_own:f'"):
        find_scorer(FactorConfig("users_own:f", "identity"), lambda: pytest.fail("no proxy"))
