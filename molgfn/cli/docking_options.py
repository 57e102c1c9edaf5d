"""What the commands that dock share: options and the target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from molgfn.reward.docking.docking import Docking

TARGET_HELP = "Where to dock: a name of `molgfn targets list`; default: PARP1."
PRESET_HELP = "fast, default or thorough: half, once and 6 times the time; default: default."
WORKERS_HELP = "Processes, about 550 MB each; default: the CPUs."


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
