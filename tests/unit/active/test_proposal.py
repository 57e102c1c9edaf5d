from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from molgfn.active.proposal import (
    Candidates,
    find_candidates,
    propose_batch,
    rank,
    score_candidates,
)
from molgfn.chem.molecule import read_molecule
from molgfn.chem.similarity import morgan_fingerprints, tanimoto_distance
from molgfn.config.resources import shipped_path
from molgfn.config.reward_schema import AcquisitionConfig, FactorConfig, RewardConfig
from molgfn.config.rounds_schema import RoundsConfig
from molgfn.molecules import rejection
from molgfn.molecules.sampler import load_sampler
from molgfn.reward.reward import build_reward
from molgfn.workflows.sample import draw_candidates

SMILES = [
    *("CCO", "CCCO", "c1ccccc1C", "c1ccccc1CC", "c1ccccc1Cl", "O=C(N)c1ccncc1", "C1CCNC1"),
    *("CC(=O)Oc1ccccc1C(=O)O", "c1ccc2[nH]ccc2c1", "FC(F)(F)C#N"),
]
MOLECULES = [read_molecule(s) for s in SMILES]
EARLIER = [read_molecule("CCCCO"), read_molecule("Cc1ccncc1")]


def candidates(log_opinions):
    frame = pd.DataFrame(
        {
            "SMILES": [m.smiles for m in MOLECULES],
            "Score": 0.5,
            "InChIKey": [m.inchikey for m in MOLECULES],
            "SA": 2.0,
        }
    )
    return Candidates(MOLECULES, frame, np.array(log_opinions, dtype=np.float64))


def propose(log_opinions, k=6, **settings):
    rounds = RoundsConfig(batch_size=k, **{"min_distance": 0.5, "max_per_scaffold": 2} | settings)
    return propose_batch(
        candidates(log_opinions), rounds, k, EARLIER, {"checkpoint": "here"}, "01-{:04d}".format
    )


@pytest.mark.parametrize("selection", ["greedy", "max_min", "log_det"])
def test_a_batch_keeps_its_distance_and_its_scaffolds(selection):
    batch = propose([-np.arange(10.0)], selection=selection)
    molecules = [read_molecule(s) for s in batch["SMILES"]]
    prints = morgan_fingerprints(molecules)
    distances = tanimoto_distance(prints, prints) + np.eye(len(batch))
    assert len(batch) == 6
    assert distances.min() >= 0.5
    rings = [m.scaffold for m in molecules if m.scaffold]
    assert max(rings.count(scaffold) for scaffold in rings) <= 2
    assert batch["SMILES"][0] == "CCO"


def test_rows_say_why_they_were_chosen():
    batch = propose([-np.arange(10.0)])
    assert list(batch.columns) == [
        *("SMILES", "Score", "acquisition", "nearest_earlier", "nearest_earlier_similarity"),
        *("cluster", "checkpoint", "ledger_entry", "InChIKey", "SA"),
    ]
    assert batch["nearest_earlier"][0] == "CCCCO"
    assert batch["ledger_entry"].tolist()[:2] == ["01-0001", "01-0002"]
    assert batch["acquisition"].is_monotonic_decreasing
    assert batch["cluster"].tolist()[0] == 0


def test_what_failed_is_never_proposed():
    opinions = -np.arange(10.0)
    opinions[[0, 4]] = np.nan
    assert not set(propose([opinions], k=10)["SMILES"]) & {SMILES[0], MOLECULES[4].smiles}


def test_members_choose_in_turn_each_its_best_of_what_is_left():
    first, second = [-1.0, -2.0, -3.0, -9.0], [-4.0, -1.5, -0.5, np.nan]
    priority, acquisition = rank(np.array([first, second]))
    assert np.argsort(-priority[:3]).tolist() == [0, 2, 1]
    assert acquisition[:3].tolist() == [-1.0, -2.0, -0.5]
    assert np.isnan([priority[3], acquisition[3]]).all()


def test_one_opinion_is_the_priority():
    priority, acquisition = rank(np.array([[-1.0, np.nan]]))
    assert priority is not None
    assert acquisition[0] == -1.0
    assert np.isnan(priority[1])


