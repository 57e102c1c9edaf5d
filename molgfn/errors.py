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

A message is one line: what was expected, what came, where, and the cure. A programmer's mistake
is a ``ValueError`` or ``TypeError`` and keeps its traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class MolgfnError(Exception):
    """Base of every error that a user can act on."""

    exit_code: int = 1


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
