"""A scoring process that is quick to start and misbehaves as the environment says.

The log score of a state is minus the sum of its numbers; a sum of 0 fails. FAKE_SCORE_WORKER is
``broken``, or the number of a chunk and what to do instead of answering it, such as ``2 exit``.
"""

import os
import sys
import time

from molgfn.machine.serving import serve


def score(message):
    return {"scored": [[[-float(sum(row)) or None]] for row in message["states"]]}


def make(order):
    number, _, what = os.environ.get("FAKE_SCORE_WORKER", "0").partition(" ")
    if number == "broken":
        raise OSError("no such run")
    seen = 0

    def respond(message):
        nonlocal seen
        seen += 1
        if seen == int(number):
            sys.stderr.write("gone wrong\n")
            sys.exit(3) if what == "exit" else time.sleep(600)
        return score(message)

    return respond


if __name__ == "__main__":
    serve(make, (OSError,))
