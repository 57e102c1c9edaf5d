"""A docking function without docking, which worker processes of tests import.

A few molecules are poisoned; every call is written down beside the receptor, with the process.
"""

import os
import sys
import time

from rdkit import Chem

from molgfn.reward.docking.ligand import LigandError
from molgfn.reward.docking.procedure import Pose

HANGS, ABORTS, RAISES, REFUSED, EXITS = "CI", "CBr", "CCl", "CF", "CS"
DIES_ONCE = "CP"
SLOW = "O"


def make(target, settings):
    if settings.seed == 666:
        raise RuntimeError("no maps")
    if settings.seed == 667:
        sys.exit("gone at once")
    folder = target.receptor.parent

    def dock(smiles):
        with (folder / "calls.txt").open("a") as calls:
            calls.write(f"{os.getpid()} {smiles}\n")
        os.write(1, b"talk that must not get between the answers\n")
        if smiles == HANGS:
            time.sleep(600)
        if smiles == ABORTS or (smiles == DIES_ONCE and not (folder / "died").exists()):
            (folder / "died").touch()
            os.write(2, b"terminate called\n")
            os.abort()
        if smiles == RAISES:
            raise RuntimeError("no such map")
        if smiles == EXITS:
            sys.exit(1)
        if smiles == REFUSED:
            raise LigandError("a reason of its own")
        if SLOW in smiles:
            time.sleep(0.3)
        mol = Chem.MolFromSmiles(smiles)
        return Pose(-len(smiles) / 4 - settings.seed, Chem.MolToMolBlock(mol))

    return dock
