"""Trajectories from a start that stays: controls without its marks and without its potential.

The laws themselves run over both starts beside all other spaces.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from molgfn.config.choices import training_objectives
from molgfn.errors import ConfigError
from molgfn.fragments.symmetry import TreeSymmetry
from molgfn.fragments.tree import FragmentTree
from molgfn.gfn.condition import Condition
from molgfn.gfn.likelihood import log_likelihood
from molgfn.gfn.rollout import rollout_backward
from molgfn.molecules.decoding import Decoder
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.policy.uniform import UniformPolicy

from .exact_policy import TablePolicy, absolute_residuals
from .spaces import STARTS, Case, case_of, fresh_policy, random_log_reward

ASKED = Condition.of(1.0)
Columns = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]
#: |Aut| of a ring of six equal atoms, and of two equal fragments joined by equal sites.
ORDERS = {"frozen-1": 12, "frozen-2": 2}


@pytest.fixture(scope="module", params=sorted(STARTS))
def case(request: pytest.FixtureRequest) -> Case:
    return case_of(request.param)


def forget_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the potential of the start out, as where every start is the empty tree."""
    whole = FragmentEnv.log_symmetry

    def without(self: FragmentEnv, states):  # type: ignore[no-untyped-def]
        return whole(self, states).masked_fill(self.is_initial(states), 0.0)

    monkeypatch.setattr(FragmentEnv, "log_symmetry", without)


def unmark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take frozen nodes for any others."""
    coded = TreeSymmetry._code_tree
    monkeypatch.setattr(
        TreeSymmetry, "_code_tree", lambda self, tree: coded(self, replace(tree, n_frozen=0))
    )


def total(case: Case, env: FragmentEnv) -> float:
    states = case.stopped
    return float(log_likelihood(env, UniformPolicy(env), states, ASKED).exp().sum())


def fresh_env(case: Case) -> FragmentEnv:
    """The environment without what it remembers."""
    return FragmentEnv(case.env.vocabulary, case.env.limits, start=case.env.start)


def residuals(case: Case, env: FragmentEnv, objective: str) -> torch.Tensor:
    log_reward = random_log_reward(case.space)
    policy = TablePolicy(env, case.space, case.numbers, log_reward)
    generator = torch.Generator().manual_seed(0)
    batch = rollout_backward(env, case.stopped, generator=generator)
    return absolute_residuals(objective, env, policy, batch, log_reward)


def test_starts_are_as_hard_as_meant(case: Case) -> None:
    assert case.found.order[0] == ORDERS[case.env.vocabulary.name]
    # A frozen fragment has an equal that is not frozen, and the two may not be exchanged.
    start = case.env.start
    assert start is not None
    trees = [tree for tree in case.found.trees if tree is not None]
    assert any(start.fragments[0] in tree.fragments[len(start) :] for tree in trees)


def test_a_policy_ends_somewhere_for_certain(case: Case) -> None:
    assert total(case, case.env) == pytest.approx(1, abs=1e-6)


def test_control_without_the_potential_of_the_start(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_start(monkeypatch)
    order = ORDERS[case.env.vocabulary.name]
    assert total(case, case.env) == pytest.approx(1 / order, abs=1e-6)
    for objective in training_objectives():
        found = residuals(case, case.env, objective)
        # The group's mean takes up a constant: VarGrad does not notice.
        assert (found.max() > 0.9 * math.log(order)) == (objective != "vargrad"), objective


def test_control_without_the_marks(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    unmark(monkeypatch)
    env = fresh_env(case)
    assert abs(total(case, env) - 1) > 0.005
    log_n = env.log_symmetry(case.space.states).double() - case.space.log_symmetry
    assert log_n.max() > 0.6


def test_no_trajectory_is_longer_than_it_can_be(case: Case) -> None:
    frozen = case.env.n_frozen
    longest = max(len(tree) for tree in case.found.trees if tree is not None)
    assert case.env.max_steps == longest - frozen + 1  # the last step stops


def test_frozen_fragments_are_never_removed(case: Case) -> None:
    start = case.env.start
    assert start is not None
    parents = case.env.parents(case.stopped)[1]
    for tree in parents.trees():
        assert tree.fragments[: len(start)] == start.fragments
        assert tree.n_frozen == len(start)


@pytest.mark.parametrize("lockstep", [False, True])
def test_the_network_tells_frozen_fragments_from_others(case: Case, lockstep: bool) -> None:
    """The control is the weight at 0: then states that differ by their marks alone look alike."""
    env = case.env
    policy = fresh_policy(env)
    frozen = env.initial_states(1)
    flags = frozen.packed.clone()
    flags[:, -1] = 0
    same_tree = type(frozen)(flags)

    def logits(states):  # type: ignore[no-untyped-def]
        return policy.prepare(lockstep=lockstep)(states, ASKED).row_logits

    assert policy.frozen is not None
    assert torch.equal(logits(frozen), logits(same_tree))
    torch.nn.init.normal_(policy.frozen)
    assert not torch.allclose(logits(frozen), logits(same_tree))


def test_a_start_without_room_is_refused() -> None:
    case = case_of("frozen-2")
    limits = replace(case.env.limits, max_heavy_atoms=8)
    with pytest.raises(ConfigError, match="nothing can be attached to a start of 2 fragments"):
        FragmentEnv(case.env.vocabulary, limits, start=case.env.start)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (((), (), (), ()), "one value for each node"),
        (((0, 0), (-1,), (-1,), (-1,)), "one value for each node"),
        (((9,), (-1,), (-1,), (-1,)), "node 0: no fragment 9 among"),
        (((-1,), (-1,), (-1,), (-1,)), "node 0: no fragment -1 among"),
        (((0,), (0,), (0,), (0,)), "node 0 hangs on node 0"),
        (((0, 0), (-1, 1), (-1, 0), (-1, 0)), "node 1 hangs on node 1"),
        (((0, 0), (-1, -1), (-1, 0), (-1, 0)), "node 1 hangs on node -1"),
        (((0, 0), (-1, 0), (-1, 17), (-1, 0)), "site 17 of node 0, .*, takes 0 bonds, got 1"),
        (((0, 0), (-1, 0), (-1, 0), (-1, -1)), "site -1 of node 1, .*, takes 0 bonds, got 1"),
        (((0, *[1] * 9), (-1, *[0] * 9), (-1, *[0] * 9), (-1, *[0] * 9)), "site 0 of node 0, .*"),
    ],
)
def test_a_start_that_is_no_tree_is_refused(columns: Columns, message: str) -> None:
    env = case_of("frozen-2").env
    with pytest.raises(ValueError, match=message):
        FragmentEnv(env.vocabulary, env.limits, start=FragmentTree(*columns))


def test_the_parser_refuses_a_start() -> None:
    with pytest.raises(ValueError, match="empty tree alone"):
        Decoder(case_of("frozen-1").env)
