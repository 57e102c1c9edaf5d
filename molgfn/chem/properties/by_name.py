"""Properties of a molecule that need no model: size, polarity, drug-likeness, ease of synthesis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import QED, Crippen, Descriptors, rdMolDescriptors

from molgfn.chem.properties.batch import MoleculeBatch
from molgfn.chem.properties.qed import qed
from molgfn.chem.properties.synthetic_accessibility import sa_score, synthetic_accessibility

#: Name of each property, as in CSV columns and in the reward's factors, and how to compute it.
#: Units: MW g/mol, TPSA square ångström, logP of Crippen; QED 0 to 1, higher is more drug-like;
#: SA 1 to 10, lower is easier; the others are counts, fraction_sp3 a share of the carbon atoms.
PROPERTIES: dict[str, Callable[[Chem.Mol], float]] = {
    "MW": Descriptors.MolWt,
    "logP": Crippen.MolLogP,
    "TPSA": rdMolDescriptors.CalcTPSA,
    "QED": QED.qed,
    "SA": sa_score,
    "heavy_atoms": lambda mol: float(mol.GetNumHeavyAtoms()),
    "rotatable_bonds": lambda mol: float(rdMolDescriptors.CalcNumRotatableBonds(mol)),
    "HBD": lambda mol: float(rdMolDescriptors.CalcNumHBD(mol)),
    "HBA": lambda mol: float(rdMolDescriptors.CalcNumHBA(mol)),
    "rings": lambda mol: float(rdMolDescriptors.CalcNumRings(mol)),
    "aromatic_rings": lambda mol: float(rdMolDescriptors.CalcNumAromaticRings(mol)),
    "fraction_sp3": rdMolDescriptors.CalcFractionCSP3,
    "stereo_centres": lambda mol: float(
        len(Chem.FindMolChiralCenters(mol, includeUnassigned=True, useLegacyImplementation=False))
    ),
}

#: Properties that are computed many times as fast for many molecules, with equal results.
BATCH_PROPERTIES: dict[str, Callable[[MoleculeBatch], NDArray[np.float64]]] = {
    "logP": lambda batch: batch.logp,
    "QED": qed,
    "SA": synthetic_accessibility,
}
