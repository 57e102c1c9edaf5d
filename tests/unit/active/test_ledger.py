import math
import os
import signal
import sqlite3
import struct
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from molgfn.active.answer import Answer
from molgfn.active.ledger import Ledger, Planned, Row
from molgfn.errors import CheckpointError
from molgfn.machine.remembered import Calls
from molgfn.tables.columns import LEDGER_COLUMNS

ETHANOL = Planned("02-0000", 2, "CCO", "LFQSCWFLJHTTHZ-UHFFFAOYSA-N")
METHANE = Planned("02-0001", 2, "C", "VNWKTOKETHGBQD-UHFFFAOYSA-N")


def answered(value=-7.25):
    return Answer(value, "ok", "", 1.5)


def test_what_is_planned_is_there_without_an_answer(ledger):
    ledger.plan([METHANE, ETHANOL], "me@here molgfn rounds")
    first, second = ledger.rows()
    assert (first.entry, first.number, first.smiles) == ("02-0000", 2, "CCO")
    assert (first.inchikey, first.asked_by) == (ETHANOL.inchikey, "me@here molgfn rounds")
    assert (first.paid, first.tries, first.asked, first.finished) == (True, 0, "", "")
    assert math.isnan(first.value)
    assert (first.status, first.reason, first.n_repeats) == ("", "", 0)
    assert second.entry == "02-0001"
    assert ledger.unanswered(2) == [first, second]
    assert ledger.unanswered(1) == ledger.rows(1) == []
    assert ledger.known() == {"CCO": "02-0000", "C": "02-0001"}


def test_planning_again_changes_nothing(ledger):
    ledger.plan([ETHANOL, METHANE], "me")
    ledger.finish("02-0001", answered())
    before = ledger.rows()
    ledger.plan([ETHANOL, METHANE], "you")
    assert repr(ledger.rows()) == repr(before)  # NaN is not equal to itself


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Planned("02-0000", 2, "CCN", "x"), "CCN, now entry 02-0000, is CCO there"),
        (Planned("03-0000", 3, "CCO", "x"), "CCO, now entry 03-0000, is entry 02-0000 there"),
    ],
)
def test_a_conflict_is_refused_as_a_whole(ledger, other, message):
    ledger.plan([ETHANOL], "me")
    with pytest.raises(CheckpointError, match=message):
        ledger.plan([METHANE, other], "me")
    assert ledger.known() == {"CCO": "02-0000"}


def test_an_answer_is_entered_once_and_amended_later(ledger):
    ledger.plan([ETHANOL], "me")
    with pytest.raises(ValueError, match="has no answer yet"):
        ledger.amend("02-0000", answered())
    ledger.started(["02-0000"])
    ledger.started(["02-0000"])
    ledger.finish("02-0000", answered())
    (row,) = ledger.rows(2)
    assert (row.tries, row.value, row.status, row.cost_s, row.n_repeats) == (2, -7.25, "ok", 1.5, 1)
    assert row.asked.endswith("+00:00")
    assert row.finished.endswith("+00:00")
    assert ledger.unanswered(2) == []
    with pytest.raises(ValueError, match="'02-0000' has an answer; amend it"):
        ledger.finish("02-0000", answered())
    ledger.amend("02-0000", Answer(50.0, "ok", "", 0.0, ">"), n_repeats=3)
    (row,) = ledger.rows()
    assert (row.value, row.relation, row.n_repeats) == (50.0, ">", 3)


def test_a_failure_is_an_answer_without_a_value(ledger):
    ledger.plan([ETHANOL], "me")
    ledger.finish("02-0000", Answer.failed("it burned", 3.0))
    (row,) = ledger.rows()
    assert row.is_answered
    assert math.isnan(row.value)
    assert (row.status, row.reason, row.cost_s) == ("failed", "it burned", 3.0)


