"""The hypergrid against values worked out by hand."""

import math

import pytest
import torch

from molgfn.errors import ConfigError
from molgfn.gfn.discrete import RowStates
from molgfn.hypergrid.env import Hypergrid


def at(*positions, stopped=False):
    coordinates = torch.tensor(positions)
    return RowStates(coordinates, torch.full((len(positions),), stopped))


def test_reward_in_a_mode_at_a_corner_in_the_shell_and_in_the_middle():
    # Side 8: |x/7 - 1/2| is .5 .357 .214 .071 and back: 0, 1, 6, 7 are shell, 1 and 6 band.
    env = Hypergrid(4, 8, 0.1)
    states = at((1, 6, 6, 1), (0, 0, 0, 0), (7, 1, 6, 0), (3, 4, 3, 4), (1, 1, 1, 2))
    expected = torch.tensor([2.6, 0.6, 0.6, 0.1, 0.1])
    torch.testing.assert_close(env.log_reward(states).exp() * 2.6, expected)


def test_log_reward_is_zero_in_a_mode_and_its_depth_follows_r0():
    for r0 in (0.1, 0.01, 0.001):
        env = Hypergrid(2, 8, r0)
        found = env.log_reward(at((1, 1), (3, 3)))
        assert found.tolist() == pytest.approx([0.0, math.log(r0 / (r0 + 2.5))], rel=1e-5)


def test_every_mode_is_one_cell_of_the_grid_of_side_8():
    env = Hypergrid(4, 8)
    states = env.terminal_states()
    modes = env.modes(states)
    assert len(states) == env.n_cells == 4096
    assert env.n_modes == 16
    assert sorted(modes[modes >= 0].tolist()) == list(range(16))
    assert torch.equal(modes >= 0, env.log_reward(states) == 0)
    assert env.modes(at((6, 1, 1, 1), (1, 1, 1, 6), (1, 1, 1, 7))).tolist() == [1, 8, -1]


def test_the_target_of_the_four_dimensional_grid():
    # 256 = 4^4 cells of the shell, 16 of them modes: Z = 4096 R0 + 0.5 * 256 + 2 * 16.
    env = Hypergrid(4, 8, 0.1)
    total = env.log_reward(env.terminal_states()).double().exp().sum() * 2.6
    assert float(total) == pytest.approx(409.6 + 128 + 32, rel=1e-5)


def test_a_cell_on_the_border_of_a_band_is_outside():
    # Side 11: cell 8 lies exactly 0.3 above the middle, cell 9 exactly 0.4; floats disagree.
    assert 8 / 10 - 0.5 > 0.3
    with pytest.raises(ConfigError, match="leaves none"):
        Hypergrid(2, 11)


def test_a_mode_of_a_finer_grid_has_several_cells():
    # Side 20: |2x - 19| / 38 in (0.3, 0.4): 13 and 15 on either side, that is x = 2, 3, 16, 17.
    env = Hypergrid(1, 20)
    assert env.modes(env.terminal_states()).tolist() == (
        [-1, -1, 0, 0] + [-1] * 12 + [1, 1] + [-1, -1]
    )


def test_masks_at_the_border():
    env = Hypergrid(3, 8)
    mask = env.legal_mask(at((0, 0, 0), (7, 0, 6), (7, 7, 7)))
    assert mask.tolist() == [
        [True, True, True, True],
        [False, True, True, True],
        [False, False, False, True],
    ]


def test_steps_by_hand():
    env = Hypergrid(2, 8)
    actions = torch.tensor([[0], [1], [env.n_actions]])
    following = env.step(at((0, 0), (3, 0), (3, 4)), actions)
    assert following.values.tolist() == [[1, 0], [3, 1], [3, 4]]
    assert following.stopped.tolist() == [False, False, True]
    assert env.log_pb(following, actions).tolist() == pytest.approx([0.0, -math.log(2), 0.0])


def test_parents_by_hand():
    env = Hypergrid(2, 8)
    states = RowStates(
        torch.tensor([[0, 0], [3, 1], [0, 2], [5, 5], [0, 0]]),
        torch.tensor([False, False, False, True, True]),
    )
    index, parents, actions, log_pb = env.parents(states)
    assert index.tolist() == [1, 1, 2, 3, 4]
    assert parents.values.tolist() == [[2, 1], [3, 0], [0, 1], [5, 5], [0, 0]]
    assert not parents.stopped.any()
    assert actions.tolist() == [[0], [1], [1], [2], [2]]
    assert log_pb.tolist() == pytest.approx([-math.log(2), -math.log(2), 0, 0, 0])


def test_the_origin_is_initial_until_it_stops():
    env = Hypergrid(2, 8)
    assert env.is_initial(env.initial_states(2)).all()
    assert not env.is_initial(at((0, 0), stopped=True)).any()
    assert not env.is_initial(at((0, 1))).any()


def test_cells_are_numbered_by_counting():
    env = Hypergrid(3, 8)
    numbers = torch.arange(env.n_cells)
    assert torch.equal(env.cell_numbers(env.cells(numbers)), numbers)
    assert env.keys(env.cells(torch.tensor([0, 1, 8, 511]))) == [
        "0,0,0",
        "0,0,1",
        "0,1,0",
        "7,7,7",
    ]


def test_the_listed_grid_by_hand():
    # 7 x 7 cells: 42 steps along either dimension. Cell 8 is (1, 1), reached from 1 and from 7.
    space = Hypergrid(2, 7).space()
    assert len(space) == len(space.terminal) == 49
    assert space.keys[:2] == ["", "0,1"]
    assert space.depth[[0, 6, 48]].tolist() == [0, 6, 12]
    assert space.n_leaves[[0, 1, 7, 8]].tolist() == [0, 1, 1, 2]
    assert len(space.edge_parent) == len(space.actions) == 84
    assert space.edge_parent[space.edge_child == 8].tolist() == [1, 7]
    assert space.actions[space.edge_child == 8].tolist() == [[0], [1]]
    assert (space.edge_parent < space.edge_child).all()
    assert torch.equal(torch.bincount(space.edge_child, space.edge_k), space.n_leaves.double())
    with pytest.raises(ConfigError, match="too large to list; the limit is 48"):
        Hypergrid(2, 7).space(max_states=48)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_dimensions": 0}, "n_dimensions must be at least 1, got 0"),
        ({"side": 1}, "side must be at least 2, got 1"),
        ({"side": 5}, "leaves none"),
        ({"r0": 0.0}, "r0 must be a finite number above 0, got 0.0"),
        ({"r0": math.nan}, "r0 must be a finite number above 0, got nan"),
        ({"n_dimensions": 21}, "too large"),
    ],
)
def test_values_out_of_range_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        Hypergrid(**arguments)
