"""Docking results on disk, in one SQLite file that all commands share.

A result is written as soon as it is there, so a killed command loses only what was in flight. The
key holds everything that the energy depends on: InChIKey and canonical SMILES (the InChIKey alone
would merge tautomers, which dock differently), target, settings and versions.

Energies are kept, and failures that belong to the molecule. A timeout or a crash may be the fault
of a busy machine: it is not kept, and the next command tries again.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from pathlib import Path

from molgfn.chem.molecule import Molecule
from molgfn.config.resources import cache_directory
from molgfn.machine.database import Database
from molgfn.reward.docking.result import Docked

_CURE = "remove it, or set MOLGFN_CACHE_DIR to another directory"
_SCHEMA_VERSION = 1
_CREATE = """
CREATE TABLE IF NOT EXISTS results (
    inchikey TEXT NOT NULL, smiles TEXT NOT NULL, target TEXT NOT NULL, settings TEXT NOT NULL,
    engine TEXT NOT NULL, energy_kcal_mol REAL, reason TEXT NOT NULL, molblock BLOB NOT NULL,
    created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
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
            OutputError: It cannot be opened, is no SQLite file, or a newer molgfn wrote it.
        """
        self._kind = kind
        self._database = Database(
            path, "docking cache", version=_SCHEMA_VERSION, schema=_CREATE, cure=_CURE
        )

    def get(self, molecule: Molecule, /) -> Docked | None:
        """Look a result up; None when there is none.

        Raises:
            OutputError: The file is damaged or gone.
        """
        with self._database.faults_named():
            row = self._database.connection.execute(
                f"SELECT energy_kcal_mol, reason, molblock FROM results WHERE {_KEY}",
                self._key(molecule),
            ).fetchone()
        if row is None:
            return None
        energy, reason, packed = row
        if energy is None:
            return Docked.failed(reason, final=True)
        return Docked(float(energy), "ok", "", zlib.decompress(packed).decode())

    def put(self, molecule: Molecule, result: Docked, /) -> None:
        """Keep a result; a timeout or a crash is not kept.

        Raises:
            OutputError: The disk is full, or the file cannot be written.
        """
        if not result.final:
            return
        energy = None if math.isnan(result.energy_kcal_mol) else result.energy_kcal_mol
        packed = zlib.compress(result.molblock.encode())
        with self._database.faults_named():
            self._database.connection.execute(
                "INSERT OR REPLACE INTO results (inchikey, smiles, target, settings, engine,"
                " energy_kcal_mol, reason, molblock) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*self._key(molecule), energy, result.reason, packed),
            )

    def close(self) -> None:
        """Close the file; nothing is pending."""
        self._database.close()

    def _key(self, molecule: Molecule) -> tuple[str, ...]:
        kind = self._kind
        return molecule.inchikey, molecule.smiles, kind.target, kind.settings, kind.engine