@pytest.mark.parametrize("method", ["finish", "amend", "started"])
def test_an_unknown_entry_is_a_mistake_of_the_caller(ledger, method):
    arguments = [["09-0000"]] if method == "started" else ["09-0000", answered()]
    with pytest.raises(ValueError, match="'09-0000' is not in the ledger"):
        getattr(ledger, method)(*arguments)


def test_what_the_user_brought_is_not_paid(ledger):
    ledger.plan([Planned("00-0000", 0, "CC", "x")], "initial.csv", paid=False)
    ledger.plan([ETHANOL, METHANE], "me")
    ledger.finish("00-0000", answered())
    assert (ledger.calls(), ledger.n_planned_paid()) == (Calls(0, known=1), 2)
    ledger.finish("02-0000", Answer.failed("no"))
    assert (ledger.calls(), ledger.n_planned_paid()) == (Calls(1, known=1), 2)


@given(value=st.floats(allow_nan=False), cost_s=st.floats(min_value=0, allow_infinity=False))
def test_floats_come_back_as_they_were(value, cost_s):
    with Ledger(Path(":memory:")) as ledger:
        ledger.plan([ETHANOL], "me")
        ledger.finish("02-0000", Answer(value, "ok", "", cost_s))
        (row,) = ledger.rows()
    assert row.value == value
    if value != 0:
        assert struct.pack("d", row.value) == struct.pack("d", value)
    assert row.cost_s == cost_s


def test_several_changes_at_once_are_all_made_or_none(ledger):
    ledger.plan([ETHANOL, METHANE], "me")

    def finish(*entries):
        with ledger.transaction():
            for entry in entries:
                ledger.finish(entry, answered())

    with pytest.raises(ValueError, match="not in the ledger"):
        finish("02-0000", "09-0000")
    assert len(ledger.unanswered(2)) == 2
    finish("02-0000", "02-0001")
    assert ledger.unanswered(2) == []


def test_the_table_has_every_field(ledger):
    ledger.plan([ETHANOL, METHANE], "me")
    frame = ledger.frame()
    assert len(frame.columns) == len(fields(Row))
    assert tuple(frame.columns) == LEDGER_COLUMNS
    assert frame["entry"].tolist() == ["02-0000", "02-0001"]
    assert frame["value"].dtype == float


def test_another_file_and_a_newer_one_are_named(tmp_path):
    (tmp_path / "other").write_text("no database, and long enough to look at " * 50)
    with pytest.raises(CheckpointError, match=r"ledger .*other is damaged: file is not a data"):
        Ledger(tmp_path / "other")
    connection = sqlite3.connect(tmp_path / "newer")
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(CheckpointError, match="written by a newer molgfn"):
        Ledger(tmp_path / "newer")


WRITER = """
import sys
from pathlib import Path
from molgfn.active.answer import Answer
from molgfn.active.ledger import Ledger, Planned
with Ledger(Path(sys.argv[1])) as ledger:
    entries = [Planned(f"00-{i:04d}", 0, "C" * (i + 1), "K") for i in range(1000)]
    ledger.plan(entries, "me")
    for entry in entries:
        ledger.started([entry.entry])
        ledger.finish(entry.entry, Answer(len(entry.smiles) / 3, "ok", "", 0.0))
        print(entry.entry, flush=True)
"""


def test_a_killed_writer_leaves_every_answer_it_told_of(tmp_path):
    path = tmp_path / "ledger.sqlite"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True
    )
    with writer:
        told = [writer.stdout.readline().strip() for _ in range(100)]
        os.kill(writer.pid, signal.SIGKILL)
        told += [line.strip() for line in writer.stdout if line.endswith("\n")]
    with Ledger(path) as ledger:
        rows = {row.entry: row for row in ledger.rows()}
    assert len(rows) == 1000
    assert all(rows[entry].value == len(rows[entry].smiles) / 3 for entry in told)
    assert sum(row.is_answered for row in rows.values()) <= len(told) + 1


