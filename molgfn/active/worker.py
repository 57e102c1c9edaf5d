"""The process that asks the oracle: ``python -m molgfn.active.worker``.

A process of its own, because a user's scorer may crash, hang or leak.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from molgfn.active.oracle import OracleSpec, measure, open_oracle
from molgfn.errors import MolgfnError
from molgfn.machine.serving import Respond, end_in_order, one_line, serve


def _make(order: dict[str, Any]) -> Respond:
    # The user's modules are found as they were by the process that started this one.
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
