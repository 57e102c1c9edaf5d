"""The target of the hypergrid counts what was visited and remembers when modes were found."""

import json

import torch

from molgfn.gfn.discrete import RowStates
from molgfn.hypergrid.env import Hypergrid
from molgfn.hypergrid.target import HypergridTarget


def at(*positions):
    return RowStates(torch.tensor(positions), torch.ones(len(positions), dtype=torch.bool))


def test_modes_are_dated_by_states_visited():
    env = Hypergrid(2, 8)
    target = HypergridTarget(env)
    assert target.statistics() == {"distinct": 0, "modes": 0}
    first = at((0, 0), (6, 1), (0, 0))
    assert torch.equal(target.log_parts(first)[:, 0], env.log_reward(first))
    target.log_parts(at((6, 1), (3, 3), (6, 6)))
    assert target.n_visited == 6
    assert target.statistics() == {"distinct": 4, "modes": 2}
    assert target.found_after == {1: 2, 3: 6}
    assert target.log_multiplicity(first).tolist() == [0.0, 0.0, 0.0]


def test_state_survives_json():
    env = Hypergrid(2, 8)
    target, again = HypergridTarget(env), HypergridTarget(env)
    target.log_parts(at((6, 6), (1, 1), (5, 0)))
    again.load_state_dict(json.loads(json.dumps(target.state_dict())))
    assert again.state_dict() == target.state_dict()
    for each in (target, again):
        each.log_parts(at((1, 1), (1, 6)))
    assert again.found_after == target.found_after == {3: 1, 0: 2, 2: 5}
