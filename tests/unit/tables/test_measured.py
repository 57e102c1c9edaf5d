import math

import pandas as pd
import pytest

from molgfn.errors import TableError
from molgfn.tables.measured import Measured, MeasuredColumn, contradiction, merge


def read(*cells, unit="", log10=False, **columns):
    frame = pd.DataFrame({"IC50": list(cells), **columns}, dtype=str)
    column = MeasuredColumn(frame, "assay.csv", "IC50", unit, log10=log10)
    return [column.read(row) for row in range(len(cells))]


@pytest.mark.parametrize(
    ("cell", "unit", "value", "relation"),
    [
        ("5", "", 5.0, "="),
        (" -1.5e-3 ", "", -0.0015, "="),
        ("−1.5e−3", "", -0.0015, "="),
        ("+2", "", 2.0, "="),
        ("3.", "", 3.0, "="),
        ("007", "", 7.0, "="),
        ("> 50 µM", "uM", 50.0, ">"),
        (">50", "uM", 50.0, ">"),
        (">=50", "uM", 50.0, ">"),
        (">> 50", "uM", 50.0, ">"),
        ("＞50", "uM", 50.0, ">"),
        ("≥ 50", "uM", 50.0, ">"),
        ("≤ 3 μM", "µM", 3.0, "<"),
        ("~7", "", 7.0, "="),
        ("≈ 7", "", 7.0, "="),
        ("ca. 7", "", 7.0, "="),
        ("120 nM", "uM", 0.12, "="),
        ("120nM", "uM", 0.12, "="),
        ("0.2 mM", "uM", 200.0, "="),
        ("3 uM", "M", 3e-6, "="),
        ("3 nmol/L", "uM", 0.003, "="),
        (".5 %", "%", 0.5, "="),
        ("12%", "%", 12.0, "="),
        ("-9.1 kcal/mol", "kcal/mol", -9.1, "="),
        # The error of a value is left out.
        ("35 ± 4", "", 35.0, "="),
        ("35±4 nM", "nM", 35.0, "="),
        ("35.5 +/- 4e-1 nM", "nM", 35.5, "="),
        ("35 (±4) nM", "nM", 35.0, "="),
        # Marks that leave no doubt.
        ("0,5", "", 0.5, "="),
        ("12,25", "", 12.25, "="),
        ("0,500", "", 0.5, "="),
        ("1,5e3", "", 1500.0, "="),
        ("1,200,000", "", 1.2e6, "="),
        ("1,200.5", "", 1200.5, "="),
        ("1.200,5", "", 1200.5, "="),
        ("1.200.000", "", 1.2e6, "="),
        ("1'200", "", 1200.0, "="),
        ("1\u202f200,5", "", 1200.5, "="),
        ("1\u00a0200 nM", "nM", 1200.0, "="),
        ("1.200", "", 1.2, "="),
    ],
)
def test_what_is_written_is_read_rightly(cell, unit, value, relation):
    assert read(cell, unit=unit) == [Measured(value, relation)]


@pytest.mark.parametrize(
    ("cell", "beside", "value"),
    [("1,200", "3.75", 1200.0), ("1,200", "3,75", 1.2), ("1.200", "3.75", 1.2)],
)
def test_the_column_says_what_a_mark_before_three_digits_is(cell, beside, value):
    for cells in ((cell, beside, ""), ("failed", beside, cell)):
        assert value in [one.value for one in read(*cells) if one]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1,200"], "'1,200' may be 1200 or 1.200; write it with a decimal point"),
        (["> 1,200 nM", "5"], "'1,200' may be 1200 or 1.200"),
        (["1.200", "3,75"], "'1.200' may be 1200 or 1.200"),
        (["1,200", "3,75", "3.75"], "'1,200' may be"),
        (["3,75", "3.75"], "'3,75' has a comma where its column has decimal points and decimal"),
        (["1,20,000"], "'1,20,000' is no number"),
        (["1.2.3"], "'1.2.3' is no number"),
        (["1,2,3"], "'1,2,3' is no number"),
        (["1'20"], "is no number"),
    ],
)
def test_a_number_that_may_be_two_is_refused(cells, message):
    with pytest.raises(TableError, match=message):
        read(*cells)


@pytest.mark.parametrize(
    "cell",
    [
        *("inactive", "active", "no inhibition", "five", "maybe", "> max", "#DIV/0!", "?", "inf"),
        *("10-20", "10–20", "1 200", "5*", "(5)", "5 (4)", "35 ± ", "± 4", "1_000", ">"),
        *("1.2×10-3", "<5>", "5;6", "5/6", "٣"),
    ],
)
def test_what_is_no_value_is_refused(cell):
    with pytest.raises(TableError, match="is no value; expected a number, a bound"):
        read(cell)


