"""Properties of a molecule that need no model: size, polarity, drug-likeness, ease of synthesis."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from types import ModuleType

from rdkit import Chem
from rdkit.Chem import QED, Crippen, Descriptors, rdMolDescriptors


def synthetic_accessibility(mol: Chem.Mol) -> float:
    """Estimate how hard a molecule is to make from fragment frequencies and complexity.

    Args:
        mol: Sanitised molecule.

    Returns:
        SA score, 1 (easy) to 10 (hard).

    References:
        Ertl and Schuffenhauer 2009, Estimation of synthetic accessibility score of drug-like
        molecules. https://doi.org/10.1186/1758-2946-1-8
    """
    return float(_sa_scorer().calculateScore(mol))


@cache
def _sa_scorer() -> ModuleType:
    """RDKit's contributed scorer; it announces its own move with a warning on import."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from rdkit.Contrib.SA_Score import sascorer
    return sascorer  # type: ignore[no-any-return]


#: Name of each property, as in CSV columns and in the reward's factors, and how to compute it.
#: Units: MW g/mol, TPSA square ångström, logP of Crippen; QED 0 to 1, higher is more drug-like;
#: SA 1 to 10, lower is easier; the others are counts, fraction_sp3 a share of the carbon atoms.
PROPERTIES: dict[str, Callable[[Chem.Mol], float]] = {
    "MW": Descriptors.MolWt,
    "logP": Crippen.MolLogP,
    "TPSA": rdMolDescriptors.CalcTPSA,
    "QED": QED.qed,
    "SA": synthetic_accessibility,
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
