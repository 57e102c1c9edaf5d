"""JSON that molgfn wrote and reads back: every value is checked as it is taken.

What comes out is of the type that was asked for, numbers are finite, and whatever is wrong is one
error that names the file, the key and the cure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from molgfn.errors import CheckpointError

#: Largest whole number, so that it fits whatever it is put into.
LARGEST = 2**53
_LARGEST_NUMBER = 1e300
#: Deepest nesting of what is kept as it came.
_DEEPEST = 20


class Document(Mapping[str, Any]):
    """A JSON object with the file it came from.

    As a mapping it gives values as they came; the methods give values of one type.

    Attributes:
        source: File, for messages.
        cure: What messages advise.
    """

    def __init__(
        self, values: Mapping[str, Any], source: object, cure: str, prefix: str = ""
    ) -> None:
        """Wrap values.

        Args:
            values: The values by key.
            source: File, for messages.
            cure: What messages advise.
            prefix: Dotted key of the values themselves, with a dot at its end.
        """
        self.source, self.cure = str(source), cure
        self._values, self._prefix = values, prefix

    @classmethod
    def parse(cls, content: bytes, source: object, cure: str) -> Document:
        """Read a file's content.

        Raises:
            CheckpointError: It is no JSON object.
        """
        try:
            values = json.loads(content)
        except RecursionError as error:
            raise CheckpointError(
                f"{source} is not valid JSON: nested too deeply; {cure}"
            ) from error
        except ValueError as error:  # also of bytes that are no text, and of endless numbers
            raise CheckpointError(f"{source} is not valid JSON: {error}; {cure}") from error
        if not isinstance(values, dict):
            raise CheckpointError(
                f"{source} is not valid JSON: expected an object, got a {_kind(values)}; {cure}"
            )
        return cls(values, source, cure)

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def fault(self, key: str, problem: str) -> CheckpointError:
        """Make the error about a key: ``problem`` is such as ``is not one of a, b``."""
        return CheckpointError(f"{self.source}: {self._prefix}{key} {problem}; {self.cure}")

    def whole(self, key: str, least: int = 0, most: int = LARGEST) -> int:
        """A whole number.

        Raises:
            CheckpointError: It is missing, something else or out of range.
        """
        value = self._take(key, "a whole number")
        if type(value) is not int or not least <= value <= most:
            raise self._unlike(key, value, f"a whole number from {least} to {most}")
        return value

    def number(self, key: str) -> float:
        """A finite number.

        Raises:
            CheckpointError: It is missing or something else.
        """
        value = self._take(key, "a number")
        if not _is_number(value):
            raise self._unlike(key, value, "a finite number")
        return float(value)

    def text(self, key: str) -> str:
        """A text.

        Raises:
            CheckpointError: It is missing or something else.
        """
        value = self._take(key, "a text")
        if not isinstance(value, str):
            raise self._unlike(key, value, "a text")
        return value

    def numbers(self, key: str, n: int | None = None) -> tuple[float, ...]:
        """A list of finite numbers, of a given length where there is one.

        Raises:
            CheckpointError: It is missing or something else.
        """
        values = self.items_of(key)
        if not all(_is_number(value) for value in values) or n not in (None, len(values)):
            raise self.fault(key, f"is not a list of {'' if n is None else f'{n} '}finite numbers")
        return tuple(float(value) for value in values)

    def texts(self, key: str) -> list[str]:
        """A list of texts.

        Raises:
            CheckpointError: It is missing or something else.
        """
        values = self.items_of(key)
        if not all(isinstance(value, str) for value in values):
            raise self.fault(key, "is not a list of texts")
        return values

    def items_of(self, key: str) -> list[Any]:
        """A list, whose items the caller checks.

        Raises:
            CheckpointError: It is missing or something else.
        """
        value = self._take(key, "a list")
        if not isinstance(value, list):
            raise self._unlike(key, value, "a list")
        return value

    def section(self, key: str) -> Document:
        """An object within.

        Raises:
            CheckpointError: It is missing or something else.
        """
        value = self._take(key, "an object")
        if not isinstance(value, dict):
            raise self._unlike(key, value, "an object")
        return Document(value, self.source, self.cure, f"{self._prefix}{key}.")

    def plain(self, key: str) -> dict[str, Any]:
        """An object that is kept as it came, for people; NaN and all, but not nested for ever.

        Raises:
            CheckpointError: It is missing, something else or nested too deeply.
        """
        self.section(key)
        level: list[Any] = [self._values[key]]
        for _ in range(_DEEPEST):
            level = [inner for value in level for inner in _inside(value)]
        if level:
            raise self.fault(key, f"is nested more than {_DEEPEST} deep")
        return dict(self._values[key])

    def _take(self, key: str, expected: str) -> Any:
        if key not in self._values:
            raise self.fault(key, f"is missing, expected {expected}")
        return self._values[key]

    def _unlike(self, key: str, value: Any, expected: str) -> CheckpointError:
        return self.fault(key, f"must be {expected}, got {_show(value)}")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _is_number(value: Any) -> bool:
    # A comparison, which is false for NaN; math.isfinite overflows at an integer of 400 digits.
    return type(value) in (int, float) and abs(value) < _LARGEST_NUMBER


def _show(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"a {_kind(value)}"
    if isinstance(value, int) and abs(value) > LARGEST:
        return "a number too large"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "object"
    return "list" if isinstance(value, list) else "single value"
