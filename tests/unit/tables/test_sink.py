import gzip
import io
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from molgfn.errors import OutputError
from molgfn.tables import ReaderGone, csv_sink

ROWS = pd.DataFrame({"SMILES": ["CC", "C"], "Score": [1 / 3, np.nan], "n": [1, 2]})
TEXT = "SMILES,Score,n\nCC,0.333333,1\nC,,2\n"


def test_the_header_is_written_once_and_numbers_with_six_digits(tmp_path):
    path = tmp_path / "out.csv"
    with csv_sink(path) as sink:
        sink.write(ROWS)
        sink.write(ROWS)
        assert sink.n_rows == 4
        assert not path.exists()
    assert path.read_bytes() == (TEXT + "CC,0.333333,1\nC,,2\n").encode()
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]


def test_standard_output(capfdbinary):
    for path in (None, Path("-")):
        with csv_sink(path) as sink:
            sink.write(ROWS)
        assert capfdbinary.readouterr().out == TEXT.encode()


def test_a_table_without_rows_keeps_its_header(tmp_path):
    with csv_sink(tmp_path / "out.csv") as sink:
        sink.write(ROWS.iloc[:0])
    assert (tmp_path / "out.csv").read_text() == "SMILES,Score,n\n"


def test_equal_tables_are_equal_compressed_files(tmp_path):
    contents = []
    for name in ("a.csv.gz", "b.csv.gz"):
        with csv_sink(tmp_path / name) as sink:
            sink.write(ROWS)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    assert gzip.decompress(contents[0]) == TEXT.encode()


def test_an_interruption_as_the_file_appears_leaves_nothing_behind(tmp_path, monkeypatch):
    opened = Path.open

    def interrupted(path, mode):
        opened(path, mode).close()
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "open", interrupted)
    with pytest.raises(KeyboardInterrupt), csv_sink(tmp_path / "out.csv"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")

    def fail():
        with csv_sink(path) as sink:
            sink.write(ROWS)
            raise KeyError("x")

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "out.csv"
    target.write_text("old")
    (tmp_path / "link.csv").symlink_to(target)
    with csv_sink(tmp_path / "link.csv") as sink:
        sink.write(ROWS)
    assert (tmp_path / "link.csv").is_symlink()
    assert target.read_text() == TEXT


def test_the_permissions_are_those_of_a_new_file(tmp_path):
    (tmp_path / "plain").touch()
    with csv_sink(tmp_path / "out.csv") as sink:
        sink.write(ROWS)
    assert (tmp_path / "out.csv").stat().st_mode == (tmp_path / "plain").stat().st_mode


def open_and_write(path):
    with csv_sink(path) as sink:
        sink.write(ROWS)


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "none" / "out.csv", tmp_path / "file" / "out.csv"):
        with pytest.raises(OutputError, match="cannot write"):
            open_and_write(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        open_and_write(tmp_path / "out.csv")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_device():
    with pytest.raises(OutputError, match="cannot write /dev/full: No space left"):
        open_and_write(Path("/dev/full"))
    assert Path("/dev/full").is_char_device()


def test_a_closed_pipe_is_a_signal_of_its_own(monkeypatch):
    class Closed(io.BytesIO):
        def flush(self):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", type("Stdout", (), {"buffer": Closed()}))
    with pytest.raises(ReaderGone):
        open_and_write(None)


@pytest.mark.parametrize("name", ["a.csv", "a.CSV.GZ", "a.txt", "a"])
def test_a_name_that_promises_nothing_else(tmp_path, name):
    open_and_write(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    assert (gzip.decompress(data) if name.endswith("GZ") else data) == TEXT.encode()


@pytest.mark.parametrize("name", ["a.xlsx", "a.tsv", "a.smi", "a.sdf.gz", "a.csv.tmp"])
def test_a_name_that_promises_another_format(tmp_path, name):
    with pytest.raises(OutputError, match=r"tables are CSV; give a name that ends in .csv or"):
        open_and_write(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_columns_that_change_are_a_mistake_of_the_caller(tmp_path):
    with csv_sink(tmp_path / "out.csv") as sink:
        sink.write(ROWS)
        with pytest.raises(ValueError, match="differ"):
            sink.write(ROWS[["SMILES"]])
