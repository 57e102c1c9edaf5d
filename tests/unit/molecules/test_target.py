"""Every distinct state is scored once; a failed target stays missing, also after a resume."""

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
from molgfn.molecules.scoring.chunk_queue import ChunkQueue
from molgfn.molecules.target import MoleculeTarget

VOCABULARY = Vocabulary(
    "tiny", (Fragment.build("c1ccccc1", dict.fromkeys(range(6), 1)), Fragment.build("N", {0: 2}))
)
ENV = FragmentEnv(VOCABULARY, LimitsConfig(max_fragments=3))


def table(log_score):
    return SimpleNamespace(log_score=log_score, objective_parts=log_score[:, None])


class StubReward:
    """0.8 for every molecule, no score for aniline."""

    needs_molecules = True
    objectives = (SimpleNamespace(name="Score"),)
    member_power = 1.0

    def __init__(self):
        self.calls = []

    def __call__(self, molecules):
        self.calls.append([m.smiles for m in molecules])
        values = [math.nan if m.smiles == "Nc1ccccc1" else 0.8 for m in molecules]
        return table(np.log(values))


def log_score(target, states):
    return target.log_parts(states)[:, 0]


def terminal(*trees):
    return FragmentStates.from_trees(trees, 3, torch.device("cpu"))


ANILINE = FragmentTree((0, 1), (-1, 0), (-1, 2), (-1, 0))
ANILINE_AGAIN = FragmentTree((1, 0), (-1, 0), (-1, 0), (-1, 5))
BIPHENYL = FragmentTree((0, 0), (-1, 0), (-1, 0), (-1, 0))
BENZENE = FragmentTree((0,), (-1,), (-1,), (-1,))
DIPHENYLAMINE = FragmentTree((1, 0, 0), (-1, 0, 0), (-1, 0, 0), (-1, 1, 3))


def test_scores_once_and_keeps_failures_missing():
    reward = StubReward()
    target = MoleculeTarget(ENV, reward)
    found = log_score(target, terminal(ANILINE, DIPHENYLAMINE, ANILINE_AGAIN))
    assert found.isnan().tolist() == [True, False, True]
    assert float(found[1]) == pytest.approx(math.log(0.8))
    assert log_score(target, terminal(ANILINE, DIPHENYLAMINE)).isnan().tolist() == [True, False]
    assert reward.calls == [["Nc1ccccc1", "c1ccc(Nc2ccccc2)cc1"]] or reward.calls == [
        ["c1ccc(Nc2ccccc2)cc1", "Nc1ccccc1"]
    ]
    assert target.statistics() == {"distinct": 2, "modes": 1}


def test_state_survives_json():
    first, second = MoleculeTarget(ENV, StubReward()), MoleculeTarget(ENV, StubReward())
    log_score(first, terminal(ANILINE, DIPHENYLAMINE))
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert second.state_dict() == first.state_dict()
    assert log_score(second, terminal(ANILINE)).isnan().all()
    assert second._reward.calls == []


def test_parts_are_scored_in_turn_and_a_state_of_two_parts_once(monkeypatch):
    monkeypatch.setattr("molgfn.molecules.target.MAX_CHUNK_SIZE", 1)
    monkeypatch.setattr(ChunkQueue, "n_workers", 1)
    reward = StubReward()
    target = MoleculeTarget(ENV, reward)
    log_score(target, terminal(BIPHENYL))
    reward.calls.clear()
    parts = [
        terminal(DIPHENYLAMINE, BIPHENYL),
        terminal(ANILINE, DIPHENYLAMINE),
        terminal(ANILINE_AGAIN, BENZENE, ANILINE),
    ]
    in_turn = target.log_parts_of(parts)
    found = [next(in_turn)]
    assert len(reward.calls) == 1  # the others are not waited for
    found += in_turn
    assert [len(call) for call in reward.calls] == [1, 1, 1]
    assert [x[:, 0].isnan().tolist() for x in found] == [
        [False, False],
        [True, False],
        [True, False, True],
    ]
    whole = MoleculeTarget(ENV, StubReward())
    log_score(whole, terminal(BIPHENYL))
    assert log_score(whole, FragmentStates.cat(parts)).isnan().equal(torch.cat(found)[:, 0].isnan())
    assert whole.state_dict() == target.state_dict()


