"""The optional packages for docking, the extra ``dock``, and their versions."""

from __future__ import annotations

import importlib.util
import re
from importlib.metadata import version

from molgfn.errors import MissingPackageError

#: Advice for users without the extra.
CURE = "install them with `pip install 'molgfn[dock]'`"
#: Packages that a docking process imports.
ENGINE_PACKAGES = ("vina", "meeko", "gemmi", "scipy")
#: Older ones subtract a wrong unbound energy: -12.8 where -10.1 kcal/mol is right.
OLDEST_VINA = (1, 2, 5)
#: What meeko is known to raise on molecules that it does not understand; its texts are about its
#: own options and files, so none reaches a user.
MEEKO_FAULTS = (
    *(RuntimeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError),
    *(AssertionError, OSError),
)


def require_engine() -> None:
    """Refuse to dock without the packages for it, before anything is computed.

    Raises:
        MissingPackageError: A package is missing, or vina is too old.
    """
    missing = [name for name in ENGINE_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingPackageError(f"docking needs the packages {', '.join(missing)}; {CURE}")
    found = version("vina")
    if _numbers(found) < OLDEST_VINA:
        oldest = ".".join(map(str, OLDEST_VINA))
        raise MissingPackageError(
            f"vina {found} reports wrong energies (it mistakes the energy of the unbound ligand); "
            f"docking needs vina {oldest} or newer: `pip install 'vina>={oldest}'`"
        )


def engine_versions() -> dict[str, str]:
    """Versions of everything a docking energy depends on.

    Returns:
        Version by package; meeko and RDKit prepare the ligand.
    """
    return {name: version(name) for name in ("vina", "meeko", "rdkit")}


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
