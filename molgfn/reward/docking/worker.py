"""The process that docks: ``python -m molgfn.reward.docking.worker``, one for each CPU.

It must be a process: Vina ignores Python's signals, exits on an empty ligand and aborts on a
coordinate that is not a number.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from molgfn.errors import MoleculeError
from molgfn.machine.serving import Respond, one_line, serve
from molgfn.reward.docking.docking_target import DockingTarget
from molgfn.reward.docking.ligand import LigandError
from molgfn.reward.docking.settings import DockingSettings

#: What meeko and vina are known to raise; vina calls exit too. Anything else ends the process, and
#: the parent starts a new one.
_ENGINE_FAULTS = (
    *(RuntimeError, TypeError, ValueError, LookupError, AttributeError, ImportError, OSError),
    SystemExit,
)


def encode_order(docker: str, target: DockingTarget, settings: DockingSettings) -> dict[str, Any]:
    """The first message to a worker, JSON values.

    Args:
        docker: ``module:function`` that makes the function to call with each SMILES.
        target: Receptor and box.
        settings: Search effort and seeds.
    """
    return {
        "docker": docker,
        "target": [target.name, str(target.receptor), target.center, target.size, target.source],
        "settings": {name: getattr(settings, name) for name in settings.__dataclass_fields__},
    }


def _make(order: dict[str, Any]) -> Respond:
    module, _, name = order["docker"].partition(":")
    title, receptor, center, size, source = order["target"]
    target = DockingTarget(title, Path(receptor), tuple(center), tuple(size), source)
    make = getattr(importlib.import_module(module), name)
    docker: Callable[[str], Any] = make(target, DockingSettings(**order["settings"]))
    return lambda message: _result(docker, message["smiles"])


def _result(dock: Callable[[str], Any], smiles: str) -> dict[str, Any]:
    try:
        pose = dock(smiles)
    except LigandError as error:
        return {"reason": one_line(error), "final": True}
    except MoleculeError as error:
        return {"reason": one_line(error), "final": False}
    except _ENGINE_FAULTS as error:
        return {"fault": f"{type(error).__name__}: {one_line(error)}"}
    return {"energy": pose.energy_kcal_mol, "molblock": pose.molblock}


if __name__ == "__main__":
    serve(_make, _ENGINE_FAULTS)
