"""An oracle for tests that writes down every call, and misbehaves where it is told to.

Its name is ``counting_oracle:score``. The environment variable ``COUNTING_ORACLE`` holds JSON:
``log`` (file), ``seconds`` (every molecule takes as long), ``by_smiles`` (SMILES to what happens
instead of an answer: ``hang``, ``none``, ``raise``, ``exit``, ``abort``), ``flaky`` (probability
that a molecule breaks its call) and ``seed``. Whether a flaky one does depends on the seed, the
SMILES and how often it was asked before, so that a retry may succeed and a test is repeatable.
Behaviours with the ending ``_once`` show the first time only.
"""

import json
import os
import random
import time
from pathlib import Path


def score(smiles):
    return [_score(text) for text in smiles]


def value(text):
    """What it answers; not round, so that a lost digit shows."""
    return len(text) / 3 + 0.1


def _score(text):
    options = json.loads(os.environ["COUNTING_ORACLE"])
    log = Path(options["log"])
    before = sum(line == f"start {text}" for line in _lines(log))
    _write(log, f"start {text}")
    what = options.get("by_smiles", {}).get(text, "")
    if what.endswith("_once"):
        what = "" if before else what.removesuffix("_once")
    seed = f"{options.get('seed', 0)} {text} {before}"
    if random.Random(seed).random() < options.get("flaky", 0):
        what = random.Random(seed).choice(["raise", "exit", "abort"])
    answer = _behave(what, text, options.get("seconds", 0))
    _write(log, f"end {text}")
    return answer


def _behave(what, text, seconds):
    time.sleep(600 if what == "hang" else seconds)
    if what == "raise":
        raise RuntimeError(f"no luck with {text}")
    if what == "exit":
        os._exit(3)
    if what == "abort":
        os.write(2, b"terminate called\n")
        os.abort()
    return None if what == "none" else value(text)


def _write(log, line):
    """Append in one system call, because several processes do."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{line}  {os.getpid()}\n".encode())
    os.close(descriptor)


def _lines(log):
    if not log.exists():
        return []
    return [line.rpartition("  ")[0] for line in log.read_text().splitlines()]