@pytest.mark.parametrize(
    ("acquisition", "n_opinions"),
    [
        (AcquisitionConfig("greedy"), 1),
        (AcquisitionConfig("ucb", exploration=1.0), 1),
        (AcquisitionConfig("log_ei", best=-9.0), 1),
        (AcquisitionConfig("thompson"), 5),
    ],
)
def test_candidates_are_scored_with_and_without_the_acquisition(acquisition, n_opinions):
    found = score_candidates(MOLECULES, RewardConfig(acquisition=acquisition))
    plain = build_reward(RewardConfig())(MOLECULES)
    assert found.log_opinions.shape == (n_opinions, len(MOLECULES))
    assert found.table["Score"].to_numpy() == pytest.approx(plain.score)
    assert list(found.table.columns)[:4] == [
        *("SMILES", "Score", "PARP1_kcal_mol", "PARP1_kcal_mol_std")
    ]
    is_greedy = acquisition.kind == "greedy"
    assert np.allclose(found.log_opinions[0], plain.log_score) == is_greedy
    batch = propose_batch(found, RoundsConfig(batch_size=3), 3, EARLIER, {}, str)
    assert len(batch) == 3


def test_no_candidate_gives_an_empty_batch():
    found = score_candidates([], RewardConfig(acquisition=AcquisitionConfig("thompson")))
    batch = propose_batch(found, RoundsConfig(batch_size=3), 3, EARLIER, {}, str)
    assert len(batch) == 0
    assert "ledger_entry" in batch.columns


@pytest.fixture(scope="module")
def sampler():
    return load_sampler(shipped_path("policy", "parp1"), "cpu")


def with_reward(sampler, **changes):
    reward = replace(sampler.config.reward, **changes)
    return replace(sampler, config=replace(sampler.config, reward=reward))


def candidates_of(sampler, tell=print, **options):
    rounds = RoundsConfig(candidates=40, batch_size=5)
    options = {"known": (), "refused": lambda _: ""} | options
    return find_candidates(
        sampler, rounds, condition=sampler.ask(32.0), seed=3, tell=tell, **options
    ).molecules


def drawn(sampler, *, rejection_control):
    """What the policy itself gives, as tables have it."""
    batches = draw_candidates(
        sampler, 40, condition=sampler.ask(32.0), seed=3, rejection_control=rejection_control
    )
    return [read_molecule(s.molecule.smiles, keep_stereo=False) for b in batches for s in b]


def test_candidates_come_through_rejection_control(sampler):
    found = candidates_of(sampler)
    assert found == drawn(sampler, rejection_control=True)
    assert found != drawn(sampler, rejection_control=False)


def test_a_scorer_of_ones_own_is_not_asked_for_draws_that_are_thrown_away(sampler, monkeypatch):
    own = FactorConfig("no_such_scorer", "identity")
    sampler, told = with_reward(sampler, factors=(*sampler.config.reward.factors, own)), []
    expected = drawn(sampler, rejection_control=False)
    monkeypatch.setattr(
        "molgfn.active.proposal.score_candidates", lambda m, *_: Candidates(m, None, None)
    )
    assert candidates_of(sampler, told.append) == expected
    assert len(told) == 1
    assert "your own scorer would have to score every draw" in told[0]


@pytest.mark.parametrize("kind", ["ucb", "thompson"])
def test_draws_are_held_against_the_reward_that_the_policy_learned(sampler, kind, monkeypatch):
    asked = []
    monkeypatch.setattr(
        rejection, "build_reward", lambda c, **o: asked.append(c) or build_reward(c, **o)
    )
    acquired = with_reward(sampler, acquisition=AcquisitionConfig(kind, power=32.0))
    assert candidates_of(acquired) != candidates_of(sampler)
    assert asked[0].acquisition.kind == kind


def test_what_was_asked_for_or_would_be_refused_is_no_candidate(sampler):
    everything = candidates_of(sampler)
    known, refused = everything[0], everything[1]
    found = candidates_of(
        sampler, known={known.inchikey}, refused=lambda m: "no" if m == refused else ""
    )
    assert found == everything[2:]
