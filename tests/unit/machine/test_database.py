import os
import sqlite3

import pytest

import molgfn.machine.database as module
from molgfn.errors import CheckpointError, OutputError
from molgfn.machine.database import Database, row_digest

SCHEMA = "CREATE TABLE IF NOT EXISTS t (a TEXT PRIMARY KEY, b REAL)"


def no_upgrade(connection):
    raise AssertionError("nothing to upgrade")


def open_it(path, version=2, upgrade=no_upgrade):
    return Database(
        path,
        "box",
        version=version,
        schema=SCHEMA,
        upgrade=upgrade,
        cure="remove it",
        elsewhere=", or look elsewhere",
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "box.sqlite"


def test_every_commit_waits_for_the_disk(path):
    assert open_it(path).fetch("PRAGMA synchronous") == [(2,)]  # FULL


def test_a_file_that_is_only_locked_is_not_to_be_removed(path, monkeypatch):
    open_it(path).close()
    monkeypatch.setattr(module, "_BUSY_TIMEOUT_S", 0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    message = r"the box .* is in use: .* try again when that has ended, or look elsewhere$"
    with pytest.raises(OutputError, match=message):
        open_it(path).execute("INSERT INTO t VALUES ('a', 1)")
    other.close()
    open_it(path).execute("INSERT INTO t VALUES ('a', 1)")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written_is_not_damaged(path):
    open_it(path).close()
    path.chmod(0o400)
    with pytest.raises(OutputError, match="make it writable"):
        open_it(path).execute("INSERT INTO t VALUES ('a', 1)")


def test_a_full_disk_is_told(path):
    database = open_it(path)
    database.execute("PRAGMA max_page_count = 1")
    with pytest.raises(OutputError, match=r"is full; free some space"):
        database.execute("INSERT INTO t VALUES (?, 1)", ["x" * 100_000])


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + b"x" * 5000, b"x" * 5000])
def test_other_content_is_damage_unless_it_is_none(path, content):
    path.write_bytes(content)
    if content:
        with pytest.raises(CheckpointError, match=r"the box .*sqlite is damaged: .*; remove it$"):
            open_it(path)
    else:
        assert open_it(path).fetch("SELECT * FROM t") == []


def test_a_file_of_the_version_before_is_brought_up_to_date_once(path):
    open_it(path, version=1).execute("INSERT INTO t VALUES ('a', 1)")

    def upgrade(connection):
        connection.execute("ALTER TABLE t ADD COLUMN c TEXT")

    open_it(path, upgrade=upgrade).close()
    assert open_it(path).fetch("SELECT * FROM t") == [("a", 1.0, None)]


def test_an_upgrade_that_fails_changes_nothing(path):
    open_it(path, version=1).execute("INSERT INTO t VALUES ('a', 1)")

    def upgrade(connection):
        connection.execute("ALTER TABLE t ADD COLUMN c TEXT")
        raise sqlite3.DatabaseError("a row is odd")

    with pytest.raises(CheckpointError, match="box.sqlite is damaged: a row is odd; remove it"):
        open_it(path, upgrade=upgrade)
    assert open_it(path, version=1).fetch("SELECT * FROM t") == [("a", 1.0)]


def test_rows_without_a_version_are_damage(path):
    database = open_it(path)
    database.execute("INSERT INTO t VALUES ('a', 1)")
    database.execute("PRAGMA user_version = 0")
    database.close()
    with pytest.raises(CheckpointError, match="rows of no known format"):
        open_it(path)


def test_a_row_that_is_gone_is_found_by_the_index(path):
    database = open_it(path)
    for name in "abc":
        database.execute("INSERT INTO t VALUES (?, 1)", [name])
    database.check()
    (page,) = database.fetch("SELECT rootpage FROM sqlite_master WHERE type = 'table'")[0]
    database.close()
    content = bytearray(path.read_bytes())
    n_cells = 4096 * (page - 1) + 3
    assert content[n_cells : n_cells + 2] == b"\0\3"
    content[n_cells + 1] = 2
    path.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match=r"box.sqlite is damaged: .*; remove it"):
        open_it(path).check()


def test_digests_tell_values_and_their_types_apart():
    rows = [["a", "b"], ["ab", ""], ["a", b"b"], [1], [1.0], ["1"], [None], [""], [b""]]
    assert len({row_digest(row) for row in rows}) == len(rows)
    assert row_digest([-0.0]) == row_digest([0.0])
