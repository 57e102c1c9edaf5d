"""What the commands that dock share: options, the target, and how far they have come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from molgfn.reward.docking.docking import Docking

TARGET_HELP = "Where to dock: a name of `molgfn targets list`; default: PARP1."
PRESET_HELP = "fast, default or thorough: half, once and 6 times the time; default: default."
WORKERS_HELP = "Processes, about 550 MB each; default: the CPUs."
#: How often a line tells how far docking is where there is no terminal for a bar, seconds.
_PLAIN_EVERY_S = 60.0


@contextmanager
def opened_docking(
    target: str | None,
    preset: str | None,
    workers: int | None,
    timeout_s: float | None = None,
    max_failures: int | None = None,
) -> Iterator[Docking]:
    """Open docking as the options say, and tell what will be done.

    Args:
        target: Name of the target, None for the default.
        preset: Name of the preset, None for the default.
        workers: Number of processes, None for the CPUs.
        timeout_s: Time limit of a molecule, seconds, None for the default.
        max_failures: Failures in a row that stop the job, None for the default.

    Yields:
        Docking, its workers alive until the end.

    Raises:
        MissingPackageError: The packages for docking are not installed.
        TargetError: There is no such target.
        UsageError: There is no such preset.
    """
    from molgfn.reward.docking import docking as library
    from molgfn.reward.docking.catalogue import DEFAULT_TARGET, find_target
    from molgfn.reward.docking.settings import find_preset

    settings = find_preset("default" if preset is None else preset)
    with library.Docking(
        find_target(DEFAULT_TARGET if target is None else target),
        settings,
        n_workers=workers,
        time_limit_s=timeout_s,
        max_failures_in_row=library.MAX_FAILURES_IN_ROW if max_failures is None else max_failures,
    ) as opened:
        typer.echo(
            f"docking to {opened.target.name} ({opened.target.source}): {settings.describe()}",
            err=True,
        )
        try:
            yield opened
        except KeyboardInterrupt:
            typer.echo("what was docked is kept; the same command goes on there", err=True)
            raise


@contextmanager
def docking_progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show how far docking has come and how long it will take.

    Args:
        total: Number of molecules.

    Yields:
        Function to call with the number of molecules done since the last call. What is done in the
        first call was known before and does not count for the speed.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (
        TextColumn("dock"),
        BarColumn(30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}"),
    )
    clock = _Clock(total)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("dock", total=total, left="")

        def advance(n: int) -> None:
            clock.advance(n)
            progress.update(task, advance=n, left=clock.left)
            if not console.is_terminal and clock.is_due():
                console.print(f"docked {clock.done} of {total}, {clock.left}", markup=False)

        yield advance


class _Clock:
    """Time left, from the molecules that were really docked."""

    def __init__(self, total: int) -> None:
        self.done = 0
        self._total = total
        self._known: int | None = None
        self._start = self._told = time.monotonic()

    def advance(self, n: int) -> None:
        self.done += n
        # What is known comes before anything is docked, within a second.
        if time.monotonic() - self._start < 1.0:
            self._known = self.done

    @property
    def left(self) -> str:
        docked = self.done - (self._known or 0)
        if docked == 0 or self.done >= self._total:
            return ""
        rate_s = (time.monotonic() - self._start) / docked
        return f"about {describe_duration(rate_s * (self._total - self.done))} to go"

    def is_due(self) -> bool:
        now = time.monotonic()
        if self.done >= self._total or now - self._told < _PLAIN_EVERY_S or not self.left:
            return False
        self._told = now
        return True


def describe_duration(seconds: float) -> str:
    """A duration for people.

    Args:
        seconds: The duration.

    Returns:
        Such as ``40 s``, ``12 min`` or ``3 h 5 min``.
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
