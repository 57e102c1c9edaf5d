"""How far a long piece of work has come, on standard error: a bar, or a line a minute."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: How often a line tells how far work is where there is no terminal for a bar, seconds.
_LINE_EVERY_S = 60.0


@contextmanager
def progress_bar(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show how far a piece of work has come and how long it will take.

    Args:
        label: What is being done.
        total: Number of items to do, ``None`` if unknown.

    Yields:
        Function to call with the number of items done since the last call. What is done within a
        second, such as what a cache knew, does not count for the speed.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}"),
    )
    clock = _Clock(total)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(label, total=total, left="")

        def advance(n: int) -> None:
            clock.advance(n)
            progress.update(task, advance=n, left=clock.left)
            if not console.is_terminal and clock.is_due():
                console.print(f"{label}: {clock}", markup=False)

        yield advance


class _Clock:
    """Items done, and time left by those that took any."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._done = self._known = 0
        self._start = self._told = time.monotonic()

    def __str__(self) -> str:
        parts = (f"{self._done}" if self._total is None else f"{self._done} of {self._total}",)
        return ", ".join((*parts, self.left)) if self.left else parts[0]

    def advance(self, n: int) -> None:
        self._done += n
        # What is known comes before anything is done, within a second.
        if time.monotonic() - self._start < 1.0:
            self._known = self._done

    @property
    def left(self) -> str:
        """Time left in words; empty if unknown, and at the end."""
        counted = self._done - self._known
        if self._total is None or counted == 0 or self._done >= self._total:
            return ""
        rate_s = (time.monotonic() - self._start) / counted
        return f"about {_describe_duration(rate_s * (self._total - self._done))} to go"

    def is_due(self) -> bool:
        """Whether it is time for a line; then the next is due later."""
        now = time.monotonic()
        if self._done == self._total or now - self._told < _LINE_EVERY_S:
            return False
        self._told = now
        return True


def _describe_duration(seconds: float) -> str:
    """A duration for people, such as ``40 s``, ``12 min`` or ``3 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
