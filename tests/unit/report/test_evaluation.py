"""Measures of sets of molecules, also of empty ones and of those that failed."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from molgfn.chem.molecule import read_molecule
from molgfn.report import evaluation
from molgfn.report.evaluation import describe, score_molecules

MEASURES = [
    "molecules", "distinct fraction", "failed to score", "Score mean", "Score top-10",
    "Score top-100", "T_kcal_mol mean", "T_kcal_mol top-10 by Score", "T_kcal_mol top-100 by Score",
    "heavy atoms mean", "Spearman of Score with heavy atoms", "mean pairwise Tanimoto similarity",
    "mean pairwise similarity of top-100", "#Circles at distance 0.7",
]  # fmt: skip


class SizeReward:
    """1 over the number of heavy atoms, no score with bromine; remembers what it was asked for."""

    value_column = "T_kcal_mol"

    def __init__(self):
        self.asked = []

    def __call__(self, molecules):
        self.asked.append([m.smiles for m in molecules])
        n = np.array([math.nan if "Br" in m.smiles else m.n_heavy_atoms for m in molecules])
        return SimpleNamespace(log_score=-np.log(n), columns={"T_kcal_mol": -n})


def molecules(*smiles):
    return [read_molecule(s) for s in smiles]


def described(*smiles):
    chosen = molecules(*smiles)
    return describe(chosen, score_molecules(chosen, SizeReward()))


def test_every_distinct_molecule_is_scored_once(monkeypatch):
    monkeypatch.setattr(evaluation, "CHUNK_ROWS", 2)
    reward = SizeReward()
    scores = score_molecules(molecules("CC", "CCO", "CC", "OCC", "CCC"), reward)
    assert reward.asked == [["CC", "CCO"], ["CCC"]]
    assert scores.rows(molecules("OCC", "CC")).tolist() == [1, 0]
    np.testing.assert_allclose(np.exp(scores.log_score), [1 / 2, 1 / 3, 1 / 3])
    assert scores.value.tolist() == [-2, -3, -3]


def test_measures_are_over_distinct_molecules_with_a_score():
    found = described("CC", "CCCC", "CC", "CCBr")
    assert list(found) == MEASURES
    assert found["molecules"] == 4
    assert found["distinct fraction"] == 0.75
    assert found["failed to score"] == 1
    assert found["Score mean"] == pytest.approx(3 / 8)
    assert found["T_kcal_mol mean"] == -3
    assert found["heavy atoms mean"] == 3
    assert found["Spearman of Score with heavy atoms"] == pytest.approx(-1)


def test_a_set_without_a_score_has_the_same_measures_all_missing():
    counts = {"molecules", "distinct fraction", "failed to score", "#Circles at distance 0.7"}
    for smiles in ((), ("CBr",)):
        found = described(*smiles)
        assert list(found) == MEASURES
        assert found["molecules"] == found["failed to score"] == len(smiles)
        assert all(math.isnan(v) for k, v in found.items() if k not in counts)


def test_one_molecule_has_no_pair():
    found = described("CCO")
    assert found["Score mean"] == pytest.approx(1 / 3)
    assert math.isnan(found["mean pairwise Tanimoto similarity"])
    assert found["#Circles at distance 0.7"] == 1
