"""Tables of molecules in and out: CSV and its like, SMILES lines, SD files, Excel workbooks."""

from molgfn.tables.reader import StreamedTable, Table, opened_molecule_table, read_molecule_table
from molgfn.tables.sink import CsvSink, ReaderGone, csv_sink, sdf_sink

__all__ = [
    "CsvSink",
    "ReaderGone",
    "StreamedTable",
    "Table",
    "csv_sink",
    "opened_molecule_table",
    "read_molecule_table",
    "sdf_sink",
]
