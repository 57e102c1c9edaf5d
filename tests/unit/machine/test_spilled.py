import math

import pytest

from molgfn.errors import OutputError
from molgfn.machine.spilled import SpilledStore


def test_values_come_back_to_the_last_bit():
    store = SpilledStore[dict[str, object]]()
    value = {"x": 0.1 + 0.2, "n": 3, "text": "é\n", "none": None}
    assert store.get("a") is None
    store.put("a", value)
    store.put("b", {"nan": math.nan})
    assert store.get("a") == value
    assert math.isnan(store.get("b")["nan"])
    store.put("a", {"x": 1})
    assert store.get("a") == {"x": 1}


def test_stores_know_nothing_of_each_other():
    one, other = SpilledStore[int](), SpilledStore[int]()
    one.put("a", 1)
    assert other.get("a") is None


def test_a_full_disk_is_named():
    store = SpilledStore[str]()
    store._connection.execute("PRAGMA max_page_count = 20")
    with pytest.raises(OutputError, match="database or disk is full; free some space"):
        store.put("a", "x" * 10**6)
