"""SD files: one row for each record, its title and fields as columns."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rdkit import Chem, rdBase

from molgfn.errors import TableError
from molgfn.tables.layout import Layout, free_name
from molgfn.tables.source import Source

_END = "$$$$"
#: Line above the value of a field, such as ``>  <IC50>  (12)``.
_FIELD = re.compile(r">[^<]*<(.*)>")


def scan_sdf(source: Source) -> Layout:
    """Look through the records of an SD file.

    Returns:
        The molecules as SMILES, titles as ``name`` where there are any, and all fields as they
        stand, in the order in which they first occur. A field called like one of these keeps its
        name, the other gets a number. A record that RDKit cannot read has a SMILES that nothing
        can read either, or an empty one.
    """
    fields: dict[str, None] = {}
    has_titles, n_rows = False, 0
    for record in _records(source):
        n_rows += 1
        has_titles = has_titles or bool(record[0].strip())
        fields.update(dict.fromkeys(_fields(record)))
    if not n_rows:
        raise TableError(f"{source.name} is empty; expected records of an SD file")
    smiles = free_name("SMILES", fields)
    title = [free_name("name", fields)] if has_titles else []

    def rows() -> Iterator[list[str]]:
        for record in _records(source):
            values = _fields(record)
            titles = [record[0].strip()] if has_titles else []
            yield [_smiles(record), *titles, *(values.get(name, "") for name in fields)]

    return Layout([smiles, *title, *fields], n_rows, rows, smiles)


def _records(source: Source) -> Iterator[list[str]]:
    record: list[str] = []
    for line in source.lines():
        text = line.rstrip("\r\n")
        if text.startswith(_END):
            yield record or [""]
            record = []
        else:
            record.append(text)
    if any(line.strip() for line in record):
        yield record


def _fields(record: list[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    name: str | None = None
    for line in record:
        if name is None and line.startswith(">"):
            match = _FIELD.match(line)
            name = match[1].strip() if match else line[1:].strip()
            found.setdefault(name, [])
        elif not line.strip():
            name = None
        elif name is not None:
            found[name].append(line)
    return {name: "\n".join(lines) for name, lines in found.items()}


def _smiles(record: list[str]) -> str:
    """The structure; one that RDKit finds wrong as it is drawn, so that it is refused by name."""
    end = next(
        (i for i, line in enumerate(record) if line.startswith(("M  END", ">"))), len(record)
    )
    block = "\n".join((*record[:end], "M  END"))
    with rdBase.BlockLogs():
        try:
            mol = Chem.MolFromMolBlock(block)
            if mol is None:
                mol = Chem.MolFromMolBlock(block, sanitize=False, strictParsing=False)
            return "" if mol is None else str(Chem.MolToSmiles(mol))
        except (ValueError, RuntimeError):
            return ""
