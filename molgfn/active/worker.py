"""The process that asks the oracle: ``python -m molgfn.active.worker``.

It is a process because a user's scorer may crash, hang or leak memory.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from molgfn.active.oracle import OracleSpec, measure, open_oracle
from molgfn.errors import MolgfnError
from molgfn.machine.serving import Respond, end_in_order, one_line, serve


def _make(order: dict[str, Any]) -> Respond:
    # The user's modules are found where the process that started this one finds them.
    sys.path[:] = order["path"]
    spec_json: str = order["spec"]
    if OracleSpec.from_json(spec_json).starts_programs:
        end_in_order()
    open_oracle(spec_json)
    return lambda message: _respond(spec_json, message["smiles"])


def _respond(spec_json: str, smiles: list[str]) -> dict[str, Any]:
    try:
        return {"answers": [asdict(answer) for answer in measure(spec_json, smiles)]}
    except MolgfnError as error:
        return {"fault": one_line(error)}


if __name__ == "__main__":
    serve(_make, (MolgfnError,))