@pytest.mark.parametrize(
    ("n_workers", "sizes"),
    [(0, [4]), (1, [1, 1, 2]), (2, [1, 1, 1, 1])],  # the first is cut in two where it can be
)
def test_a_batch_is_cut_where_workers_share_it(monkeypatch, n_workers, sizes):
    monkeypatch.setattr("molgfn.molecules.target.MIN_CHUNK_SIZE", 1)
    monkeypatch.setattr("molgfn.molecules.target.MAX_CHUNK_SIZE", 2)
    monkeypatch.setattr(ChunkQueue, "n_workers", n_workers)
    reward = StubReward()
    parts = [terminal(BENZENE), terminal(BIPHENYL, BENZENE), terminal(ANILINE, DIPHENYLAMINE)]
    list(MoleculeTarget(ENV, reward).log_parts_of(parts))
    assert [len(call) for call in reward.calls] == sizes


def test_a_known_state_keeps_its_score_when_the_memory_is_full(monkeypatch):
    monkeypatch.setattr("molgfn.molecules.target.CACHE_CAPACITY", 1)
    reward = StubReward()
    target = MoleculeTarget(ENV, reward)
    log_score(target, terminal(BIPHENYL))
    found = list(target.log_parts_of([terminal(BENZENE), terminal(BIPHENYL, BENZENE)]))
    assert [x[:, 0].tolist() for x in found] == [[pytest.approx(math.log(0.8))] * n for n in (1, 2)]
    assert reward.calls == [["c1ccc(-c2ccccc2)cc1"], ["c1ccccc1"]]


def test_memory_of_scores_is_bounded(monkeypatch):
    monkeypatch.setattr("molgfn.molecules.target.CACHE_CAPACITY", 2)
    reward = StubReward()
    target = MoleculeTarget(ENV, reward)
    for tree in (BIPHENYL, BENZENE, DIPHENYLAMINE, DIPHENYLAMINE, BIPHENYL):
        log_score(target, terminal(tree))
    assert len(target.state_dict()["keys"]) == 2
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
    shared = MoleculeTarget(CHAINS, StubReward(), divide_by_multiplicity=True)
    assert log_score(shared, states).tolist() == pytest.approx([math.log(0.8)] * 3)
    with monkeypatch.context() as patch:
        patch.setattr("molgfn.fragments.parsing.Parser.trees", None)  # all is remembered
        assert shared.log_multiplicity(states).tolist() == pytest.approx(LOG_TREES)
        alone = MoleculeTarget(CHAINS, StubReward())
        assert log_score(alone, states).tolist() == log_score(shared, states).tolist()
        assert alone.log_multiplicity(states).tolist() == [0.0, 0.0, 0.0]
    assert alone.state_dict() == shared.state_dict()
    resumed = MoleculeTarget(CHAINS, StubReward(), divide_by_multiplicity=True)
    resumed.load_state_dict(json.loads(json.dumps(shared.state_dict())))
    assert resumed.log_multiplicity(states).tolist() == pytest.approx(LOG_TREES)


def test_memory_of_tree_counts_is_bounded(monkeypatch):
    monkeypatch.setattr("molgfn.molecules.target.CACHE_CAPACITY", 1)
    target = MoleculeTarget(CHAINS, StubReward(), divide_by_multiplicity=True)
    states = terminal(PROPANE, PROPANE_AGAIN, BUTANE)
    log_score(target, states)
    assert len(target._multiplicity._store) == 1
    assert target.log_multiplicity(states).tolist() == pytest.approx(LOG_TREES)


