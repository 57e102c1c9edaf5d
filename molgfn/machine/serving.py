"""The loop inside a worker process.

It reads JSON objects from standard input, one a line, and writes one for each: first that it is
ready, then the answer to every task. It ends with its input, and on Linux at once with its parent.

Libraries print to standard output, which must not mix with the answers: those go through a copy of
the stream, and standard output itself is redirected to standard error.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import IO, Any

_PR_SET_PDEATHSIG = 1

#: From a task's message to its answer, both JSON values.
Respond = Callable[[dict[str, Any]], dict[str, Any]]


def serve(
    make: Callable[[dict[str, Any]], Respond], faults: tuple[type[BaseException], ...]
) -> None:
    """Serve until the input ends.

    Args:
        make: Turns the first order into the function that answers each task.
        faults: Exceptions that it may raise; they are reported to the parent and end the process.
    """
    # Ctrl-C reaches the whole process group; the parent decides when this one stops.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    order = json.loads(sys.stdin.readline())
    _die_with(int(order["parent"]))
    try:
        respond = make(order)
    except faults as error:
        _answer(answers, {"broken": one_line(error)})
        return
    _answer(answers, {"ready": True})
    for line in sys.stdin:
        _answer(answers, respond(json.loads(line)))


def end_in_order() -> None:
    """From now on, end by an exception on SIGTERM and when the parent is gone.

    For a worker that waits for a program which it must not leave behind; one deep in compiled code
    would not notice the signal.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    _ask_for_signal(signal.SIGTERM)


def one_line(error: BaseException | str) -> str:
    """The message of an error on one line, or the name of its class if it has none."""
    return " ".join(str(error).split()) or type(error).__name__


def _answer(stream: IO[str], values: dict[str, Any]) -> None:
    stream.write(json.dumps(values) + "\n")
    stream.flush()


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent is gone.

    On systems other than Linux it ends with its input, after the current task.
    """
    _ask_for_signal(signal.SIGKILL)
    if sys.platform == "linux" and os.getppid() != parent:  # it died before the kernel was asked
        os._exit(1)


def _ask_for_signal(number: signal.Signals) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
