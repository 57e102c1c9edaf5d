"""Generated series of molecules: n of them over k scaffolds, with values of all kinds."""

from __future__ import annotations

import numpy as np

from molgfn.chem.molecule import read_molecule
from molgfn.reward.proxy.dataset import Dataset

RINGS = [
    "c1ccccc1",
    "c1ccncc1",
    "C1CCNCC1",
    "c1ccsc1",
    "C1CCCC1",
    "c1ccc2ccccc2c1",
    "C1COCCN1",
    "c1cn[nH]c1",
    "c1ccoc1",
    "C1CCOCC1",
    "c1cncnc1",
    "C1CC1",
    "c1ccc2[nH]ccc2c1",
]
TAILS = [
    "C",
    "CC",
    "CCC",
    "CCCC",
    "CO",
    "CCO",
    "OC",
    "CN",
    "CCN",
    "F",
    "Cl",
    "Br",
    "C#N",
    "CC#N",
    "C(F)(F)F",
    "S(C)(=O)=O",
    "C(=O)O",
    "C(N)=O",
    "CF",
    "CCl",
    "C(C)C",
    "CCCl",
    "OCC",
    "CCCO",
    "CCCN",
    "NC(C)=O",
    "C(C)(C)C",
    "SC",
    "OC(C)C",
    "CCCCC",
    "CCOC",
    "COC",
    "C=C",
    "C#C",
    "CC=C",
    "CBr",
    "I",
    "CI",
    "CCBr",
    "OCF",
    "OC(F)F",
    "SCC",
    "CCS",
    "CS",
    "CCCS",
    "CCC#N",
    "C(C)=O",
    "CC(C)=O",
    "CCC(=O)O",
    "CC(=O)O",
    "CCCCO",
    "CCCCN",
    "CCCCF",
    "CCCF",
    "CCCBr",
    "OCCO",
    "OCCN",
    "NCCO",
    "NCC",
    "NCCC",
    "CCCCCC",
]
SHAPES = ("equal", "one large", "halves")


def smiles_of(n: int, k: int, shape: str, rng: np.random.Generator) -> list[str]:
    """Molecules of a series.

    Args:
        n: How many.
        k: How many scaffolds they have, 1 to 13.
        shape: ``equal`` shares; ``one large`` scaffold with few molecules of each other; each
            scaffold ``halves`` what those before it left.
        rng: Chooses scaffolds and substituents.
    """
    if shape == "equal":
        sizes = [n // k + (i < n % k) for i in range(k)]
    elif shape == "one large":
        sizes = [n - (k - 1), *[1] * (k - 1)]
    else:
        sizes = [max(1, (n - k) >> (i + 1)) for i in range(k)]
        sizes[0] += n - sum(sizes)
    rings = rng.permutation(RINGS)[:k]
    return [
        ring + tail
        for ring, size in zip(rings, sizes, strict=True)
        for tail in rng.permutation(TAILS)[:size]
    ]


def values_of(n: int, kind: str, rng: np.random.Generator) -> np.ndarray:
    """Values of n molecules: ``normal``, ``tiny``, ``huge``, ``two``, ``outlier``, ``constant``
    or ``one differs``.
    """  # fmt: skip
    values = rng.normal(6.5, 1.0, n)
    if kind == "tiny":
        return 10.0**-values
    if kind == "huge":
        return values * 1e14
    if kind == "two":
        return (values > 7.0).astype(float)
    if kind == "outlier":
        values[rng.integers(n)] *= 1e6
    if kind in ("constant", "one differs"):
        values[:] = 5.3
    if kind == "one differs":
        values[rng.integers(n)] = 7.0
    return values


def series(n: int, k: int, shape: str = "equal", kind: str = "normal", seed: int = 0) -> Dataset:
    """A series as training data."""
    rng = np.random.default_rng(seed)
    molecules = tuple(read_molecule(text) for text in smiles_of(n, k, shape, rng))
    return Dataset(molecules, values_of(n, kind, rng))
