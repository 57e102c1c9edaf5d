"""AutoDock Vina with the maps of one receptor, into which ligands are docked one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from molgfn.reward.docking.docking_target import DockingTarget
from molgfn.reward.docking.packages import MEEKO_FAULTS
from molgfn.reward.docking.settings import DockingSettings


class Engine(Protocol):
    """Docks prepared ligands into one target."""

    def dock(self, pdbqt: str, restarts: int) -> tuple[float, str]:
        """Dock a ligand.

        Args:
            pdbqt: The ligand as :func:`~molgfn.reward.docking.ligand.ligand_pdbqt` writes it.
            restarts: Independent searches.
        """
        ...


class VinaEngine:
    """AutoDock Vina with the maps of one target in memory, about 500 MB.

    The same ligand gives the same energy to the last bit, whatever was docked before it.
    """

    def __init__(self, target: DockingTarget, settings: DockingSettings) -> None:
        """Compute the maps, about two seconds.

        Raises:
            RuntimeError: Vina cannot read the receptor or compute the maps.
        """
        from vina import Vina

        self._settings = settings
        self._vina = Vina(sf_name="vina", cpu=1, seed=settings.seed, verbosity=0)
        with _vina_faults(f"vina cannot read the receptor {target.receptor}"):
            self._vina.set_receptor(str(target.receptor))
        with _vina_faults("vina cannot compute the maps of the box"):
            self._vina.compute_vina_maps(center=list(target.center), box_size=list(target.size))

    def dock(self, pdbqt: str, restarts: int) -> tuple[float, str]:
        """Dock a ligand; see :meth:`Engine.dock`.

        Raises:
            RuntimeError: Vina cannot read the ligand, or found no pose.
        """
        if not pdbqt.strip():  # vina would end the process
            raise RuntimeError("the ligand is empty")
        with _vina_faults("vina cannot read the ligand"):
            self._vina.set_ligand_from_string(pdbqt)
        with _vina_faults("vina cannot dock the ligand"):
            self._vina.dock(
                exhaustiveness=restarts,
                n_poses=self._settings.n_minima,
                max_evals=self._settings.max_evals,
            )
        energies = self._vina.energies(n_poses=1)
        if len(energies) == 0:
            raise RuntimeError("vina found no pose inside the box")
        energy = float(energies[0][0])
        if not math.isfinite(energy):
            raise RuntimeError(f"vina returned the energy {energy}")
        return round(energy, 3), str(self._vina.poses(n_poses=1))


@contextmanager
def _vina_faults(what: str) -> Iterator[None]:
    """Say in our words what failed: vina's text is about its own source and prototypes."""
    try:
        yield
    except (RuntimeError, TypeError, ValueError) as error:
        raise RuntimeError(what) from error


def pose_molblock(pdbqt: str, name: str = "") -> str:
    """Turn a docked pose into a molecule with bond orders and hydrogens.

    Args:
        pdbqt: Pose of a ligand that meeko wrote: its remarks hold the SMILES.
        name: First line of the block.

    Raises:
        RuntimeError: The remarks do not fit the atoms.
    """
    from meeko import PDBQTMolecule, RDKitMolCreate
    from rdkit import Chem

    try:
        parsed = PDBQTMolecule(pdbqt, is_dlg=False, skip_typing=True)
        (mol,) = RDKitMolCreate.from_pdbqt_mol(parsed)
    except MEEKO_FAULTS as error:
        raise RuntimeError("the pose cannot be read back") from error
    if mol is None or mol.GetNumConformers() != 1:
        raise RuntimeError("the pose cannot be mapped back to the molecule")
    mol.SetProp("_Name", name)
    return str(Chem.MolToMolBlock(mol))
