"""A stopwatch for parts of a program that call each other, put in from outside."""

from __future__ import annotations

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

Name = str | Callable[[Any], str]


class Stopwatch:
    """Processor time by (phase, part), every moment counted once.

    A part's time excludes that of the parts it calls. A phase is what the outermost of the timed
    functions was called for; the same part, such as a legal mask, may be at work in several.
    """

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)
        self._stack: list[tuple[str, str]] = []
        self._since = 0.0

    @contextmanager
    def timing(self, part: str, phase: str | None = None) -> Iterator[None]:
        """Count what happens inside for a part.

        Args:
            part: Name of the part.
            phase: The phase that begins here; default: the one that runs.
        """
        running = self._stack[-1][0] if self._stack else "rest"
        self._charge()
        self._stack.append((running if phase is None else phase, part))
        try:
            yield
        finally:
            self._charge()
            self._stack.pop()

    def _charge(self) -> None:
        now = time.process_time()
        if self._stack:
            self.seconds[self._stack[-1]] += now - self._since
        self._since = now

    def wrap(
        self, stack: ExitStack, owner: Any, name: str, part: Name, phase: str | None = None
    ) -> None:
        """Time a function until the stack closes.

        Args:
            stack: Puts the function back.
            owner: The module or class that holds it.
            name: Its name there.
            part: What it counts for; a function of its first argument, or the same for all.
            phase: The phase that it begins; default: none.

        Raises:
            AttributeError: There is no function of that name (any more).
        """
        function = getattr(owner, name)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.timing(part if isinstance(part, str) else part(args[0]), phase):
                return function(*args, **kwargs)

        own = vars(owner).get(name)  # None where it is inherited
        setattr(owner, name, timed)
        if own is None:
            stack.callback(delattr, owner, name)
        else:
            stack.callback(setattr, owner, name, own)