def test_a_molecule_with_too_many_trees_to_count_is_not_learned_from(monkeypatch):
    monkeypatch.setattr("molgfn.fragments.parsing.MAX_COVERS", 2)
    states = terminal(FragmentTree((0, 0), (-1, 0), (-1, 0), (-1, 0)), BUTANE)
    target = MoleculeTarget(CHAINS, StubReward(), divide_by_multiplicity=True)
    assert log_score(target, states).isnan().tolist() == [False, True]
    assert target.log_multiplicity(states).isnan().tolist() == [False, True]


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
    objectives = (SimpleNamespace(name="Score"),)
    member_power = 1.0

    def __init__(self, proxy):
        self.proxy = proxy

    def __call__(self, molecules):
        sizes = [math.nan if m.smiles == "Nc1ccccc1" else m.n_heavy_atoms for m in molecules]
        return table(np.log(np.array(sizes) / 100))


def test_the_control_is_watched_on_the_best_of_the_last_batch(monkeypatch):
    target = MoleculeTarget(ENV, SizeReward(SizeProxy()))
    assert all(math.isnan(x) for x in target.divergence().values())
    log_score(target, terminal(DIPHENYLAMINE))
    # Repeats and failures are left out, known scores are not.
    log_score(target, terminal(BENZENE, BIPHENYL, BENZENE, ANILINE, BENZENE))
    assert target.divergence() == {"proxy_best": 9.0, "control_best": 4.5}
    monkeypatch.setattr("molgfn.molecules.target.N_WATCHED", 1)
    assert target.divergence() == {"proxy_best": 12.0, "control_best": 6.0}
    log_score(target, terminal(BENZENE, BENZENE))
    assert target.divergence() == {"proxy_best": 6.0, "control_best": 3.0}
    log_score(target, terminal(ANILINE))
    assert target.divergence().keys() == {"proxy_best", "control_best"}
    assert all(math.isnan(x) for x in target.divergence().values())


def test_watching_leaves_the_state_as_it_is():
    target = MoleculeTarget(ENV, SizeReward(SizeProxy()))
    log_score(target, terminal(BENZENE, BIPHENYL))
    before = json.dumps(target.state_dict())
    target.divergence()
    assert json.dumps(target.state_dict()) == before


def test_there_is_nothing_to_watch_without_a_control():
    bare = SizeProxy()
    bare.control = None
    for proxy in (None, bare):
        target = MoleculeTarget(ENV, SizeReward(proxy))
        log_score(target, terminal(BENZENE))
        assert target.divergence() == {}


def test_trees_of_one_molecule_are_watched_once():
    target = MoleculeTarget(CHAINS, SizeReward(SizeProxy()))
    log_score(target, terminal(PROPANE, PROPANE_AGAIN, BUTANE))
    assert target.divergence() == {"proxy_best": 3.5, "control_best": 1.75}


def test_what_an_older_version_saved_loads():
    old = {"keys": ["a", "b"], "log_scores": [-1.5, None], "n_distinct": 2, "modes": []}
    target = MoleculeTarget(ENV, StubReward())
    target.load_state_dict(old)
    assert target.state_dict()["log_parts"] == [[-1.5], [None]]


class TwoObjectives(StubReward):
    """Two members of an ensemble with an opinion on each of two objectives."""

    objectives = (SimpleNamespace(name="potency"), SimpleNamespace(name="ease"))

    def __call__(self, molecules):
        size = np.array([m.n_heavy_atoms for m in molecules], dtype=float)
        parts = -np.stack([np.stack([size, size / 2], 1), np.stack([size / 4, size], 1)], 1)
        return SimpleNamespace(log_score=parts.sum((1, 2)), objective_parts=parts)


def test_objectives_are_kept_by_member():
    target = MoleculeTarget(ENV, TwoObjectives())
    states = terminal(BENZENE, BIPHENYL)
    parts = target.log_parts(states)
    assert target.objectives == ("potency", "ease")
    assert parts[0].tolist() == [[-6, -3], [-1.5, -6]]
    assert parts.shape == (2, 2, 2)
    assert target.log_parts(states).equal(parts)  # remembered
    resumed = MoleculeTarget(ENV, TwoObjectives())
    resumed.load_state_dict(json.loads(json.dumps(target.state_dict())))
    assert resumed.log_parts(states).equal(parts)
