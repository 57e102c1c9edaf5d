from dataclasses import replace

import numpy as np
import pytest

from molgfn.chem.properties.batch import MoleculeBatch
from molgfn.config.resources import shipped_path
from molgfn.config.reward_schema import DEFAULT_FACTORS, RewardConfig
from molgfn.config.schema import LimitsConfig
from molgfn.fragments.vocabulary_file import load_vocabulary
from molgfn.gfn.condition import Condition
from molgfn.gfn.rollout import draw_terminal
from molgfn.machine.device import seeded
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.policy.uniform import UniformPolicy
from molgfn.molecules.sampler import load_sampler
from molgfn.molecules.scoring import tree_batch
from molgfn.molecules.scoring import tree_features as trees
from molgfn.molecules.scoring.chunk_score import ChunkScore
from molgfn.molecules.scoring.tree_batch import TreeBatch
from molgfn.molecules.scoring.tree_features import TreeFeaturiser
from molgfn.reward.proxy.features import Graphs
from molgfn.reward.proxy.store import load_proxy
from molgfn.reward.reward import build_reward


@pytest.fixture(scope="module")
def sampler():
    shipped = load_sampler(shipped_path("policy", "parp1"), "cpu")
    return replace(shipped, policy=UniformPolicy(shipped.env))


@pytest.fixture(scope="module")
def states(sampler):
    return sampler.draw_states(400, sampler.ask(1.0), generator=seeded(3))


def random_states(vocabulary, n):
    env = FragmentEnv(vocabulary, LimitsConfig(max_fragments=6))
    return env, draw_terminal(env, UniformPolicy(env), Condition.of(1.0, n), generator=seeded(3))


def check_graphs(env, states, featurise):
    ours = featurise(states)
    theirs = Graphs.of(MoleculeBatch(env.molecules(states)))
    assert np.array_equal(ours.sizes, theirs.sizes)
    assert np.array_equal(ours.types, theirs.types)
    assert np.array_equal(ours.bonds.starts, theirs.bonds.starts)
    assert np.array_equal(ours.bonds.targets, theirs.bonds.targets)
    assert np.array_equal(ours.bonds.codes, theirs.bonds.codes)
    assert np.array_equal(ours.descriptors, theirs.descriptors)


@pytest.mark.parametrize("capacity", [trees.CAPACITY, 3])
def test_graphs_of_trees_are_those_of_their_molecules(sampler, states, monkeypatch, capacity):
    monkeypatch.setattr(trees, "CAPACITY", capacity)
    featurise = TreeFeaturiser(sampler.env.vocabulary)
    featurise(states)
    check_graphs(sampler.env, states, featurise)


def test_graphs_of_odd_fragments_too(odd_vocabulary):
    env, states = random_states(odd_vocabulary, 2000)
    check_graphs(env, states, TreeFeaturiser(env.vocabulary))


def test_graphs_of_the_blocks_of_2021_too(shared_data):
    vocabulary = load_vocabulary(shared_data / "seh" / "blocks_PDB_105.json")
    env, states = random_states(vocabulary, 1000)
    check_graphs(env, states, TreeFeaturiser(vocabulary))


def test_predictions_of_trees_are_those_of_their_molecules(sampler, states):
    proxy = load_proxy("parp1")
    ours = proxy.predict_graphs(TreeFeaturiser(sampler.env.vocabulary)(states))
    theirs = proxy.predict(sampler.env.molecules(states))
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def proxy_alone(*, with_similarity=False):
    factors = tuple(factor for factor in DEFAULT_FACTORS if factor.scorer == "proxy")
    return build_reward(RewardConfig(factors=factors), with_similarity=with_similarity)


def test_only_a_reward_of_graphs_does_without_molecules():
    assert not proxy_alone().needs_molecules
    assert proxy_alone(with_similarity=True).needs_molecules
    assert build_reward(RewardConfig(), with_similarity=False).needs_molecules


def test_trees_score_as_their_molecules_and_few_are_assembled(sampler, states, monkeypatch):
    assembled = []
    assemble = tree_batch.assemble
    monkeypatch.setattr(
        tree_batch, "assemble", lambda *tree: assembled.append(tree) or assemble(*tree)
    )
    reward = proxy_alone()
    scored = ChunkScore(sampler.env, reward)(states.to_tensor(), with_modes=True)
    molecules = sampler.env.molecules(states)
    assert [part for each in scored for part in each.log_parts] == reward(
        molecules
    ).log_score.tolist()
    candidates = [each.candidate for each in scored]
    assert 0 < len(assembled) < len(states)
    assert len(assembled) == sum(candidate is not None for candidate in candidates)
    for molecule, candidate in zip(molecules, candidates, strict=True):
        assert candidate is None or candidate.smiles == molecule.smiles


def test_a_molecule_of_a_tree_is_the_one_that_is_assembled(sampler, states):
    batch = TreeBatch(states, TreeFeaturiser(sampler.env.vocabulary))
    for ours, theirs in zip(batch, sampler.env.molecules(states), strict=True):
        assert ours.n_heavy_atoms == theirs.n_heavy_atoms
        assert ours == theirs
