"""Search effort and seeds of docking: presets, and what makes two energies comparable."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from molgfn.errors import UsageError, did_you_mean

#: Raised when the way from a SMILES to its energy changes, so that old results are not reused.
PROTOCOL_VERSION = 1


@dataclass(frozen=True, slots=True)
class DockingSettings:
    """What an energy depends on besides molecule, target and versions.

    Attributes:
        restarts: Independent Monte Carlo runs of each conformer (vina's ``exhaustiveness``).
        max_evals: Evaluations of the energy in one run. Many short runs find more than a few long
            ones, which get trapped: 16 of 25,000 cost a third of one run without a limit and come
            out better.
        n_minima: Minima that a run keeps and refines (vina's ``n_poses``). It is part of the
            search and not of the output: 9 can give energies lower by 0.5 kcal/mol than 1.
        conformers: Conformers docked from, the best energy counts. Vina turns bonds but leaves
            rings as they are embedded.
        seed: Seed of the first conformer and of vina.
    """

    restarts: int = 16
    max_evals: int = 25_000
    n_minima: int = 1
    conformers: int = 1
    seed: int = 1

    @property
    def digest(self) -> str:
        """Identity of these settings and of the protocol, 12 hexadecimal digits."""
        text = json.dumps({"protocol": PROTOCOL_VERSION, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def describe(self) -> str:
        """One line for people, such as ``16 x 25000 evaluations, 1 conformer, seed 1``."""
        plural = "" if self.conformers == 1 else "s"
        return (
            f"{self.restarts} x {self.max_evals} evaluations, "
            f"{self.conformers} conformer{plural}, seed {self.seed}"
        )


#: Named settings. ``default`` made the docked molecules that ship with the package. ``thorough``
#: spends its six-fold time on conformers: between those of one molecule (the ligand of 4JNC) the
#: energy varies by 0.24 kcal/mol (standard deviation), between seeds of vina by 0.05. Of 8 docked
#: molecules 7 came out at least as low with 6 x 16 as with 3 conformers x 32 restarts.
PRESETS = {
    "fast": DockingSettings(restarts=8),
    "default": DockingSettings(restarts=16),
    "thorough": DockingSettings(restarts=16, conformers=6),
}


def find_preset(name: str) -> DockingSettings:
    """Settings by the name of a preset.

    Raises:
        UsageError: There is no such preset.
    """
    if name not in PRESETS:
        hint = did_you_mean(name, PRESETS)
        raise UsageError(f"--preset must be one of {', '.join(PRESETS)}, got {name!r}{hint}")
    return PRESETS[name]
