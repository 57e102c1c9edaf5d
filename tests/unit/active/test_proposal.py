import numpy as np
import pandas as pd
import pytest

from molgfn.active.proposal import Candidates, propose_batch, rank, score_candidates
from molgfn.chem.molecule import read_molecule
from molgfn.chem.similarity import morgan_fingerprints, tanimoto_distance
from molgfn.config.reward_schema import AcquisitionConfig, RewardConfig
from molgfn.config.rounds_schema import RoundsConfig
from molgfn.reward.reward import build_reward

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
