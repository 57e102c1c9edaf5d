"""Where the files that ship with the package lie, and where molgfn keeps files of its own."""

from __future__ import annotations

import os
from pathlib import Path

from molgfn.errors import ConfigError

#: What messages about damaged files that ship with molgfn advise.
SHIPPED_CURE = "install molgfn again"

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


def shipped_folders() -> list[Path]:
    """All folders with files that ship; each has the digests of its files."""
    below = {file.parent for file in shipped_path().rglob("*") if file.is_file()}
    return sorted(below | {shipped_path("fragments")})


def is_shipped(path: Path) -> bool:
    """Whether a file is one that ships with molgfn."""
    return path.resolve().parent in shipped_folders()


def cure_of(path: Path, cure: str) -> str:
    """What to advise about a damaged file that may be one that ships with molgfn."""
    return SHIPPED_CURE if is_shipped(path) else cure


def cache_directory() -> Path:
    """Directory of what can be computed again, such as docking results; it need not exist.

    ``MOLGFN_CACHE_DIR`` from the environment, else ``molgfn`` in the user's XDG cache directory.

    Raises:
        ConfigError: There is none, as the user has no home directory.
    """
    return _own_directory("MOLGFN_CACHE_DIR", "XDG_CACHE_HOME", ".cache")


def data_directory() -> Path:
    """Directory of what molgfn keeps for the user, such as docking targets; it need not exist.

    ``MOLGFN_DATA_DIR`` from the environment, else ``molgfn`` in the user's XDG data directory.

    Raises:
        ConfigError: There is none, as the user has no home directory.
    """
    return _own_directory("MOLGFN_DATA_DIR", "XDG_DATA_HOME", ".local/share")


def _own_directory(own: str, xdg: str, below_home: str) -> Path:
    try:
        if os.environ.get(own):
            return Path(os.environ[own]).expanduser().absolute()
        # The XDG standard has relative paths ignored.
        base = Path(os.environ.get(xdg, ""))
        return (base if base.is_absolute() else Path.home() / below_home) / "molgfn"
    except RuntimeError as error:  # a user of a container may have no home, nor an entry in passwd
        raise ConfigError(f"there is no home directory; set {own} to a folder") from error
