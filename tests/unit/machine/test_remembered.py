import math
from itertools import islice

import pytest

from molgfn.machine.remembered import Calls, MemoryStore, Remembered, in_order


class Squares:
    """A computation that takes keys in pairs and gives the later of each pair first."""

    def __init__(self):
        self.drawn = []

    def __call__(self, keys):
        while pair := list(islice(keys, 2)):
            self.drawn.extend(pair)
            for key in reversed(pair):
                yield key, key * key


def test_a_key_is_computed_once_and_known_afterwards():
    remembered, squares = Remembered(MemoryStore(10)), Squares()
    assert list(remembered([1, 2, 1, 3], squares)) == [(2, 4), (1, 1), (3, 9)]
    assert remembered.calls == Calls(computed=3, known=0)
    assert list(remembered([4, 3, 2, 3], squares)) == [(3, 9), (2, 4), (4, 16)]
    assert remembered.calls == Calls(computed=4, known=2)
    assert squares.drawn == [1, 2, 3, 4]


def test_the_computation_may_begin_before_the_known_are_taken():
    remembered = Remembered(MemoryStore(10))
    list(remembered([1], Squares()))
    begun = []

    def begin(keys):
        begun.extend(keys)
        return ((key, key * key) for key in begun)

    assert next(remembered([1, 2, 3], begin)) == (1, 1)
    assert begun == [2, 3]


def test_a_key_that_somebody_else_keeps_meanwhile_is_not_computed():
    store, squares = MemoryStore(10), Squares()
    remembered = Remembered(store)
    found = remembered([1, 2, 3, 4, 5], squares)
    assert next(found) == (2, 4)
    for key in (3, 4, 5):
        store.put(key, -key)
    assert list(found) == [(1, 1), (3, -3), (4, -4), (5, -5)]
    assert squares.drawn == [1, 2]
    assert remembered.calls == Calls(computed=2, known=3)


def test_what_a_store_refuses_is_computed_again():
    class Picky(MemoryStore):
        def put(self, key, value, /):
            if value > 1:
                super().put(key, value)

    remembered, squares = Remembered(Picky(10)), Squares()
    for _ in range(2):
        assert sorted(remembered([1, 2], squares)) == [(1, 1), (2, 4)]
    assert squares.drawn == [1, 2, 1]


def test_a_computation_that_is_given_up_is_closed_and_keeps_what_came():
    closed = []

    def compute(keys):
        try:
            for key in keys:
                yield key, key
        finally:
            closed.append(True)

    remembered = Remembered(MemoryStore(10))
    found = remembered([1, 2, 3], compute)
    next(found)
    found.close()
    assert closed == [True]
    assert remembered.calls == Calls(computed=1)
    assert list(remembered([1], compute)) == [(1, 1)]


def test_the_oldest_value_is_dropped_first_and_no_number_is_a_value():
    store = MemoryStore(2, [("a", 1.0)])
    store.put("b", math.nan)
    store.put("a", 2.0)
    store.put("c", 3.0)
    assert store.get("a") is None
    assert list(store.items())[1] == ("c", 3.0)
    assert math.isnan(store.get("b"))
    assert len(store) == 2


def test_values_return_to_the_order_of_their_keys_as_soon_as_they_can():
    drawn = []

    def found():
        for item in [(2, "b"), (1, "a"), (3, "c")]:
            drawn.append(item[0])
            yield item

    values = in_order([1, 2, 1, 3], found())
    assert [next(values) for _ in range(3)] == ["a", "b", "a"]
    assert drawn == [2, 1]
    assert list(values) == ["c"]


def test_a_key_without_a_value_is_a_programmers_mistake():
    with pytest.raises(ValueError, match="no value came for 2"):
        list(in_order([1, 2], [(1, 1)]))


def test_calls_add_up():
    assert Calls(1, 2) + Calls(10, 20) == Calls(11, 22)
