"""The process that docks: ``python -m molgfn.reward.docking.worker``, one for each CPU.

It must be a process: Vina does not heed Python's signals, ends the process on an empty ligand and
aborts on a coordinate that is no number. It reads one JSON object a line on standard input and
writes one for each: first that it is ready, then the result of every molecule. It ends when its
input does, and on Linux with its parent at once.

Talk of the libraries on standard output must not get between the answers, so those go through a
copy of the stream and standard output itself is joined to standard error.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from molgfn.errors import MoleculeError
from molgfn.reward.docking.ligand import LigandError
from molgfn.reward.docking.settings import DockingSettings
from molgfn.reward.docking.target import Target

_PR_SET_PDEATHSIG = 1
#: What meeko and vina are known to raise; vina calls exit too. Anything else ends the process, and
#: the parent starts another.
_ENGINE_FAULTS = (
    *(RuntimeError, TypeError, ValueError, LookupError, AttributeError, ImportError, OSError),
    SystemExit,
)


def main() -> None:
    """Serve until the input ends."""
    # Ctrl-C reaches the whole group of processes; the parent decides when to stop this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    order = json.loads(sys.stdin.readline())
    _die_with(int(order["parent"]))
    try:
        dock = _make_docker(order)
    except _ENGINE_FAULTS as error:
        _answer(answers, {"broken": _line(error)})
        return
    _answer(answers, {"ready": True})
    for line in sys.stdin:
        _answer(answers, _result(dock, json.loads(line)["smiles"]))


def encode_order(docker: str, target: Target, settings: DockingSettings) -> dict[str, Any]:
    """What a worker is told first.

    Args:
        docker: ``module:function`` that makes the function to call with each SMILES.
        target: Receptor and box.
        settings: How hard to search.

    Returns:
        JSON values.
    """
    return {
        "parent": os.getpid(),
        "docker": docker,
        "target": [target.name, str(target.receptor), target.center, target.size, target.source],
        "settings": {name: getattr(settings, name) for name in settings.__dataclass_fields__},
    }


def _make_docker(order: dict[str, Any]) -> Callable[[str], Any]:
    module, _, name = order["docker"].partition(":")
    title, receptor, center, size, source = order["target"]
    target = Target(title, Path(receptor), tuple(center), tuple(size), source)
    make = getattr(importlib.import_module(module), name)
    docker: Callable[[str], Any] = make(target, DockingSettings(**order["settings"]))
    return docker


def _result(dock: Callable[[str], Any], smiles: str) -> dict[str, Any]:
    try:
        pose = dock(smiles)
    except LigandError as error:
        return {"reason": _line(error), "final": True}
    except MoleculeError as error:
        return {"reason": _line(error), "final": False}
    except _ENGINE_FAULTS as error:
        return {"fault": f"{type(error).__name__}: {_line(error)}"}
    return {"energy": pose.energy_kcal_mol, "molblock": pose.molblock}


def _answer(stream: IO[str], values: dict[str, Any]) -> None:
    stream.write(json.dumps(values) + "\n")
    stream.flush()


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent is gone.

    Elsewhere than on Linux the end of the input does it, after the molecule in hand.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was asked
        os._exit(1)


def _line(error: BaseException | str) -> str:
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    main()
