import pandas as pd
import pytest

from molgfn.errors import TableError
from molgfn.report.selection import select_rows
from molgfn.tables import Table

ROWS = {
    "SMILES": ["CCO", "OCC", "c1ccccc1", "oops", "CCCCCCCC", "C1CCNCC1"],
    "Score": ["0.1", "0.9", "0.5", "0.99", "", "nan"],
    "id": list("abcdef"),
}


def select(rows, k=9, distance=0.3, column="Score"):
    return select_rows(Table(pd.DataFrame(rows, dtype=str), "SMILES", "x.csv"), k, distance, column)


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
    with pytest.raises(TableError, match="x.csv row 1: id must be a number or empty, came 'a'"):
        select(ROWS, column="id")
