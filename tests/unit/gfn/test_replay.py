import torch

from molgfn.fragments.tree import FragmentTree
from molgfn.gfn.condition import Condition
from molgfn.gfn.replay import ReplayBuffer
from molgfn.gfn.target import Target
from molgfn.molecules.env.states import FragmentStates

CPU = torch.device("cpu")
ASKED = Condition.of(1.0)


class Unasked(Target):
    """Ranks by parts that are given; scores nothing itself."""

    def log_parts(self, states):
        raise NotImplementedError


def draw(buffer, n, seed, condition=ASKED, group=None):
    group = torch.zeros(n, dtype=torch.long) if group is None else group
    return buffer.sample(condition, group, generator=torch.Generator().manual_seed(seed))


def parts(*values):
    return torch.tensor(values)[:, None]


def states(*fragments):
    trees = [FragmentTree((f,), (-1,), (-1,), (-1,)) for f in fragments]
    return FragmentStates.from_trees(trees, 3, CPU)


def filled(capacity=3):
    buffer = ReplayBuffer(capacity, FragmentStates, Unasked())
    buffer.add(states(0, 1, 1), ["a", "b", "b"], parts(-3.0, -1.0, -1.0))
    buffer.add(states(2, 3, 0), ["c", "d", "a"], parts(-2.0, -4.0, -3.0))
    return buffer


def test_keeps_distinct_states_best_first():
    assert filled(capacity=4).keys == ["b", "c", "a", "d"]


def test_a_full_buffer_keeps_the_best_and_thins_out_the_rest():
    buffer = ReplayBuffer(10, FragmentStates, Unasked())
    keys = [str(i) for i in range(30)]
    buffer.add(states(*range(30)), keys, -torch.arange(30.0)[:, None])
    assert len(buffer) == 10
    assert buffer.keys[0] == "0"
    assert buffer.keys[-1] == "29"  # the worst stays: it is worth learning from
    buffer.add(states(0, 31), ["0", "new"], parts(0.0, 1.0))
    assert buffer.keys[:2] == ["new", "0"]
    assert len(buffer) == 10


def test_draws_half_from_the_best():
    drawn, log_parts = draw(filled(), 8, 0)
    log_score = log_parts[:, 0]
    assert drawn.stopped.all()
    assert drawn.fragment[:4, 0].tolist() == [1] * 4
    assert log_score[:4].tolist() == [-1.0] * 4
    by_fragment = {1: -1.0, 2: -2.0, 3: -4.0}
    expected = [by_fragment[int(f)] for f in drawn.fragment[:, 0]]
    assert log_score.tolist() == expected


def test_survives_a_checkpoint():
    buffer, copy = filled(), ReplayBuffer(3, FragmentStates, Unasked())
    copy.load(buffer.tensors(), buffer.keys)
    draws = [draw(b, 5, 1)[0].to_tensor() for b in (buffer, copy)]
    assert torch.equal(*draws)
    assert copy.keys == buffer.keys


def test_a_full_buffer_reuses_its_places():
    buffer = ReplayBuffer(10, FragmentStates, Unasked())
    for i in range(200):
        keys = [f"{i}.{j}" for j in range(30)]
        buffer.add(states(*range(30)), keys, -torch.rand(30, 1))
    assert len(buffer) == len(set(buffer.keys)) == 10
    assert len(buffer._packed) <= 1024


def test_a_buffer_of_an_older_version_loads():
    buffer, old = filled(), ReplayBuffer(3, FragmentStates, Unasked())
    tensors = buffer.tensors()
    old.load({"states": tensors["states"], "log_score": tensors["log_parts"][:, 0]}, buffer.keys)
    assert torch.equal(draw(old, 5, 1)[1], draw(buffer, 5, 1)[1])


def test_the_best_are_the_best_of_each_preference():
    buffer = ReplayBuffer(30, FragmentStates, Unasked())
    values = -torch.arange(20.0)
    buffer.add(
        states(*range(20)), [str(i) for i in range(20)], torch.stack([values, values.flip(0)], 1)
    )
    asked = Condition.at(torch.zeros(2), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    group = torch.arange(40) % 2
    drawn, log_parts = draw(buffer, 40, 0, asked, group)
    best = torch.arange(40) < 20
    assert (log_parts[best & (group == 0), 0] >= -1).all()
    assert (log_parts[best & (group == 1), 1] >= -1).all()
    assert log_parts[~best].min() < -10
    assert [int(-p) for p in log_parts[:, 0]] == drawn.fragment[:, 0].tolist()
