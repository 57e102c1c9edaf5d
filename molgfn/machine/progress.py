"""How a report tells how far it has come, without knowing of a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

#: Opens one stage of the work by its name and number of items; what it gives is called with the
#: number of items done since the last call.
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


@contextmanager
def silent(_label: str, _total: int) -> Iterator[Callable[[int], None]]:
    """Show nothing.

    Yields:
        A function that does nothing.
    """
    yield lambda _: None
