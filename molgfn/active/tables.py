"""The tables of the rounds: a batch with its measurements, and a summary of all rounds."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from molgfn.active.directory import RoundDirectory, RoundsDirectory
from molgfn.active.knowledge import learned, learned_name
from molgfn.active.ledger import Row
from molgfn.active.proposal import CLUSTER_DISTANCE
from molgfn.chem.molecule import read_molecule
from molgfn.chem.similarity import mean_pairwise_similarity, morgan_fingerprints, n_circles
from molgfn.config.choices import sign
from molgfn.config.rounds_schema import OracleConfig
from molgfn.machine.sealed import read_sealed, write_sealed
from molgfn.reward.proxy.evaluation import errors
from molgfn.tables.columns import INITIAL_COLUMNS, SUMMARY_COLUMNS, value_column
from molgfn.tables.reader import read_molecule_table
from molgfn.tables.sink import CsvSink, csv_sink

#: Status of a molecule that the laboratory has not measured yet.
PENDING = "pending"
#: Sizes of the sets whose mean measured value the summary tells.
_TOP = (10, 100)


def write_batch(path: Path, frame: pd.DataFrame) -> None:
    """Write a proposal, with its digest beside it.

    Raises:
        OutputError: The file cannot be written.
    """
    buffer = io.BytesIO()
    CsvSink(buffer, str(path)).write(frame)
    write_sealed(path, buffer.getvalue())


def read_batch(path: Path) -> list[dict[str, str]]:
    """Read a proposal back with every cell as text.

    Raises:
        CheckpointError: It is not as it was written.
        TableError: It cannot be read.
    """
    read_sealed(path, "restore it from a copy, or start a new run")
    records = read_molecule_table(path, "SMILES").frame.to_dict("records")
    return [{str(key): str(value) for key, value in record.items()} for record in records]


def write_round(this_round: RoundDirectory, rows: Sequence[Row], column: str) -> None:
    """Write the table of a round: its proposal with what was measured.

    Raises:
        OutputError: The file cannot be written.
    """
    if this_round.batch.exists():
        proposed = pd.DataFrame(read_batch(this_round.batch)[: len(rows)])
    else:
        # No policy proposed these.
        plain = [(r.smiles, r.entry, r.inchikey, read_molecule(r.smiles).scaffold) for r in rows]
        proposed = pd.DataFrame(plain, columns=list(INITIAL_COLUMNS))
    names = [str(c) for c in proposed.columns]
    place = names.index("acquisition") + 1 if "acquisition" in names else 1
    by_entry = {row.entry: row for row in rows}
    found = [by_entry[entry] for entry in proposed["ledger_entry"]]
    measured = {
        column: [row.value for row in found],
        "relation": [row.relation if row.status == "ok" else "" for row in found],
        "status": [row.status or PENDING for row in found],
        "reason": [row.reason for row in found],
    }
    for offset, (name, values) in enumerate(measured.items()):
        proposed.insert(place + offset, name, pd.Series(values))
    with csv_sink(this_round.table) as sink:
        sink.write(proposed)


def write_summary(
    directory: RoundsDirectory, rows: Sequence[Row], column: str, oracle: OracleConfig, last: int
) -> pd.DataFrame:
    """Write one row for each round so far.

    Returns:
        What was written: round, molecules asked and measured, best and mean measured value of the
        batch; best, mean of the top 10 and top 100 of all measured so far (empty while there are
        fewer); diversity (mean pairwise Tanimoto distance) and #Circles of the batch; error of
        the proxy on it, on the scale it learns, and rank correlation; calls paid so far.

    Raises:
        OutputError: The file cannot be written.
    """
    records = []
    for number in range(last + 1):
        so_far = [row for row in rows if row.number <= number]
        batch = [row for row in so_far if row.number == number]
        records.append(
            {"round": number, "asked": len(batch)}
            | _values(batch, so_far, oracle)
            | _spread(batch)
            | _errors(directory.of(number), batch, column, oracle)
            | {"calls": sum(row.paid and row.is_answered for row in so_far)}
        )
    frame = pd.DataFrame(records, columns=list(SUMMARY_COLUMNS))
    with csv_sink(directory.summary) as sink:
        sink.write(frame)
    return frame


def _values(batch: Sequence[Row], so_far: Sequence[Row], oracle: OracleConfig) -> dict[str, float]:
    own, everything = _exact(batch, oracle), _exact(so_far, oracle)
    measures = {
        "measured": sum(row.status == "ok" for row in batch),
        "batch_best": float(own[0]) if len(own) else math.nan,
        "batch_mean": float(own.mean()) if len(own) else math.nan,
        "best": float(everything[0]) if len(everything) else math.nan,
    }
    for k in _TOP:
        enough = len(everything) >= k
        measures[f"top_{k}"] = float(everything[:k].mean()) if enough else math.nan
    return measures


def _exact(rows: Sequence[Row], oracle: OracleConfig) -> NDArray[np.float64]:
    """Uncensored values, best first."""
    exact = [row.value for row in rows if row.status == "ok" and row.relation == "="]
    values = np.array(exact, dtype=np.float64)
    return values[np.argsort(-sign(oracle.direction) * values, kind="stable")]


def _spread(batch: Sequence[Row]) -> dict[str, float]:
    prints = morgan_fingerprints([read_molecule(row.smiles) for row in batch])
    similar = mean_pairwise_similarity(prints) if len(prints) > 1 else math.nan
    return {"diversity": 1.0 - similar, "circles": n_circles(prints, CLUSTER_DISTANCE)}


def _errors(
    this_round: RoundDirectory, batch: Sequence[Row], column: str, oracle: OracleConfig
) -> dict[str, float]:
    """How the proxy that proposed a batch did on it."""
    names = ("proxy_rmse", "proxy_bias", "proxy_spearman")
    if this_round.number == 0:
        return dict.fromkeys(names, math.nan)
    learned_column = value_column(*learned_name(column, oracle))
    predicted = {r["ledger_entry"]: r[learned_column] for r in read_batch(this_round.batch)}
    known = [row for row in batch if row.status == "ok" and row.relation == "="]
    if len(known) < 2:
        return dict.fromkeys(names, math.nan)
    value = learned(np.array([row.value for row in known]), oracle)
    guess = np.array([float(predicted[row.entry]) for row in known])
    found = errors(guess, value)
    return dict(
        zip(names, (found["rmse"], float((guess - value).mean()), found["spearman"]), strict=True)
    )