@pytest.mark.parametrize(
    ("cell", "unit", "message"),
    [
        ("5 uM", "", "the unit 'uM' is not the one expected, none"),
        ("5 %", "uM", "the unit '%' is not the one expected, uM"),
        ("5 nm", "uM", "the unit 'nm' is not the one expected, uM"),
        ("5 to 10", "uM", "the unit 'to 10' is not the one expected"),
        ("0x10", "uM", "the unit 'x10' is not the one expected"),
        ("5 ug/ml", "uM", "the unit 'ug/ml' is not the one expected"),
        ("1e999", "", "'1e999' is not a finite number"),
        ("1e16", "", "'1e16' is beyond 1e.15; use a larger unit"),
    ],
)
def test_another_unit_and_a_value_too_large_are_refused(cell, unit, message):
    with pytest.raises(TableError, match=message):
        read(cell, unit=unit)


@pytest.mark.parametrize("cell", ["0", "-3", "> 0", "0.0 nM"])
def test_what_has_no_logarithm_is_refused_where_logarithms_are_learned(cell):
    with pytest.raises(TableError, match="has no logarithm; rounds.oracle.scale log10 needs"):
        read(cell, unit="nM", log10=True)
    assert read(cell, unit="nM")[0].value <= 0


@pytest.mark.parametrize("cell", ["failed", "N/A", "nd", "ND", "n.d.", "Insoluble", "-", "—"])
def test_a_word_of_failure_is_one(cell):
    (failed,) = read(cell)
    assert math.isnan(failed.value)
    assert failed.reason == cell


@pytest.mark.parametrize("cell", ["", "  ", "NT", "n.t.", "not tested", "pending"])
def test_what_was_not_tried_says_nothing(cell):
    assert read(cell) == [None]


def test_a_status_of_failure_has_the_reason_beside_it():
    failed, good, plain = read(
        *("", "4", "7"), status=["Failed", "ok", "failed"], reason=["precip-\nitated", "", ""]
    )
    assert failed.reason == "precip- itated"
    assert good == Measured(4.0)
    assert plain.reason == "7"


def test_relations_and_units_may_have_columns_of_their_own():
    found = read("5", "7", "> 6", IC50_relation=["'>'", "=", ""])
    assert found == [Measured(5.0, ">"), Measured(7.0), Measured(6.0, ">")]
    # Of the tables of rounds; elsewhere such a column may be about another one.
    assert read("5", relation=[">"], ledger_entry=["01-0001"]) == [Measured(5.0, ">")]
    assert read("5", relation=[">"]) == [Measured(5.0)]
    assert read("5", "7 uM", unit="uM", units=["nM", "nM"]) == [
        Measured(0.005),
        Measured(7.0),
    ]
    for relation, message in (
        ("<", "it is > in its cell and < in its"),
        ("up", "relation is 'up'"),
    ):
        with pytest.raises(TableError, match=message):
            read("> 5", IC50_relation=[relation])


def bound(relation, value):
    return Measured(value, relation)


@pytest.mark.parametrize(
    ("repeats", "merged"),
    [
        ([bound(">", 50.0), bound("=", 60.0), bound("=", 62.0)], bound("=", 61.0)),
        ([bound(">", 10.0), bound(">", 50.0)], bound(">", 50.0)),
        ([bound("<", 10.0), bound("<", 5.0), bound(">", 1.0)], bound("<", 5.0)),
        ([Measured(math.nan, reason="no"), bound("<", 5.0)], bound("<", 5.0)),
        ([bound("=", 1.0), bound("=", 12.0)], bound("=", 6.5)),
    ],
)
def test_repeats_are_merged(repeats, merged):
    assert merge(repeats) == merged


def test_where_logarithms_are_learned_the_mean_is_geometric():
    assert merge([bound("=", 1.0), bound("=", 12.0)], log10=True).value == pytest.approx(12**0.5)
    assert merge([bound("=", 0.1), bound("=", 10.0)], log10=True).value == 1.0
    assert merge([bound("=", 0.3)] * 3, log10=True).value == 0.3


def test_only_failures_stay_the_first_failure():
    repeats = [Measured(math.nan, reason=reason) for reason in ("first", "second")]
    assert merge(repeats).reason == "first"


@pytest.mark.parametrize("more", [[], [bound("=", 30.0)]])
def test_bounds_that_leave_no_value_are_named(more):
    with pytest.raises(TableError, match="> 50 and < 10 contradict each other"):
        merge([bound(">", 50.0), bound("<", 10.0), bound("<", 90.0), *more])


def test_a_mean_that_does_not_keep_a_bound_is_told():
    for repeats, told in (
        ([bound(">", 50.0), bound("=", 42.0)], "its mean 42 contradicts its bound > 50"),
        ([bound("<", 5.0), bound("=", 6.0)], "its mean 6 contradicts its bound < 5"),
        ([bound("<", 5.0), bound(">", 1.0), bound("=", 5.0)], ""),
        ([bound("<", 5.0), bound("<", 4.0)], ""),
    ):
        assert contradiction(repeats, merge(repeats)) == told


def test_a_missing_column_is_named_with_the_nearest():
    with pytest.raises(TableError, match="no column 'IC5'.*did you mean IC50"):
        MeasuredColumn(pd.DataFrame({"IC50": ["1"]}), "assay.csv", "IC5")
