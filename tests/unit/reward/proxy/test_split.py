import numpy as np
import pytest

from molgfn.chem.molecule import read_molecule
from molgfn.reward.proxy.split import scaffold_folds


def test_folds_keep_scaffolds_together_and_are_of_about_equal_size():
    smiles = [tail + ring for ring in ("c1ccccc1", "C1CCCC1", "c1ccncc1") for tail in ("C", "CC")]
    molecules = [read_molecule(s) for s in [*smiles, "CCC", "CCCC", "CCCCC"]]
    folds = scaffold_folds(molecules, 3, seed=0)
    assert folds[0] == folds[1]
    assert folds[2] == folds[3]
    assert folds[4] == folds[5]
    assert sorted(np.bincount(folds, minlength=3).tolist()) in ([3, 3, 3], [2, 3, 4])
    assert np.array_equal(folds, scaffold_folds(molecules, 3, seed=0))
    with pytest.raises(ValueError, match="at least 2"):
        scaffold_folds(molecules, 1, seed=0)
