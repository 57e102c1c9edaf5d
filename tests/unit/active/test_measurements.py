import math

import pandas as pd
import pytest

from molgfn.active.answer import Answer
from molgfn.active.measurements import merge, read_measurements
from molgfn.errors import TableError
from molgfn.tables.reader import Table


def table(cells, **columns):
    n = len(cells)
    smiles = columns.pop("SMILES", [f"{'C' * (i + 1)}O" for i in range(n)])
    frame = pd.DataFrame({"SMILES": smiles, "IC50": cells, **columns}, dtype=str)
    return Table(frame, "SMILES", "assay.csv")


def read(*cells, unit="", **columns):
    return [m.answer for m in read_measurements(table(list(cells), **columns), "IC50", unit)]


@pytest.mark.parametrize(
    ("cell", "unit", "value", "relation"),
    [
        ("5", "", 5.0, "="),
        (" -1.5e-3 ", "", -0.0015, "="),
        ("> 50 µM", "uM", 50.0, ">"),
        (">=50", "uM", 50.0, ">"),
        ("≤ 3 μM", "µM", 3.0, "<"),
        ("~7", "", 7.0, "="),
        ("120 nM", "uM", 0.12, "="),
        ("0.2 mM", "uM", 200.0, "="),
        ("3 uM", "M", 3e-6, "="),
        (".5 %", "%", 0.5, "="),
    ],
)
def test_values_bounds_and_units(cell, unit, value, relation):
    (answer,) = read(cell, unit=unit)
    assert answer == Answer(value, "ok", "", 0.0, relation)


@pytest.mark.parametrize("cell", ["failed", "N/A", "nd", "Insoluble", "-"])
def test_a_word_of_failure_is_one(cell):
    (answer,) = read(cell)
    assert math.isnan(answer.value)
    assert (answer.status, answer.reason) == ("failed", cell)


def test_a_status_of_failure_has_the_reason_beside_it():
    failed, good = read(
        "", "4", status=["failed", "ok"], reason=["precipitated", ""], SMILES=["CO", "CCO"]
    )
    assert (failed.status, failed.reason) == ("failed", "precipitated")
    assert good.value == 4.0


def test_an_empty_cell_says_nothing():
    assert [a.value for a in read("", "1", "")] == [1.0]


def test_repeats_come_together_whatever_their_spelling():
    found = read_measurements(
        table(["1", "9", "4"], SMILES=["OCC", "CC(=O)[O-].[Na+]", "CCO"]), "IC50"
    )
    assert [(m.molecule.smiles, m.answer.value, m.rows) for m in found] == [
        ("CCO", 2.5, (1, 3)),
        ("CC(=O)O", 9.0, (2,)),
    ]


def bound(relation, value):
    return Answer(value, "ok", "", 0.0, relation)


@pytest.mark.parametrize(
    ("answers", "value", "relation"),
    [
        ([bound(">", 50.0), bound("=", 60.0), bound("=", 62.0)], 61.0, "="),
        ([bound(">", 10.0), bound(">", 50.0)], 50.0, ">"),
        ([bound("<", 10.0), bound("<", 5.0), bound(">", 1.0)], 5.0, "<"),
        ([Answer.failed("no"), bound("<", 5.0)], 5.0, "<"),
    ],
)
def test_repeats_are_merged(answers, value, relation):
    merged = merge(answers)
    assert (merged.value, merged.relation, merged.status) == (value, relation, "ok")


def test_only_failures_stay_a_failure():
    assert merge([Answer.failed("first"), Answer.failed("second")]).reason == "first"


@pytest.mark.parametrize(
    ("cell", "unit", "message"),
    [
        ("five", "", "row 2: IC50: 'five' is no value"),
        ("5 uM", "", "row 2: IC50: the unit 'uM' is not the one expected, none"),
        ("5 %", "uM", "row 2: IC50: the unit '%' is not the one expected, uM"),
        ("1e999", "", "row 2: IC50: '1e999' is not a finite number"),
    ],
)
def test_what_cannot_be_understood_names_its_row(cell, unit, message):
    with pytest.raises(TableError, match=r"^assay.csv ") as caught:
        read("1", cell, unit=unit)
    assert message in str(caught.value)


def test_an_unreadable_molecule_names_its_row():
    with pytest.raises(TableError, match="row 2: IC50: RDKit cannot read"):
        read("1", "2", SMILES=["CCO", "C1CC"])


def test_a_missing_column_is_named_with_the_nearest():
    with pytest.raises(TableError, match="no column 'IC5'.*did you mean IC50"):
        read_measurements(table(["1"]), "IC5")
