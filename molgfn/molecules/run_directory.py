"""The directory of a run: configuration, vocabulary, versions, metrics, checkpoints."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from molgfn import __version__
from molgfn.config.loader import dump_config, load_config
from molgfn.config.schema import Config
from molgfn.errors import CheckpointError, OutputError, UsageError, VocabularyError
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.fragments.vocabulary_file import load_vocabulary, save_vocabulary
from molgfn.gfn.checkpoint import checkpoints
from molgfn.machine.files import write_faults_named, write_file

#: Where runs go that were given no directory.
RUNS = Path("runs")


def default_run_directory(under: Path = RUNS) -> Path:
    """Name a new run directory by date and time.

    Returns:
        A path in the folder that does not exist yet.
    """
    stamp = datetime.now(UTC).astimezone().strftime("%Y-%m-%d_%H-%M-%S")
    path, n = under / stamp, 1
    while path.exists():
        n += 1
        path = under / f"{stamp}_{n}"
    return path


def newest_run() -> Path | None:
    """Find the run under ``runs/`` whose last checkpoint is the newest.

    Returns:
        Its directory; ``None`` when there is no run with a checkpoint.
    """
    runs = [path for path in RUNS.glob("*") if checkpoints(path / "checkpoints")]
    return max(
        runs, key=lambda path: checkpoints(path / "checkpoints")[-1].stat().st_mtime, default=None
    )


class RunDirectory:
    """Paths and files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.metrics = path / "metrics.jsonl"
        self.config_file = path / "config.yaml"
        self.vocabulary_file = path / "vocabulary.yaml"

    def create(self, config: Config, vocabulary: Vocabulary) -> None:
        """Start a run: write its configuration, vocabulary and versions.

        Args:
            config: The configuration.
            vocabulary: The vocabulary it names, copied so that the run stands on its own.

        Raises:
            OutputError: The directory holds a run already, or cannot be written.
        """
        if self.config_file.exists():
            raise OutputError(
                f"{self.path} holds a run already; continue it with --resume or name another --run"
            )
        facts = {
            "molgfn": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "torch-geometric", "rdkit")},
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "vocabulary_digest": vocabulary.digest,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with write_faults_named(f"the run directory {self.path}"):
            self.path.mkdir(parents=True, exist_ok=True)
            save_vocabulary(vocabulary, self.vocabulary_file)
            write_file(self.path / "run.json", json.dumps(facts, indent=1) + "\n")
            self._make_places()
        # Last, because its presence says that the run exists.
        self.write_config(config)

    def _make_places(self) -> None:
        """Make what a training writes to."""
        self.checkpoints.mkdir(exist_ok=True)
        self.metrics.write_text("")

    def write_config(self, config: Config) -> None:
        """Write the run's configuration, whole or not at all.

        Raises:
            OutputError: The file cannot be written.
        """
        write_file(self.config_file, dump_config(config))

    def load(self, overrides: list[str]) -> tuple[Config, Vocabulary]:
        """Read the configuration and vocabulary of an existing run.

        Args:
            overrides: ``key=value`` settings on top of the run's configuration.

        Raises:
            CheckpointError: There is no run in the directory, or it is damaged.
            VocabularyError: The vocabulary file is no longer the one the run began with.
        """
        if not self.config_file.exists():
            raise CheckpointError(f"{self.path} holds no run: {self.config_file.name} is missing")
        config = load_config(self.config_file, overrides)
        vocabulary = load_vocabulary(self.vocabulary_file)
        facts_file = self.path / "run.json"
        try:
            digest = json.loads(facts_file.read_text())["vocabulary_digest"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{facts_file} cannot be read: {error!r}") from error
        check_digest(vocabulary, digest, str(self.vocabulary_file))
        return config, vocabulary

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from working in this directory.

        Raises:
            OutputError: Another process holds the run, or the directory cannot be written.
        """
        with write_faults_named(f"the run directory {self.path}"):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("w")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OutputError(f"another process works in {self.path}") from error
            try:
                yield
            finally:
                self._remove_if_empty()

    def _remove_if_empty(self) -> None:
        """Leave no directory behind that holds nothing but the lock: the run never began."""
        if [path.name for path in self.path.iterdir()] == [".lock"]:
            shutil.rmtree(self.path)

    def truncate_metrics(self, step: int) -> None:
        """Drop the metrics of steps after a checkpoint, which will be done again.

        Raises:
            OutputError: The disk is full or the file cannot be written.
        """
        lines = self.metrics.read_text().splitlines() if self.metrics.is_file() else []
        kept = []
        for line in lines:
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line)
            except ValueError:  # the last line of a killed process may be cut
                break
        write_file(self.metrics, "".join(f"{line}\n" for line in kept))

    def append_metrics(self, metrics: dict[str, float]) -> None:
        """Add one line to the metrics file; NaN becomes null.

        Raises:
            OutputError: The disk is full or the file cannot be written.
        """
        plain = {k: None if v != v else v for k, v in metrics.items()}
        with write_faults_named(self.metrics), self.metrics.open("a") as file:
            file.write(json.dumps(plain) + "\n")


def check_resumable(overrides: list[str], allowed: tuple[str, ...]) -> None:
    """Refuse settings that would make a resumed run another run.

    Args:
        overrides: ``key=value`` settings.
        allowed: Keys that may change.

    Raises:
        UsageError: One is not among them.
    """
    for override in overrides:
        key = override.partition("=")[0].strip()
        if key not in allowed:
            raise UsageError(
                f"a resumed run keeps its {key}; only {', '.join(allowed)} may change, "
                "begin another --run for the rest"
            )


def check_digest(vocabulary: Vocabulary, digest: object, where: str) -> None:
    """Refuse a vocabulary that is not the one a policy was trained with.

    Raises:
        VocabularyError: They differ.
    """
    if vocabulary.digest != digest:
        raise VocabularyError(
            f"the vocabulary {where} is not the one this policy was trained with (digest "
            f"{vocabulary.digest[:12]}, expected {str(digest)[:12]}); restore it or train anew"
        )
