"""Repeats of a measurement over the whole history of a molecule, as its ledger entry keeps them.

One rule holds within a file and between files: each value is a further repeat. A file that brings
again what an earlier one brought, as a sheet that grows does, adds only what is new in it, so that
taking in a file twice changes nothing. A correction takes the place of all that came before.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from molgfn.active.ledger import Row
from molgfn.active.measurements import Measurement
from molgfn.tables.measured import Measured


@dataclass(frozen=True, slots=True)
class Repeat:
    """One measurement of a molecule.

    Attributes:
        measured: What was measured.
        stands: Whether it counts; a correction has taken the place of one that does not.
    """

    measured: Measured
    stands: bool = True


def history_of(row: Row) -> list[Repeat]:
    """The history of an entry; that of a ledger of before is its answer, as often as it came."""
    if row.repeats:
        return [
            Repeat(Measured(math.nan if value is None else value, relation, reason), stands)
            for value, relation, reason, stands in json.loads(row.repeats)
        ]
    if not row.is_answered:
        return []
    return [Repeat(Measured(row.value, row.relation, row.reason))] * max(1, row.n_repeats)


def history_json(history: Sequence[Repeat]) -> str:
    """A history as the ledger keeps it: value, relation, reason and whether it counts."""
    return json.dumps(
        [
            [None if one.reason else one.value, one.relation, one.reason, repeat.stands]
            for repeat in history
            for one in [repeat.measured]
        ]
    )


def with_measurement(history: Sequence[Repeat], came: Measurement) -> list[Repeat]:
    """A history with all that a file says of its molecule."""
    if came.is_correction:
        again = {_key(one) for one in came.repeats}
        kept = [one for one in history if _key(one.measured) not in again]
        return [replace(one, stands=False) for one in kept] + [Repeat(m) for m in came.repeats]
    known = Counter(_key(one.measured) for one in history)
    grown = list(history)
    for one in came.repeats:
        if known[_key(one)]:
            known[_key(one)] -= 1
        else:
            grown.append(Repeat(one))
    return grown


def standing(history: Sequence[Repeat]) -> tuple[Measured, ...]:
    """The measurements that count."""
    return tuple(one.measured for one in history if one.stands)


def _key(one: Measured) -> tuple[str, str, str]:
    """What makes two measurements the same; the unit they came in may have cost the last digit."""
    return f"{one.value:.12g}", one.relation, one.reason
