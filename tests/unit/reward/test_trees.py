from dataclasses import replace

import numpy as np
import pytest

from molgfn.baselines.uniform import UniformPolicy
from molgfn.chem.batch import MoleculeBatch
from molgfn.config.resources import shipped_path
from molgfn.reward.proxy import trees
from molgfn.reward.proxy.features import Graphs
from molgfn.reward.proxy.store import find_proxy, load_proxy
from molgfn.reward.proxy.trees import TreeFeaturiser
from molgfn.runs.components import seeded
from molgfn.runs.sampler import load_sampler


@pytest.fixture(scope="module")
def sampler():
    shipped = load_sampler(shipped_path("policy", "parp1"), "cpu")
    return replace(shipped, policy=UniformPolicy(shipped.env))


@pytest.fixture(scope="module")
def states(sampler):
    return sampler.draw_states(400, 1.0, generator=seeded(3))


@pytest.mark.parametrize("capacity", [trees.CAPACITY, 3])
def test_graphs_of_trees_are_those_of_their_molecules(sampler, states, monkeypatch, capacity):
    monkeypatch.setattr(trees, "CAPACITY", capacity)
    featurise = TreeFeaturiser(sampler.env.vocabulary)
    featurise(states)
    ours = featurise(states)
    theirs = Graphs.of(MoleculeBatch(sampler.env.molecules(states)))
    assert np.array_equal(ours.sizes, theirs.sizes)
    assert np.array_equal(ours.types, theirs.types)
    assert np.array_equal(ours.bonds.starts, theirs.bonds.starts)
    assert np.array_equal(ours.bonds.targets, theirs.bonds.targets)
    assert np.array_equal(ours.bonds.codes, theirs.bonds.codes)
    assert np.array_equal(ours.descriptors, theirs.descriptors)


def test_predictions_of_trees_are_those_of_their_molecules(sampler, states):
    proxy = load_proxy(find_proxy("parp1"))
    ours = proxy.predict_graphs(TreeFeaturiser(sampler.env.vocabulary)(states))
    theirs = proxy.predict(sampler.env.molecules(states))
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
