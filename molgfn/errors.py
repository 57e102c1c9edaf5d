"""The errors somebody outside can fix, each with the exit code of the command line.

::

    MolgfnError                1
    ├── UsageError             2   options that contradict each other
    ├── InputError             3   a config or input file is at fault
    │   ├── ConfigError
    │   ├── MoleculeError
    │   ├── VocabularyError
    │   ├── TableError
    │   ├── TargetError
    │   └── CheckpointError
    ├── RowsFailedError        4   rows failed under ``--strict``
    ├── ShortfallError         5   fewer results than asked for
    ├── OutputError            1   the disk is full, the directory cannot be written
    ├── ScorerError            1   a scorer broke as a whole, not on one molecule
    ├── MissingPackageError    1   an optional package is needed and is not there
    └── NumericalError         1   a NaN or infinity where a number is needed

A message is one line: what was expected, what came, where, and the cure. What came is quoted with
:func:`shown`, a path in a command
:func:`shell_quoted`. A programmer's mistake is a
``ValueError`` or ``TypeError`` and keeps its traceback.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from shlex import quote

#: Characters of a value that a message quotes.
_MAX_SHOWN = 60
#: Characters of a message: far more than any needs that quotes no foreign text.
_MAX_MESSAGE = 1000


class MolgfnError(Exception):
    """Base of every error that a user can act on."""

    exit_code: int = 1

    def __str__(self) -> str:
        """The message; of a very long one the middle is left out, for the cure stands last."""
        text = super().__str__()
        half = _MAX_MESSAGE // 2
        return text if len(text) <= _MAX_MESSAGE else f"{text[:half]} … {text[-half:]}"


class UsageError(MolgfnError):
    """Options that contradict each other or miss a partner."""

    exit_code = 2


class InputError(MolgfnError):
    """A file or value that came from the user cannot be used."""

    exit_code = 3


class ConfigError(InputError):
    """A configuration key or value is wrong."""


class MoleculeError(InputError):
    """A SMILES string does not describe a usable molecule."""


class VocabularyError(InputError):
    """A fragment vocabulary is malformed, or not the one a run was made with."""


class TableError(InputError):
    """A table of molecules cannot be read."""


class TargetError(InputError):
    """A docking target does not exist or cannot be made."""


class CheckpointError(InputError):
    """A file that molgfn wrote, such as a checkpoint, is damaged or cannot be used."""


class RowsFailedError(MolgfnError):
    """Rows failed and the user asked for strictness."""

    exit_code = 4


class ShortfallError(MolgfnError):
    """Fewer results than asked for could be delivered."""

    exit_code = 5


class OutputError(MolgfnError):
    """A file cannot be written."""


class ScorerError(MolgfnError):
    """A scorer failed as a whole."""


class MissingPackageError(MolgfnError):
    """An optional package is needed and is not installed, or too old."""


class NumericalError(MolgfnError):
    """A NaN or an infinity where a finite number is needed."""


def shown(value: object) -> str:
    """What came, in a message: as Python writes it, on less than a line.

    Args:
        value: Anything read from a file or an option; lists and sections are only named.
    """
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    # A part of a long text is enough: writing out all of it costs time and memory.
    text = repr(value[: _MAX_SHOWN + 1] if isinstance(value, str) else value)
    return brief(text, _MAX_SHOWN)


def brief(text: str, limit: int = 200) -> str:
    """Foreign words in a message, such as another program's reason: their beginning."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def shell_quoted(path: str | Path) -> str:
    """A path or name in a suggested command, which can be pasted into a shell as it stands."""
    text = str(path)
    return quote(f"./{text}" if text.startswith("-") else text)


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """End of a message about an unknown name.

    Args:
        word: What came, in any case.
        known: What could have come.
        prefix: Put before the suggestion, such as the dotted key of a section.

    Returns:
        ``"; did you mean …?"`` with the nearest name, or nothing when none is near.
    """
    by_lower = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), by_lower, n=1)
    return f"; did you mean {prefix}{by_lower[near[0]]}?" if near else ""


def a_few(items: Sequence[str], most: int = 3) -> str:
    """The first of many things, and how many more there are, for one line of a message."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return "; ".join(items[:most]) + more
