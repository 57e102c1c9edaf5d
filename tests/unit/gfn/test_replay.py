import torch

from molgfn.fragments.tree import FragmentTree
from molgfn.gfn.replay import ReplayBuffer
from molgfn.molecules.env.states import FragmentStates

CPU = torch.device("cpu")


def states(*fragments):
    trees = [FragmentTree((f,), (-1,), (-1,), (-1,)) for f in fragments]
    return FragmentStates.from_trees(trees, 3, CPU)


def filled(capacity=3):
    buffer = ReplayBuffer(capacity, FragmentStates)
    buffer.add(states(0, 1, 1), ["a", "b", "b"], torch.tensor([-3.0, -1.0, -1.0]))
    buffer.add(states(2, 3, 0), ["c", "d", "a"], torch.tensor([-2.0, -4.0, -3.0]))
    return buffer


def test_keeps_distinct_states_best_first():
    assert filled(capacity=4).keys == ["b", "c", "a", "d"]


def test_a_full_buffer_keeps_the_best_and_thins_out_the_rest():
    buffer = ReplayBuffer(10, FragmentStates)
    keys = [str(i) for i in range(30)]
    buffer.add(states(*range(30)), keys, -torch.arange(30.0))
    assert len(buffer) == 10
    assert buffer.keys[0] == "0"
    assert buffer.keys[-1] == "29"  # the worst stays: it is worth learning from
    buffer.add(states(0, 31), ["0", "new"], torch.tensor([0.0, 1.0]))
    assert buffer.keys[:2] == ["new", "0"]
    assert len(buffer) == 10


def test_draws_half_from_the_best():
    drawn, log_score = filled().sample(8, generator=torch.Generator().manual_seed(0), device=CPU)
    assert drawn.stopped.all()
    assert drawn.fragment[:4, 0].tolist() == [1] * 4
    assert log_score[:4].tolist() == [-1.0] * 4
    by_fragment = {1: -1.0, 2: -2.0, 3: -4.0}
    expected = [by_fragment[int(f)] for f in drawn.fragment[:, 0]]
    assert log_score.tolist() == expected


def test_survives_a_checkpoint():
    buffer, copy = filled(), ReplayBuffer(3, FragmentStates)
    copy.load(buffer.tensors(), buffer.keys)
    draws = [
        b.sample(5, generator=torch.Generator().manual_seed(1), device=CPU)[0].to_tensor()
        for b in (buffer, copy)
    ]
    assert torch.equal(*draws)
    assert copy.keys == buffer.keys


def test_a_full_buffer_reuses_its_places():
    buffer = ReplayBuffer(10, FragmentStates)
    for i in range(200):
        keys = [f"{i}.{j}" for j in range(30)]
        buffer.add(states(*range(30)), keys, -torch.rand(30))
    assert len(buffer) == len(set(buffer.keys)) == 10
    assert len(buffer._packed) <= 1024
