"""Measures of sets of molecules, also of empty ones and of those that failed."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from molgfn.chem.molecule import read_molecule
from molgfn.config.resources import shipped_path
from molgfn.molecules.sampler import load_sampler
from molgfn.reward.reward import build_reward
from molgfn.workflows.evaluate import describe, evaluate_sampler, score_molecules

MEASURES = [
    "molecules", "distinct fraction", "failed to score", "Score mean", "Score top-10",
    "Score top-100", "T_kcal_mol mean", "T_kcal_mol top-10 by Score", "T_kcal_mol top-100 by Score",
    "heavy atoms mean", "Spearman of Score with heavy atoms", "mean pairwise Tanimoto similarity",
    "mean pairwise similarity of top-100", "#Circles at distance 0.7",
]  # fmt: skip
CONTROL_ROWS = [
    "control mean", "proxy minus control", "its standard error",
    "control mean, top-100 by Score", "proxy minus control, top-100 by Score",
    "its standard error, top-100 by Score",
]  # fmt: skip


class SizeReward:
    """1 over the number of heavy atoms, no score with bromine; remembers what it was asked for."""

    value_column = "T_kcal_mol"
    proxy = None

    def __init__(self):
        self.asked = []

    def __call__(self, molecules):
        self.asked.append([m.smiles for m in molecules])
        n = np.array([math.nan if "Br" in m.smiles else m.n_heavy_atoms for m in molecules])
        found = -np.log(n)
        return SimpleNamespace(
            log_score=found, objective_parts=found[:, None], columns={"T_kcal_mol": -n}
        )


class HalfProxy:
    """Predicts minus the heavy atoms, as SizeReward does; its control predicts half of that."""

    control = object()

    def predict(self, molecules):
        value = -np.array([m.n_heavy_atoms for m in molecules], dtype=float)
        return value, np.ones(len(value))

    def predict_control(self, molecules):
        return self.predict(molecules)[0] / 2


def molecules(*smiles):
    return [read_molecule(s) for s in smiles]


def described(*smiles):
    chosen = molecules(*smiles)
    return describe(chosen, score_molecules(chosen, SizeReward()))


def test_the_target_is_that_of_the_condition(monkeypatch):
    """The target is beta times log Score, whatever the beta the policy is asked for."""
    sampler, beta = load_sampler(shipped_path("policy", "parp1"), "cpu"), 3.0

    class WeighedError(Exception):
        """What was to be weighed is known."""

    def stop(sampler, states, log_target, **_):
        raise WeighedError(states, log_target)

    monkeypatch.setattr("molgfn.workflows.evaluate.weigh", stop)
    with pytest.raises(WeighedError) as caught:
        evaluate_sampler(sampler, 10, condition=sampler.ask(beta), seed=0)
    states, log_target = caught.value.args
    found = build_reward(sampler.config.reward)(sampler.env.molecules(states["random"]))
    np.testing.assert_allclose(log_target["random"], beta * found.log_score, rtol=1e-6)


def test_every_distinct_molecule_is_scored_once(monkeypatch):
    monkeypatch.setattr("molgfn.workflows.evaluate.CHUNK_ROWS", 2)
    reward = SizeReward()
    scores = score_molecules(molecules("CC", "CCO", "CC", "OCC", "CCC"), reward)
    assert reward.asked == [["CC", "CCO"], ["CCC"]]
    assert scores.rows(molecules("OCC", "CC")).tolist() == [1, 0]
    np.testing.assert_allclose(np.exp(scores.log_score), [1 / 2, 1 / 3, 1 / 3])
    assert scores.value.tolist() == [-2, -3, -3]


def test_measures_are_over_distinct_molecules_with_a_score():
    found = described("CC", "CCCC", "CC", "CCBr", "CCCCCCCC")
    assert list(found) == MEASURES
    assert found["molecules"] == 5
    assert found["distinct fraction"] == 0.8
    assert found["failed to score"] == 1
    assert found["Score mean"] == pytest.approx((1 / 2 + 1 / 4 + 1 / 8) / 3)
    assert found["T_kcal_mol mean"] == pytest.approx(-14 / 3)
    assert found["heavy atoms mean"] == pytest.approx(14 / 3)
    assert found["Spearman of Score with heavy atoms"] == pytest.approx(-1)


def test_a_set_without_a_score_has_the_same_measures_all_missing():
    counts = {"molecules", "distinct fraction", "failed to score", "#Circles at distance 0.7"}
    for smiles in ((), ("CBr",)):
        found = described(*smiles)
        assert list(found) == MEASURES
        assert found["molecules"] == found["failed to score"] == len(smiles)
        assert all(math.isnan(v) for k, v in found.items() if k not in counts)


def test_proxy_and_control_are_compared_on_what_has_a_score(monkeypatch):
    monkeypatch.setattr(SizeReward, "proxy", HalfProxy())
    found = described("C" * 4, "C" * 8, "C" * 4, "CCBr")
    at = list(found).index("heavy atoms mean")
    assert list(found)[at - 6 : at] == CONTROL_ROWS
    assert found["control mean"] == found["proxy minus control"] == -3
    assert found["its standard error"] == pytest.approx(1.0)  # -2 and -4
    top = [found[name] for name in CONTROL_ROWS[3:]]
    assert top == [found[name] for name in CONTROL_ROWS[:3]]
    nothing = described("CBr")
    assert list(nothing) == list(found)
    assert all(math.isnan(nothing[name]) for name in CONTROL_ROWS)


def test_the_best_by_score_are_compared_apart(monkeypatch):
    monkeypatch.setattr(SizeReward, "proxy", HalfProxy())
    found = described(*("C" * n for n in range(1, 102)))  # the larger, the lower the Score
    assert found["control mean"] == -51 / 2
    assert found["control mean, top-100 by Score"] == -50.5 / 2


def test_one_molecule_has_no_pair():
    found = described("CCO")
    assert found["Score mean"] == pytest.approx(1 / 3)
    assert math.isnan(found["mean pairwise Tanimoto similarity"])
    assert found["#Circles at distance 0.7"] == 1
