"""The same molecules in every format that people keep them in."""

import gzip
import io
import random
import sys
import zipfile

import openpyxl
import pytest
from rdkit import Chem

from molgfn.errors import InputError, MissingPackageError, MolgfnError, TableError
from molgfn.machine import unpacking
from molgfn.tables import opened_molecule_table, read_molecule_table

COLUMNS = ["id", "SMILES", "pIC50", "note"]
ROWS = [
    ["007", "CCO", "5,31", "plain"],
    ["1E5", "c1ccccc1", "6.2", "x" * 200_000],
    ["12345678901234567890", "CC(N)=O", "", 'a "quote"; a, b'],
    ["=1+2", "C", "1.234,5", "µM"],
    ["TRUE", "CC", "NA", ""],
]


def separated(separator, end="\n"):
    def cell(text):
        special = any(c in text for c in f'{separator}"')
        return '"{}"'.format(text.replace('"', '""')) if special else text

    return "".join(separator.join(map(cell, row)) + end for row in (COLUMNS, *ROWS))


def workbook(rows, title="Sheet1", more=()):
    book = openpyxl.Workbook()
    book.active.title = title
    for name, sheet_rows in ((title, rows), *more):
        sheet = book[name] if name in book.sheetnames else book.create_sheet(name)
        for i, row in enumerate(sheet_rows, 1):
            for j, value in enumerate(row, 1):
                cell = sheet.cell(i, j, value)
                if isinstance(value, str) and value.startswith("="):
                    cell.data_type = "s"
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def sdf():
    records = []
    for row in ROWS:
        block = Chem.MolToMolBlock(Chem.MolFromSmiles(row[1]))
        fields = zip(COLUMNS, row, strict=True)
        records.append(
            block + "".join(f">  <{n}>  (1)\n{t}\n\n" for n, t in fields if n != "SMILES" and t)
        )
    return "$$$$\n".join([*records, ""])


FILES = {
    "comma.csv": separated(","),
    "excel.csv": "\ufeff" + separated(";", "\r\n"),
    "told.csv": "sep=;\r\n" + separated(";", "\r\n"),
    "told_too.csv": '\ufeff"sep=\t"\r\n' + separated("\t", "\r\n"),
    "tabs.tsv": separated("\t"),
    "tabs.csv": separated("\t"),
    "commas.tsv": separated(","),
    "clipboard.txt": separated("\t", "\r"),
    "no_suffix": separated(";"),
    "UPPER.CSV": separated(";"),
    "blank.csv": "\n\n" + separated(",") + "\n\n",
    "beside.csv": separated(";").replace("\n", ";;;\n"),
    "book.xlsx": workbook([COLUMNS, *([cell[:30_000] for cell in row] for row in ROWS)]),
    "molecules.sdf": sdf(),
    "molecules.sd": sdf().replace("\n", "\r\n"),
}


def write(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def as_text(table):
    return [[row[c] for c in COLUMNS] for row in table.frame.to_dict("records")]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_every_cell_as_it_stands(tmp_path, monkeypatch, name, packed):
    data = FILES[name] if isinstance(FILES[name], bytes) else FILES[name].encode()
    if packed:
        name, data = f"{name}.gz", gzip.compress(data, mtime=0)
    path = write(tmp_path, name, data)
    table = read_molecule_table(path)
    # Excel has no longer cells.
    rows = [[c[:30_000] for c in row] for row in ROWS] if "xlsx" in name else ROWS
    assert as_text(table) == rows
    assert table.smiles_column == "SMILES"
    with opened_molecule_table(path) as streamed:
        assert (len(streamed), list(streamed.smiles)) == (5, [row[1] for row in ROWS])
        assert [len(block) for block in streamed.blocks(2)] == [2, 2, 1]
    # Through a pipe nothing has a name.
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert as_text(read_molecule_table("-")) == rows


def test_what_comes_through_a_pipe_may_be_larger_than_memory_is_kept_for(tmp_path, monkeypatch):
    monkeypatch.setattr("molgfn.tables.source._SPOOLED_BYTES", 10)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(FILES["comma.csv"].encode())))
    assert as_text(read_molecule_table("-")) == ROWS


def test_numbers_of_a_workbook_are_written_as_short_as_can_be(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["SMILES", "id", "x", "ok", None, "when"], ["CC", 7, 0.1, True], [], ["C", 1e5, 3]):
        sheet.append(row)
    sheet["B2"].number_format = "00000"
    sheet["F2"] = __import__("datetime").datetime(2026, 5, 4)
    path = tmp_path / "book.xlsx"
    book.save(path)
    table = read_molecule_table(path)
    assert table.columns == ["SMILES", "id", "x", "ok", "", "when"]
    assert table.frame.to_numpy().tolist() == [
        ["CC", "00007", "0.1", "TRUE", "", "2026-05-04"],
        ["C", "100000", "3", "", "", ""],
    ]


def test_the_sheet_with_the_molecules_is_read(tmp_path):
    more = [("Info", [["by", "me"]])]
    path = write(tmp_path, "a.xlsx", workbook([["Smiles"], ["CC"]], "Data", more))
    assert read_molecule_table(path).smiles == ["CC"]
    more = [("Second", [["SMILES"], ["C"]])]
    path = write(tmp_path, "b.xlsx", workbook([["Smiles"], ["CC"]], "First", more))
    with pytest.raises(TableError, match="the sheets First, Second have SMILES; save the one"):
        read_molecule_table(path)


