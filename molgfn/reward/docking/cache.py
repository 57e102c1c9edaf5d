"""Docking results on disk, in one SQLite file that all commands share.

A result is written as soon as it is there, so a killed command loses only what was in flight. The
key holds everything that the energy depends on: InChIKey and canonical SMILES (the InChIKey alone
would merge tautomers, which dock differently), target, settings and versions.

Energies are kept, and failures that belong to the molecule. A timeout or a crash may be the fault
of a busy machine: it is not kept, and the next command tries again.
"""

from __future__ import annotations

import math
import sqlite3
import zlib
from dataclasses import dataclass
from pathlib import Path

from molgfn.chem.molecule import Molecule
from molgfn.config.resources import cache_directory
from molgfn.errors import CheckpointError
from molgfn.machine.database import Database, Value, row_digest
from molgfn.reward.docking.result import Docked

_CURE = "remove it, or set MOLGFN_CACHE_DIR to another directory"
_ELSEWHERE = ", or set MOLGFN_CACHE_DIR to another directory"
#: Since version 2 a row has a digest; rows of before are there without one.
_SCHEMA_VERSION = 2
#: Longest pose that is unpacked, bytes; one of a drug has 10,000.
_LONGEST_POSE = 10_000_000
_CREATE = """
CREATE TABLE IF NOT EXISTS results (
    inchikey TEXT NOT NULL, smiles TEXT NOT NULL, target TEXT NOT NULL, settings TEXT NOT NULL,
    engine TEXT NOT NULL, energy_kcal_mol REAL, reason TEXT NOT NULL, molblock BLOB NOT NULL,
    created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, digest TEXT,
    PRIMARY KEY (inchikey, smiles, target, settings, engine)
)
"""
_KEY = "inchikey = ? AND smiles = ? AND target = ? AND settings = ? AND engine = ?"


@dataclass(frozen=True, slots=True)
class ResultKind:
    """What all results of a job depend on.

    Attributes:
        target: Digest of the target.
        settings: Digest of the settings.
        engine: Names and versions of the programs.
    """

    target: str
    settings: str
    engine: str


def default_cache_file() -> Path:
    """The file that all commands share: ``docking.sqlite`` in the cache directory."""
    return cache_directory() / "docking.sqlite"


class ResultCache:
    """Results of one kind in a file that several processes may have open."""

    def __init__(self, path: Path, kind: ResultKind) -> None:
        """Open or create the file.

        Args:
            path: The file; its directory is created.
            kind: Target, settings and versions.

        Raises:
            CheckpointError: It is no SQLite file, damaged, or a newer molgfn wrote it.
            OutputError: It cannot be opened, or is in use.
        """
        self._kind = kind
        self._database = Database(
            path,
            "docking cache",
            version=_SCHEMA_VERSION,
            schema=_CREATE,
            upgrade=_upgrade,
            cure=_CURE,
            elsewhere=_ELSEWHERE,
        )

    def get(self, molecule: Molecule, /) -> Docked | None:
        """Look a result up; None when there is none.

        Raises:
            CheckpointError: The file is damaged.
            OutputError: It is gone or in use.
        """
        key = self._key(molecule)
        found = self._database.fetch(
            f"SELECT energy_kcal_mol, reason, molblock, digest FROM results WHERE {_KEY}", key
        )
        if not found:
            return None
        *values, digest = found[0]
        if digest is not None and digest != row_digest([*key, *values]):
            raise self._damaged(molecule, "is not as it was written")
        energy, reason, packed = values
        if energy is None and isinstance(reason, str):
            return Docked.failed(reason, final=True)
        if not isinstance(energy, float) or not math.isfinite(energy) or reason != "":
            raise self._damaged(molecule, "has no energy and no reason")
        return Docked(energy, "ok", "", self._unpacked(packed, molecule))

    def put(self, molecule: Molecule, result: Docked, /) -> None:
        """Keep a result; a timeout or a crash is not kept.

        Raises:
            CheckpointError: The file is damaged.
            OutputError: The disk is full, or the file cannot be written.
        """
        if not result.final:
            return
        energy = None if math.isnan(result.energy_kcal_mol) else float(result.energy_kcal_mol)
        packed = zlib.compress(result.molblock.encode())
        values: list[Value] = [*self._key(molecule), energy, result.reason, packed]
        self._database.execute(
            "INSERT OR REPLACE INTO results (inchikey, smiles, target, settings, engine,"
            " energy_kcal_mol, reason, molblock, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [*values, row_digest(values)],
        )

    def _unpacked(self, packed: Value, molecule: Molecule) -> str:
        unpack = zlib.decompressobj()
        try:
            pose = unpack.decompress(packed if isinstance(packed, bytes) else b"", _LONGEST_POSE)
            if not unpack.eof:
                raise ValueError("too long, or cut")
            return pose.decode()
        except (zlib.error, ValueError) as error:
            raise self._damaged(molecule, f"has a pose that cannot be read ({error})") from error

    def _damaged(self, molecule: Molecule, what: str) -> CheckpointError:
        return self._database.damaged(f"the result of {molecule.smiles} {what}")

    def close(self) -> None:
        """Close the file; nothing is pending."""
        self._database.close()

    def _key(self, molecule: Molecule) -> tuple[str, ...]:
        kind = self._kind
        return molecule.inchikey, molecule.smiles, kind.target, kind.settings, kind.engine


def _upgrade(connection: sqlite3.Connection) -> None:
    """Bring a file of version 1 up to date."""
    connection.execute("ALTER TABLE results ADD COLUMN digest TEXT")
