"""Where the files that ship with the package lie, installed or in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_path(*parts: str) -> Path:
    """Path of a file or directory that ships with molgfn.

    A wheel holds everything under ``molgfn/shipped``. In a checkout the vocabularies lie in the
    top-level folder ``fragments``, where people look for them, and the rest in ``molgfn/shipped``.

    Args:
        *parts: Path below the shipped files, such as ``"fragments", "default.yaml"``.

    Returns:
        The path; it need not exist.
    """
    path = _PACKAGE.joinpath("shipped", *parts)
    if parts[:1] == ("fragments",) and not path.exists():
        return _PACKAGE.parent.joinpath(*parts)
    return path