def test_a_workbook_without_openpyxl_names_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    path = write(tmp_path, "a.xlsx", FILES["book.xlsx"])
    with pytest.raises(MissingPackageError, match=r"pip install 'molgfn\[xlsx\]'.*or save.*CSV"):
        read_molecule_table(path)


def test_records_of_an_sd_file_that_differ(tmp_path):
    block = Chem.MolToMolBlock(Chem.MolFromSmiles("C[C@H](N)O"))
    bad = block.replace(" N ", " F ")
    text = (
        f"first{block}> <name>\nown\n\n> <SMILES>\nold\n\n$$$$\n"
        f"second{bad}> <more>\ntwo\nlines\n\n$$$$\n"
        "third\nbroken\n\nnothing\nM  END\n> <more>\nx\n\n$$$$\n\n"
    )
    table = read_molecule_table(write(tmp_path, "a.sdf", text))
    assert table.columns == ["SMILES_2", "name_2", "name", "SMILES", "more"]
    first, second, third = table.frame.to_numpy().tolist()
    assert Chem.CanonSmiles(first[0]) == Chem.CanonSmiles("C[C@H](N)O")
    assert first[1:] == ["first", "own", "old", ""]
    assert "F" in second[0]
    assert second[1:] == ["second", "", "", "two\nlines"]
    assert third == ["", "third", "", "", "x"]
    assert table.smiles_column == "SMILES_2"
    assert read_molecule_table(tmp_path / "a.sdf", "SMILES").smiles == ["old", "", ""]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.mol2", "SMILES\nC\n", "files ending in .mol2 are not read; expected .csv, .tsv"),
        ("a.xls", b"\xd0\xcf\x11\xe0", "files ending in .xls are not read"),
        ("a.parquet.gz", "SMILES\nC\n", "files ending in .parquet are not read"),
        ("a.json", "[]", "rename it or convert it"),
        ("a.xlsx", "SMILES\nC\n", "no Excel workbook of today"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0", "with a password; save it anew"),
        ("a.xlsx", FILES["book.xlsx"][:2000], "the Excel workbook is damaged"),
        ("a.xlsx", workbook([]), "a.xlsx is empty; expected a sheet with a SMILES column"),
        ("a.xlsx", workbook([["id"], ["1"]]), "no SMILES column; its columns: id"),
        ("a.xlsx", workbook([["SMILES", "x", "x"]]), "the column 'x' stands twice"),
        ("a.xlsx", workbook([["SMILES"], ["C"], ["C", "1"]]), "row 3: 2 cells where the header"),
        ("a.csv", FILES["book.xlsx"], "a zip archive or an Excel workbook under a name"),
        ("a.csv", "id;SMILES\n1;C\n1;C;2\n", "line 3: 3 fields where the header has 2; a field"),
        ("a.csv", "sep=;\nid;SMILES\n1;C;2\n", "line 3: 3 fields"),
        ("a.csv", "id;structure\n1;C\n", "no SMILES column; its columns: id, structure"),
        ("a.csv", "SMILES;x;;\nC;1;;2\n", "line 2: 4 fields where the header has 2"),
        ("a.sdf", " \n\n", "a.sdf is empty"),
    ],
)
def test_what_is_refused_says_why(tmp_path, name, data, message):
    with pytest.raises(TableError) as caught:
        read_molecule_table(write(tmp_path, name, data))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["bomb.csv.gz", "bomb.smi.gz", "bomb.sdf.gz", "bomb.xlsx"])
def test_what_unpacks_to_far_more_than_data_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.setattr(unpacking, "HARMLESS_BYTES", 2**20)
    if name.endswith(".gz"):
        data = gzip.compress(b"SMILES\n" + (b"C" * 999 + b"\n") * 2**12, mtime=0)
    else:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/workbook.xml", b" " * 2**22)
        data = buffer.getvalue()
    with pytest.raises(InputError, match="which no data do; unpack it by yourself"):
        read_molecule_table(write(tmp_path, name, data))


def test_a_line_without_end_is_read_no_further_than_lines_go(tmp_path, monkeypatch):
    monkeypatch.setattr("molgfn.tables.source._MAX_LINE_BYTES", 2**20)
    path = write(tmp_path, "a.smi", "C\n" + "C " * 2**20)
    with pytest.raises(TableError, match="a.smi line 2: longer than 1 MiB; expected a table"):
        read_molecule_table(path)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    "name", ["excel.csv", "tabs.tsv", "book.xlsx", "molecules.sdf", "a.csv.gz"]
)
def test_damage_is_named_or_harmless(tmp_path, name, seed):
    rng = random.Random(f"{name} {seed}")
    data = FILES.get(name, gzip.compress(separated(",").encode(), mtime=0))
    damaged = bytearray(data if isinstance(data, bytes) else data.encode())
    for _ in range(rng.choice([1, 3, 30])):
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
    del damaged[rng.choice([len(damaged), rng.randrange(len(damaged))]) :]
    error = ""
    try:
        read_molecule_table(write(tmp_path, name, bytes(damaged)))
    except MolgfnError as caught:
        error = str(caught)
    assert not error or (name in error and "\n" not in error)
