"""The directory of a run.

::

    config.yaml       the configuration; its presence says that there is a run
    vocabulary.yaml   the vocabulary it names
    run.json          versions and machine
    SHA256SUMS        digests of these three; runs of before have none
    metrics.jsonl     a line for each step that was logged; checkpoints have its digest until then
    checkpoints       the newest checkpoints, each with digests of its own
"""

from __future__ import annotations

import fcntl
import hashlib
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
from molgfn.fragments.vocabulary_file import dump_vocabulary, load_sealed_vocabulary
from molgfn.gfn.checkpoint import checkpoint_path, checkpoints
from molgfn.machine.document import Document
from molgfn.machine.files import flush, write_faults_named, write_file
from molgfn.machine.sealed import is_sealed, read_sealed, write_sealed

#: Since format 2 a run has the digests of its files; before, run.json told of no format.
FORMAT = 2
#: What messages about damaged files of a run advise.
RUN_CURE = "restore it from a copy, or begin another run"
CONFIG_CURE = (
    "restore it from a copy, or begin another --run with it; a run that goes on takes changes with "
    "--resume --set"
)
_METRICS_CURE = "delete it to go on without the metrics of before"

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
    runs = [
        path
        for path in RUNS.glob("*")
        if (path / "config.yaml").exists() and checkpoints(path / "checkpoints")
    ]
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
        self.facts_file = path / "run.json"
        self.vocabulary_file = path / "vocabulary.yaml"

    def create(
        self,
        config: Config,
        vocabulary: Vocabulary,
        *,
        begins_with: Path | None = None,
    ) -> None:
        """Start a run: write its configuration, vocabulary and versions.

        Args:
            config: The configuration.
            vocabulary: The vocabulary it names, copied so that the run stands on its own.
            begins_with: The run whose policy this one begins with, for the record.

        Raises:
            OutputError: The directory holds a run already, or cannot be written.
        """
        if self.config_file.exists():
            raise OutputError(
                f"{self.path} holds a run already; continue it with --resume or name another --run"
            )
        if work := self.work():
            raise OutputError(
                f"{work} is of a run whose {self.config_file.name} is gone; name another --run"
            )
        facts = {
            "format": FORMAT,
            "molgfn": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "torch-geometric", "rdkit")},
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "vocabulary_digest": vocabulary.digest,
            "begins_with": None if begins_with is None else str(begins_with),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with write_faults_named(f"the run directory {self.path}"):
            self.path.mkdir(parents=True, exist_ok=True)
            write_sealed(self.vocabulary_file, dump_vocabulary(vocabulary))
            write_sealed(self.facts_file, json.dumps(facts, indent=1) + "\n")
            self._make_places()
        # Last, because its presence says that the run exists.
        write_sealed(self.config_file, dump_config(config))

    def work(self) -> Path | None:
        """The newest of what the run has computed; None where nothing would be lost."""
        saved = checkpoints(self.checkpoints)
        return saved[-1] if saved and saved[-1].name != checkpoint_path(saved[-1], 0).name else None

    def check_begun(self) -> None:
        """Refuse a directory without a run.

        Raises:
            UsageError: There is none.
            CheckpointError: There is one that has lost its configuration.
        """
        if self.config_file.exists():
            return
        if self.work() is not None:
            raise CheckpointError(f"{self.path} has lost its {self.config_file.name}; {RUN_CURE}")
        raise UsageError(f"{self.path} holds no run to resume; leave --resume out to begin")

    def _make_places(self) -> None:
        """Make what a training writes to."""
        self.checkpoints.mkdir(exist_ok=True)
        self.metrics.write_text("")

    def write_config(self, config: Config) -> None:
        """Write the run's configuration, whole or not at all.

        Raises:
            OutputError: The file cannot be written.
        """
        # A run of before has no digests, and digests of one file would be missed for the others.
        write = write_sealed if is_sealed(self.path) else write_file
        write(self.config_file, dump_config(config))

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
        facts = self._facts()
        sealed = "format" in facts
        if sealed:
            facts.whole("format", least=FORMAT, most=FORMAT)
        read_sealed(self.config_file, CONFIG_CURE, required=sealed)
        config = load_config(self.config_file, overrides)
        vocabulary = load_sealed_vocabulary(self.vocabulary_file, RUN_CURE, required=sealed)
        check_digest(vocabulary, facts.text("vocabulary_digest"), str(self.vocabulary_file))
        return config, vocabulary

    def begins_afresh(self) -> bool:
        """Whether the run did not begin with the policy of another."""
        return self._facts().get("begins_with") is None

    def _facts(self) -> Document:
        content = read_sealed(self.facts_file, RUN_CURE)
        return Document.parse(content, self.facts_file, RUN_CURE)

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

    def metrics_mark(self) -> dict[str, object]:
        """What a checkpoint remembers of the metrics that were written before it.

        They are on the disk before the checkpoint is, or a power cut would part the two.

        Raises:
            OutputError: The disk is full.
        """
        if self.metrics.is_file():
            with write_faults_named(self.metrics):
                flush(self.metrics)
        content = self._metrics_content()
        return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    def has_metrics(self) -> bool:
        """Whether a step was ever logged."""
        return bool(self._metrics_content())

    def read_metrics(self, saved: Document) -> list[Document]:
        """Read the metrics, a line for each step that was logged.

        Args:
            saved: Document of the newest checkpoint, with its mark; older versions left none.

        Raises:
            CheckpointError: The file is damaged.
        """
        content = self._metrics_content()
        self._marked(content, saved)
        return [row for row, _ in self._rows(content)]

    def truncate_metrics(self, saved: Document) -> None:
        """Drop the metrics of steps after a checkpoint, which will be done again.

        Args:
            saved: Document of the checkpoint.

        Raises:
            CheckpointError: The file is damaged.
            OutputError: The disk is full or the file cannot be written.
        """
        content, step = self._metrics_content(), saved.whole("step")
        kept = self._marked(content, saved)
        if kept is None:
            rows = self._rows(content)
            kept = b"".join(line for row, line in rows if row.whole("step") <= step)
        write_file(self.metrics, kept)

    def _marked(self, content: bytes, saved: Document) -> bytes | None:
        """The metrics up to a checkpoint; None where it has no mark, or the file is gone."""
        if "metrics" not in saved or not self.metrics.is_file():
            return None
        mark = saved.section("metrics")
        known = content[: mark.whole("bytes")]
        if hashlib.sha256(known).hexdigest() != mark.text("sha256"):
            raise CheckpointError(
                f"{self.metrics} is damaged: up to step {saved.whole('step')} it is not as it was "
                f"when {saved.source} was saved; {_METRICS_CURE}"
            )
        return known

    def _rows(self, content: bytes) -> Iterator[tuple[Document, bytes]]:
        """Give every line read and as it is; the last line of a killed process may be cut."""
        for number, line in enumerate(content.splitlines(keepends=True), 1):
            if line.endswith(b"\n"):
                row = Document.parse(line, f"{self.metrics} line {number}", _METRICS_CURE)
                row.whole("step")
                yield row, line

    def _metrics_content(self) -> bytes:
        if not self.metrics.is_file():
            return b""
        try:
            return self.metrics.read_bytes()
        except OSError as error:
            raise CheckpointError(f"{self.metrics} cannot be read: {error.strerror}") from error

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
