import pandas as pd
import pytest

from molgfn.errors import TableError
from molgfn.tables import Table
from molgfn.workflows.select import select_rows

ROWS = {
    "SMILES": ["CCO", "OCC", "c1ccccc1", "oops", "CCCCCCCC", "C1CCNCC1"],
    "Score": ["0.1", "0.9", "0.5", "0.99", "", "nan"],
    "id": list("abcdef"),
}


def select(rows, k=9, distance=0.3, column="Score", **options):
    table = Table(pd.DataFrame(rows, dtype=str), "SMILES", "x.csv")
    return select_rows(table, k, distance, column, **options)


def test_the_best_row_of_each_molecule_comes_best_first():
    selection = select(ROWS, distance=0.0)
    assert selection.frame["id"].tolist() == ["b", "c"]
    assert selection.frame["Score"].tolist() == ["0.9", "0.5"]
    assert (selection.n_candidates, selection.n_unreadable, selection.n_unscored) == (2, 1, 2)
    assert select(ROWS, k=1).frame["id"].tolist() == ["b"]


def test_nothing_to_select_from():
    selection = select({"SMILES": [], "Score": []})
    assert len(selection.frame) == 0
    assert list(selection.frame.columns) == ["SMILES", "Score"]


def test_a_column_that_is_missing_or_no_number():
    with pytest.raises(TableError, match="no column 'Scor' .*did you mean Score"):
        select(ROWS, column="Scor")
    with pytest.raises(TableError, match="x.csv row 1: id must be a number or empty, got 'a'"):
        select(ROWS, column="id")


def test_a_scaffold_gives_no_more_than_its_share():
    smiles = ["c1ccccc1", "Cc1ccccc1C(N)=O", "CCO", "CCCCN", "c1ccc(CO)cc1", "C1CCNCC1"]
    rows = {"SMILES": smiles, "Score": list("987654")}
    capped = select(rows, distance=0.0, max_per_scaffold=1)
    assert capped.frame["Score"].tolist() == list("9764")
    assert (capped.n_candidates, capped.n_over_cap) == (6, 2)
    assert select(rows, distance=0.0, max_per_scaffold=2).frame["Score"].tolist() == list("98764")
    assert select(rows, distance=0.0).n_over_cap == 0


@pytest.mark.parametrize("method", ["greedy", "max_min", "log_det"])
def test_rows_are_read_no_further_than_needed(method, monkeypatch):
    # The best scores come last; they are read in parts of ten rows.
    monkeypatch.setattr("molgfn.workflows.select._ROWS", 10)
    rows = {"SMILES": ["oops"] * 60 + ["C" * n for n in range(1, 61)], "Score": list(range(120))}
    selection = select(rows, k=2, distance=0.0, method=method)
    assert selection.frame["Score"].tolist()[0] == "119"
    assert selection.n_unreadable == 0
    assert selection.n_candidates == (10 if method == "greedy" else 20)
