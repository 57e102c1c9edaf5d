"""Remembered computation: what is known is looked up, what is missing is computed once and kept.

One count of calls serves every expensive function: the score cache of a training, the docking
cache and the ledger of rounds all report :class:`Calls`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

K = TypeVar("K")
V = TypeVar("V")
KeyT = TypeVar("KeyT", contravariant=True)


@dataclass(frozen=True, slots=True)
class Calls:
    """How many distinct keys were asked for.

    Attributes:
        computed: Those that were computed, and paid for.
        known: Those whose value was there already.
    """

    computed: int = 0
    known: int = 0

    def __add__(self, other: Calls) -> Calls:
        return Calls(self.computed + other.computed, self.known + other.known)


class Store(Protocol[KeyT, V]):
    """Where values are kept: :class:`MemoryStore`, or the docking cache on disk."""

    def get(self, key: KeyT, /) -> V | None:
        """Look a value up; None when it is not there."""
        ...

    def put(self, key: KeyT, value: V, /) -> None:
        """Keep a value, or leave it: a store may refuse what is not worth keeping."""
        ...


class MemoryStore(Generic[K, V]):
    """Values in memory; when there are too many, the oldest is dropped first."""

    def __init__(self, capacity: int, items: Iterable[tuple[K, V]] = ()) -> None:
        self._capacity = capacity
        self._values = OrderedDict(items)

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K, /) -> V | None:
        """Look a value up; None when it is not there."""
        return self._values.get(key)

    def put(self, key: K, value: V, /) -> None:
        """Keep a value; one put again stays as old as it was."""
        self._values[key] = value
        if len(self._values) > self._capacity:
            self._values.popitem(last=False)

    def items(self) -> Iterator[tuple[K, V]]:
        """Keys and values, oldest first."""
        return iter(self._values.items())


#: Computes missing keys. It is called as soon as all keys are looked up and may begin at once, or
#: draw one key whenever a hand is free; values may come in any order.
Compute = Callable[[Iterator[K]], Generator[tuple[K, V], None, None]]


class Remembered(Generic[K, V]):
    """Values of an expensive function, looked up where they are known.

    Attributes:
        calls: Keys asked for so far; may be set, as when a training is resumed.
    """

    def __init__(self, store: Store[K, V]) -> None:
        self.calls = Calls()
        self._store = store

    def __call__(
        self, keys: Iterable[K], compute: Compute[K, V]
    ) -> Generator[tuple[K, V], None, None]:
        """Find the value of every distinct key; a computed one is kept before it is given.

        Args:
            keys: The keys.
            compute: Computes those that are missing. A key is looked up once more when it is
                drawn, as another process may have kept its value since.

        Yields:
            Each distinct key once, with its value: the known ones first, the others as they come.
        """
        found: deque[tuple[K, V]] = deque()

        def draw(keys: Iterable[K]) -> Iterator[K]:
            for key in keys:
                value = self._store.get(key)
                if value is None:
                    yield key
                else:
                    self.calls += Calls(known=1)
                    found.append((key, value))

        missing = list(draw(dict.fromkeys(keys)))
        with closing(compute(draw(missing))) as computed:
            while found:
                yield found.popleft()
            for key, value in computed:
                self._store.put(key, value)
                self.calls += Calls(computed=1)
                yield key, value
                while found:
                    yield found.popleft()
        yield from found


def in_order(keys: Sequence[K], found: Iterable[tuple[K, V]]) -> Iterator[V]:
    """Put values that come in any order back into the order of their keys.

    Args:
        keys: Keys, in the order wanted; one may occur several times.
        found: Each distinct key with its value, drawn no further than the next value needs.

    Yields:
        The value of every key, as soon as those before it are there.

    Raises:
        ValueError: A key has no value.
    """
    found = iter(found)
    values: dict[K, V] = {}
    for key in keys:
        while key not in values:
            item = next(found, None)
            if item is None:
                raise ValueError(f"no value came for {key!r}")
            values[item[0]] = item[1]
        yield values[key]