OLD_SCHEMA = """
CREATE TABLE asked (
    entry TEXT NOT NULL PRIMARY KEY, round INTEGER NOT NULL, smiles TEXT NOT NULL UNIQUE,
    inchikey TEXT NOT NULL, asked_by TEXT NOT NULL, paid INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, asked TEXT, finished TEXT, value REAL,
    relation TEXT NOT NULL DEFAULT '=', status TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '', cost_s REAL NOT NULL DEFAULT 0,
    n_repeats INTEGER NOT NULL DEFAULT 0
)
"""


@pytest.fixture
def old(tmp_path):
    """A ledger of before, whose rows had no digests."""
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(OLD_SCHEMA)
        columns = "(entry, round, smiles, inchikey, asked_by, paid, finished, value, status)"
        for row in (
            ("02-0000", 2, "CCO", "K", "me", 1, "2026-01-01T00:00:00+00:00", -7.25, "ok"),
            ("02-0001", 2, "C", "L", "me", 1, None, None, ""),
        ):
            connection.execute(f"INSERT INTO asked {columns} VALUES (?,?,?,?,?,?,?,?,?)", row)
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    return path


def change(path, statement):
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_ledger_of_before_gets_digests(old):
    for _ in range(2):
        with Ledger(old) as ledger:
            assert next((r.entry, r.value, r.status) for r in ledger.rows()) == (
                "02-0000",
                -7.25,
                "ok",
            )
            assert [row.entry for row in ledger.unanswered(2)] == ["02-0001"]
    change(old, "UPDATE asked SET value = -9 WHERE entry = '02-0000'")
    with (
        Ledger(old) as ledger,
        pytest.raises(CheckpointError, match=r"old.sqlite is damaged: entry 02-0000 is not as it"),
    ):
        ledger.rows()


@pytest.mark.parametrize(
    "change_to",
    [
        *("value = 'x'", "value = 9e999", "value = NULL", "status = 'good'", "paid = 'x'"),
        *("smiles = x'00'", "finished = x'00'", "relation = '~'", "cost_s = 'x'", "round = 'y'"),
    ],
)
def test_a_row_of_before_that_makes_no_sense_is_refused(old, change_to):
    change(old, f"UPDATE asked SET {change_to} WHERE entry = '02-0000'")
    with pytest.raises(CheckpointError, match=r"old.sqlite is damaged: entry 02-0000 holds what"):
        Ledger(old)


def test_repeats_are_kept_and_a_ledger_of_before_has_none(tmp_path):
    connection = sqlite3.connect(tmp_path / "before")
    connection.execute(
        "CREATE TABLE asked (entry TEXT NOT NULL PRIMARY KEY, round INTEGER NOT NULL,"
        " smiles TEXT NOT NULL UNIQUE, inchikey TEXT NOT NULL, asked_by TEXT NOT NULL,"
        " paid INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0, asked TEXT, finished TEXT,"
        " value REAL, relation TEXT NOT NULL DEFAULT '=', status TEXT NOT NULL DEFAULT '',"
        " reason TEXT NOT NULL DEFAULT '', cost_s REAL NOT NULL DEFAULT 0,"
        " n_repeats INTEGER NOT NULL DEFAULT 0)"
    )
    connection.execute(
        "INSERT INTO asked VALUES ('02-0000', 2, 'CCO', 'key', 'me', 1, 1, 'then', 'later', 2.5,"
        " '>', 'ok', '', 0.0, 2)"
    )
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    for _ in range(2):  # opened again it is what it has become
        with Ledger(tmp_path / "before") as ledger:
            (row,) = ledger.rows()
            assert (row.value, row.relation, row.n_repeats, row.repeats) == (2.5, ">", 2, "")
    with Ledger(tmp_path / "before") as ledger:
        ledger.amend("02-0000", answered(), n_repeats=3, repeats='[[1, "=", "", true]]')
        (row,) = ledger.rows()
        assert (row.value, row.n_repeats, row.repeats) == (-7.25, 3, '[[1, "=", "", true]]')
