"""Tables of molecules in and out: CSV and SMILES files, plain or compressed."""

from molgfn.tables.reader import Table, read_molecule_table
from molgfn.tables.sink import CsvSink, ReaderGone, csv_sink, text_sink

__all__ = ["CsvSink", "ReaderGone", "Table", "csv_sink", "read_molecule_table", "text_sink"]
