"""The directory of active-learning rounds.

::

    config.yaml        the configuration, its rounds section included
    ledger.sqlite      every molecule the oracle was asked for, and its answers
    round_00.csv       the initial set
    round_01.csv       a batch with what was predicted, why it was chosen and what was measured
    round_01/proxy     what the round learned from all measured before it
    round_01/policy    the run that trained its policy
    round_01/batch.csv the proposal as it went to the oracle
    rounds.csv         one row for each round
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from molgfn.errors import CheckpointError, shell_quoted
from molgfn.molecules.run_directory import RUN_CURE, RunDirectory


@dataclass(frozen=True)
class RoundDirectory:
    """Paths of one round; round 0 is the initial set.

    Attributes:
        number: Number of the round.
        run: Directory of all rounds.
    """

    number: int
    run: Path

    @property
    def name(self) -> str:
        """Such as ``round_01``."""
        return f"round_{self.number:02d}"

    @property
    def path(self) -> Path:
        """Directory of what the round was made with."""
        return self.run / self.name

    @property
    def table(self) -> Path:
        """The round as a table, for people."""
        return self.run / f"{self.name}.csv"

    @property
    def proxy(self) -> Path:
        """The proxy."""
        return self.path / "proxy"

    @property
    def policy(self) -> RunDirectory:
        """The run that trains its policy."""
        return RunDirectory(self.path / "policy")

    @property
    def batch(self) -> Path:
        """The proposal."""
        return self.path / "batch.csv"

    def entry(self, place: int) -> str:
        """Name an entry of the ledger.

        Returns:
            Such as ``02-0007``.
        """
        return f"{self.number:02d}-{place:04d}"


class RoundsDirectory(RunDirectory):
    """Paths of all rounds; configuration and lock are those of a run directory."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.ledger = path / "ledger.sqlite"
        self.summary = path / "rounds.csv"
        self.plot = path / "rounds.png"

    def _make_places(self) -> None:
        """Every round makes its own."""

    def of(self, number: int) -> RoundDirectory:
        """Paths of one round."""
        return RoundDirectory(number, self.path)

    def newest(self) -> RoundDirectory | None:
        """The last round with a proposal, finished or not; None before the first."""
        number = 0
        while self.of(number + 1).batch.exists():
            number += 1
        return self.of(number) if number else None

    def work(self) -> Path | None:
        """The newest proposal; None before the first."""
        newest = self.newest()
        return None if newest is None else newest.batch

    def check_begun(self) -> None:
        """Refuse a directory without rounds.

        Raises:
            CheckpointError: There are none, or they have lost their configuration or ledger.
        """
        missing = [file for file in (self.config_file, self.ledger) if not file.exists()]
        if not missing:
            return
        if self.work() is not None or missing == [self.ledger]:
            raise CheckpointError(f"{self.path} has lost its {missing[0].name}; {RUN_CURE}")
        raise CheckpointError(
            f"{self.path} holds no rounds; begin with `molgfn rounds CONFIG --run "
            f"{shell_quoted(self.path)}`"
        )
