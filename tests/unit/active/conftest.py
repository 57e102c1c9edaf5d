import json
import time
from collections import Counter
from pathlib import Path

import pytest

from molgfn.active.ledger import Ledger, Planned
from molgfn.active.oracle import OracleSpec
from molgfn.config.rounds_schema import OracleConfig

SMILES = [f"{'C' * n}{end}" for n in range(1, 6) for end in ("O", "N")]


class Calls:
    """What the oracle of tests/support wrote down."""

    def __init__(self, log):
        self.log = log

    def _lines(self, word):
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        # The last line may be cut where a process was killed.
        return [line.split() for line in lines if line.startswith(f"{word} ") and "  " in line]

    @property
    def started(self):
        return Counter(smiles for _, smiles, _ in self._lines("start"))

    @property
    def ended(self):
        return Counter(smiles for _, smiles, _ in self._lines("end"))

    @property
    def starts(self):
        return [(smiles, int(process)) for _, smiles, process in self._lines("start")]

    @property
    def processes(self):
        return {process for _, process in self.starts}

    @property
    def are_gone(self):
        """Whether no process that asked is left."""
        return all(_is_gone(process) for process in self.processes)


@pytest.fixture
def calls(tmp_path):
    return Calls(tmp_path / "calls.txt")


@pytest.fixture
def oracle(calls, repository, monkeypatch):
    """Makes the oracle of tests/support, which misbehaves as it is told."""
    monkeypatch.setenv("PYTHONPATH", str(repository / "tests" / "support"))

    def make(*, timeout_s=60.0, tries=3, **options):
        monkeypatch.setenv("COUNTING_ORACLE", json.dumps({"log": str(calls.log), **options}))
        return OracleSpec.of(
            OracleConfig("counting_oracle:score", timeout_s=timeout_s, tries=tries)
        )

    return make


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture
def planned():
    """Makes entries of a round from SMILES."""

    def make(smiles=SMILES, number=2):
        return [Planned(f"{number:02d}-{i:04d}", number, s, "K" * 27) for i, s in enumerate(smiles)]

    return make


@pytest.fixture
def wait_until():
    def wait(condition):
        for _ in range(1200):
            if condition():
                return
            time.sleep(0.05)
        pytest.fail("it never happened")

    return wait


@pytest.fixture
def is_gone():
    return _is_gone


def _is_gone(pid):
    """Gone, or dead and not yet collected by whoever adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
