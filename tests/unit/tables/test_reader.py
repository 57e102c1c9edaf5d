import gzip
import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from molgfn.errors import TableError
from molgfn.tables import csv_sink, read_molecule_table


def write(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.fixture
def stdin(monkeypatch):
    def feed(data):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return feed


def test_every_cell_stays_the_text_it_was(tmp_path):
    path = write(
        tmp_path,
        "a.csv",
        '\ufeffid,Smiles,x\r\n007,CCO,NA\r\nnull,"C,C",1e5\r\n None ,"say ""hi""",\r\n',
    )
    table = read_molecule_table(path)
    assert list(table.frame.columns) == ["id", "Smiles", "x"]
    assert table.smiles_column == "Smiles"
    assert table.frame["id"].tolist() == ["007", "null", " None "]
    assert table.frame["x"].tolist() == ["NA", "1e5", ""]
    assert table.smiles == ["CCO", "C,C", 'say "hi"']
    assert len(table) == 3


def test_old_line_ends_and_line_breaks_inside_quotes(tmp_path):
    assert read_molecule_table(write(tmp_path, "a.csv", "SMILES\rCC\rCCC\r")).smiles == [
        "CC",
        "CCC",
    ]
    table = read_molecule_table(write(tmp_path, "b.csv", 'SMILES,note\nCC,"two\nlines"\n'))
    assert table.frame["note"].tolist() == ["two\nlines"]


def test_a_smiles_file_has_names_and_no_header(tmp_path):
    table = read_molecule_table(write(tmp_path, "a.smi", "CCO ethanol, dry\n\nCC\r\nC\tmethane\n"))
    assert table.smiles == ["CCO", "CC", "C"]
    assert table.frame["name"].tolist() == ["ethanol, dry", "", "methane"]
    plain = read_molecule_table(write(tmp_path, "b.smi", "CCO\nCC\n"))
    assert list(plain.frame.columns) == ["SMILES"]
    headed = read_molecule_table(write(tmp_path, "c.smi", "smiles zinc_id\nCCO 1\n"))
    assert headed.smiles == ["CCO"]


@pytest.mark.parametrize("suffix", [".csv.gz", ".smi.gz", ".gz", ".csv"])
def test_gzip_is_known_by_its_bytes(tmp_path, suffix):
    path = write(tmp_path, f"a{suffix}", gzip.compress(b"SMILES\nCCO\n", mtime=0))
    assert read_molecule_table(path).smiles == ["CCO"]


@pytest.mark.parametrize(
    ("data", "columns", "smiles"),
    [
        (b"SMILES\nCC\n", ["SMILES"], ["CC"]),
        (b"id,smiles\n1,CC\n", ["id", "smiles"], ["CC"]),
        (b"CC\nCCO\n", ["SMILES"], ["CC", "CCO"]),
        (b"CC ethane\n", ["SMILES", "name"], ["CC"]),
        (gzip.compress(b"CC\n", mtime=0), ["SMILES"], ["CC"]),
    ],
)
def test_standard_input_is_csv_or_smiles_lines(stdin, data, columns, smiles):
    stdin(data)
    table = read_molecule_table("-")
    assert list(table.frame.columns) == columns
    assert table.smiles == smiles


def test_the_column_can_be_named(tmp_path):
    path = write(tmp_path, "a.csv", "SMILES,structure\nC,CC\n")
    assert read_molecule_table(path, "structure").smiles == ["CC"]


def test_a_header_alone_is_a_table_without_rows(tmp_path):
    table = read_molecule_table(write(tmp_path, "a.csv", "SMILES,x\n"))
    assert (len(table), table.smiles) == (0, [])


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.csv", "", "a.csv is empty; expected"),
        ("a.csv", "\ufeff \n\r\n", "a.csv is empty; expected"),
        ("a.csv", "id,structure\n1,CC\n", "no SMILES column; its columns: id, structure; name"),
        ("a.csv", "smiles,Smiles\nC,C\n", "several SMILES columns"),
        ("a.csv", "SMILES,x,x\nC,1,2\n", "line 1: the column 'x' stands twice"),
        ("a.csv", "SMILES,x\nC,1\nC,1,2\n", "a.csv line 3: 3 fields where the header has 2"),
        ("a.csv", "SMILES,x\nC\n", "a.csv line 2: 1 fields where the header has 2"),
        ("a.csv", 'SMILES,x\nC,"open\n', "not readable as CSV"),
        ("a.csv", bytes(range(256)), "not UTF-8 text"),
        ("a.csv", b"SMILES\nC\n\xff\n", "a.csv line 3: not UTF-8 text"),
        ("a.csv", "SMILES\nC\0C\n", "a.csv line 2: binary data"),
        ("a.smi", bytes([0, 1, 2]), "a.smi line 1: binary data"),
        ("a.csv", "SMILES\nC\n".encode("utf-16"), "not UTF-8 text"),
        (
            "a.csv.gz",
            gzip.compress(b"SMILES\n" + b"C\n" * 999, mtime=0)[:-9],
            "damaged or cut short",
        ),
    ],
)
def test_an_unusable_file_is_one_line_with_file_and_place(tmp_path, name, data, message):
    with pytest.raises(TableError) as caught:
        read_molecule_table(write(tmp_path, name, data))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_directories_and_columns(tmp_path):
    with pytest.raises(TableError, match="none.csv: no such file"):
        read_molecule_table(tmp_path / "none.csv")
    with pytest.raises(TableError, match="cannot be read"):
        read_molecule_table(tmp_path)
    with pytest.raises(TableError, match="did you mean structure"):
        read_molecule_table(write(tmp_path, "a.csv", "structure,x\nC,1\n"), "Structures")


cells = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@given(rows=st.lists(st.tuples(cells, cells), max_size=5))
def test_any_text_written_by_the_sink_reads_back(rows, tmp_path_factory):
    import pandas as pd

    path = tmp_path_factory.getbasetemp() / "any.csv"
    frame = pd.DataFrame(rows, columns=["SMILES", "note"], dtype=str)
    with csv_sink(path) as sink:
        sink.write(frame)
    read = read_molecule_table(path).frame
    assert read.to_numpy().tolist() == frame.to_numpy().tolist()
