"""Every distinct state is scored once; a failed score stays missing, also after a resume."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from molgfn.config.schema import LimitsConfig
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.tree import FragmentTree
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.target.chunk_queue import ChunkQueue
from molgfn.molecules.target.target import MoleculeScore

VOCABULARY = Vocabulary(
    "tiny", (Fragment.build("c1ccccc1", dict.fromkeys(range(6), 1)), Fragment.build("N", {0: 2}))
)
ENV = FragmentEnv(VOCABULARY, LimitsConfig(max_fragments=3))


class StubReward:
    """0.8 for every molecule, no score for aniline."""

    needs_molecules = True

    def __init__(self):
        self.calls = []

    def __call__(self, molecules):
        self.calls.append([m.smiles for m in molecules])
        values = [math.nan if m.smiles == "Nc1ccccc1" else 0.8 for m in molecules]
        return type("Table", (), {"log_score": np.log(values)})


def terminal(*trees):
    return FragmentStates.from_trees(trees, 3, torch.device("cpu"))


ANILINE = FragmentTree((0, 1), (-1, 0), (-1, 2), (-1, 0))
ANILINE_AGAIN = FragmentTree((1, 0), (-1, 0), (-1, 0), (-1, 5))
BIPHENYL = FragmentTree((0, 0), (-1, 0), (-1, 0), (-1, 0))
BENZENE = FragmentTree((0,), (-1,), (-1,), (-1,))
DIPHENYLAMINE = FragmentTree((1, 0, 0), (-1, 0, 0), (-1, 0, 0), (-1, 1, 3))


def test_scores_once_and_keeps_failures_missing():
    reward = StubReward()
    score = MoleculeScore(ENV, reward)
    found = score(terminal(ANILINE, DIPHENYLAMINE, ANILINE_AGAIN))
    assert found.isnan().tolist() == [True, False, True]
    assert float(found[1]) == pytest.approx(math.log(0.8))
    assert score(terminal(ANILINE, DIPHENYLAMINE)).isnan().tolist() == [True, False]
    assert reward.calls == [["Nc1ccccc1", "c1ccc(Nc2ccccc2)cc1"]] or reward.calls == [
        ["c1ccc(Nc2ccccc2)cc1", "Nc1ccccc1"]
    ]
    assert score.statistics() == {"distinct": 2, "modes": 1}


def test_state_survives_json():
    first, second = MoleculeScore(ENV, StubReward()), MoleculeScore(ENV, StubReward())
    first(terminal(ANILINE, DIPHENYLAMINE))
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert second.state_dict() == first.state_dict()
    assert second(terminal(ANILINE)).isnan().all()
    assert second._reward.calls == []


def test_parts_are_scored_in_turn_and_a_state_of_two_parts_once(monkeypatch):
    monkeypatch.setattr("molgfn.molecules.target.target.MAX_CHUNK_SIZE", 1)
    monkeypatch.setattr(ChunkQueue, "n_workers", 1)
    reward = StubReward()
    score = MoleculeScore(ENV, reward)
    score(terminal(BIPHENYL))
    reward.calls.clear()
    parts = [
        terminal(DIPHENYLAMINE, BIPHENYL),
        terminal(ANILINE, DIPHENYLAMINE),
        terminal(ANILINE_AGAIN, BENZENE, ANILINE),
    ]
    in_parts = score.in_parts(parts)
    found = [next(in_parts)]
    assert len(reward.calls) == 1  # the others are not waited for
    found += in_parts
    assert [len(call) for call in reward.calls] == [1, 1, 1]
    assert [x.isnan().tolist() for x in found] == [
        [False, False],
        [True, False],
        [True, False, True],
    ]
    whole = MoleculeScore(ENV, StubReward())
    whole(terminal(BIPHENYL))
    assert whole(FragmentStates.cat(parts)).isnan().equal(torch.cat(found).isnan())
    assert whole.state_dict() == score.state_dict()


@pytest.mark.parametrize(
    ("n_workers", "sizes"),
    [(0, [4]), (1, [1, 1, 2]), (2, [1, 1, 1, 1])],  # the first is cut in two where it can be
)
def test_a_batch_is_cut_where_workers_share_it(monkeypatch, n_workers, sizes):
    monkeypatch.setattr("molgfn.molecules.target.target.MIN_CHUNK_SIZE", 1)
    monkeypatch.setattr("molgfn.molecules.target.target.MAX_CHUNK_SIZE", 2)
    monkeypatch.setattr(ChunkQueue, "n_workers", n_workers)
    reward = StubReward()
    parts = [terminal(BENZENE), terminal(BIPHENYL, BENZENE), terminal(ANILINE, DIPHENYLAMINE)]
    list(MoleculeScore(ENV, reward).in_parts(parts))
    assert [len(call) for call in reward.calls] == sizes


def test_a_known_state_keeps_its_score_when_the_memory_is_full(monkeypatch):
    monkeypatch.setattr("molgfn.molecules.target.target.CACHE_CAPACITY", 1)
    reward = StubReward()
    score = MoleculeScore(ENV, reward)
    score(terminal(BIPHENYL))
    found = list(score.in_parts([terminal(BENZENE), terminal(BIPHENYL, BENZENE)]))
    assert [x.tolist() for x in found] == [[pytest.approx(math.log(0.8))] * n for n in (1, 2)]
    assert reward.calls == [["c1ccc(-c2ccccc2)cc1"], ["c1ccccc1"]]


def test_memory_of_scores_is_bounded(monkeypatch):
    monkeypatch.setattr("molgfn.molecules.target.target.CACHE_CAPACITY", 2)
    reward = StubReward()
    score = MoleculeScore(ENV, reward)
    for tree in (BIPHENYL, BENZENE, DIPHENYLAMINE, DIPHENYLAMINE, BIPHENYL):
        score(terminal(tree))
    assert len(score.state_dict()["keys"]) == 2
    assert len(reward.calls) == 4


CHAINS = FragmentEnv(
    Vocabulary("chains", (Fragment.build("C", {0: 2}), Fragment.build("CC", {0: 1, 1: 1}))),
    LimitsConfig(max_fragments=3),
)
PROPANE = FragmentTree((0, 0, 0), (-1, 0, 0), (-1, 0, 0), (-1, 0, 0))
PROPANE_AGAIN = FragmentTree((0, 1), (-1, 0), (-1, 0), (-1, 1))
BUTANE = FragmentTree((1, 1), (-1, 0), (-1, 1), (-1, 0))
# As trees of 2 or 3 fragments: C-CC and C-C-C; CC-CC, C-CC-C and C-C-CC.
LOG_TREES = [math.log(2), math.log(2), math.log(3)]


def test_trees_that_share_a_reward_are_counted_once(monkeypatch):
    states = terminal(PROPANE, PROPANE_AGAIN, BUTANE)
    shared = MoleculeScore(CHAINS, StubReward(), divide_by_multiplicity=True)
    assert shared(states).tolist() == pytest.approx([math.log(0.8)] * 3)
    with monkeypatch.context() as patch:
        patch.setattr("molgfn.fragments.parsing.Parser.trees", None)  # all is remembered
        assert shared.log_multiplicity(states).tolist() == pytest.approx(LOG_TREES)
        alone = MoleculeScore(CHAINS, StubReward())
        assert alone(states).tolist() == shared(states).tolist()
        assert alone.log_multiplicity(states).tolist() == [0.0, 0.0, 0.0]
    assert alone.state_dict() == shared.state_dict()
    resumed = MoleculeScore(CHAINS, StubReward(), divide_by_multiplicity=True)
    resumed.load_state_dict(json.loads(json.dumps(shared.state_dict())))
    assert resumed.log_multiplicity(states).tolist() == pytest.approx(LOG_TREES)


def test_memory_of_tree_counts_is_bounded(monkeypatch):
    monkeypatch.setattr("molgfn.molecules.target.target.CACHE_CAPACITY", 1)
    score = MoleculeScore(CHAINS, StubReward(), divide_by_multiplicity=True)
    states = terminal(PROPANE, PROPANE_AGAIN, BUTANE)
    score(states)
    assert len(score._multiplicity) == 1
    assert score.log_multiplicity(states).tolist() == pytest.approx(LOG_TREES)


def test_a_molecule_with_too_many_trees_to_count_is_not_learned_from(monkeypatch):
    monkeypatch.setattr("molgfn.fragments.parsing.MAX_COVERS", 2)
    states = terminal(FragmentTree((0, 0), (-1, 0), (-1, 0), (-1, 0)), BUTANE)
    score = MoleculeScore(CHAINS, StubReward(), divide_by_multiplicity=True)
    assert score(states).isnan().tolist() == [False, True]
    assert score.log_multiplicity(states).isnan().tolist() == [False, True]


class SizeProxy:
    """Predicts heavy atoms; its control predicts half of them."""

    control = object()

    def predict(self, molecules):
        sizes = np.array([m.n_heavy_atoms for m in molecules], dtype=float)
        return sizes, np.ones(len(sizes))

    def predict_control(self, molecules):
        return self.predict(molecules)[0] / 2


class SizeReward:
    """The larger the better; no score for aniline."""

    needs_molecules = True

    def __init__(self, proxy):
        self.proxy = proxy

    def __call__(self, molecules):
        sizes = [math.nan if m.smiles == "Nc1ccccc1" else m.n_heavy_atoms for m in molecules]
        return SimpleNamespace(log_score=np.log(np.array(sizes) / 100))


def test_the_control_is_watched_on_the_best_of_the_last_batch(monkeypatch):
    score = MoleculeScore(ENV, SizeReward(SizeProxy()))
    assert all(math.isnan(x) for x in score.divergence().values())
    score(terminal(DIPHENYLAMINE))
    # Repeats and failures are left out, known scores are not.
    score(terminal(BENZENE, BIPHENYL, BENZENE, ANILINE, BENZENE))
    assert score.divergence() == {"proxy_best": 9.0, "control_best": 4.5}
    monkeypatch.setattr("molgfn.molecules.target.target.N_WATCHED", 1)
    assert score.divergence() == {"proxy_best": 12.0, "control_best": 6.0}
    score(terminal(BENZENE, BENZENE))
    assert score.divergence() == {"proxy_best": 6.0, "control_best": 3.0}
    score(terminal(ANILINE))
    assert score.divergence().keys() == {"proxy_best", "control_best"}
    assert all(math.isnan(x) for x in score.divergence().values())


def test_watching_leaves_the_state_as_it_is():
    score = MoleculeScore(ENV, SizeReward(SizeProxy()))
    score(terminal(BENZENE, BIPHENYL))
    before = json.dumps(score.state_dict())
    score.divergence()
    assert json.dumps(score.state_dict()) == before


def test_there_is_nothing_to_watch_without_a_control():
    bare = SizeProxy()
    bare.control = None
    for proxy in (None, bare):
        score = MoleculeScore(ENV, SizeReward(proxy))
        score(terminal(BENZENE))
        assert score.divergence() == {}


def test_trees_of_one_molecule_are_watched_once():
    score = MoleculeScore(CHAINS, SizeReward(SizeProxy()))
    score(terminal(PROPANE, PROPANE_AGAIN, BUTANE))
    assert score.divergence() == {"proxy_best": 3.5, "control_best": 1.75}
