"""Laws that hold in every environment, over random states."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from molgfn.config.schema import LimitsConfig
from molgfn.fragments.vocabulary_file import find_vocabulary, load_vocabulary
from molgfn.gfn.condition import Condition
from molgfn.gfn.likelihood import log_likelihood
from molgfn.gfn.rollout import rollout_backward
from molgfn.hypergrid.env import Hypergrid

from .environments import (
    SMALL,
    SMALL_LIMITS,
    STARTS,
    Case,
    Edge,
    EdgeInto,
    each,
    fragments,
    hypergrid,
)

seeds = st.integers(0, 2**31)
few = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(
    scope="module",
    params=["default", "blocks", "small", "frozen-1", "frozen-2", "grid-2d", "grid-4d"],
)
def case(request: pytest.FixtureRequest) -> Case:
    match request.param:
        case "default":
            return fragments(find_vocabulary("default"), LimitsConfig())
        case "blocks":
            shared: Path = request.getfixturevalue("shared_data")
            blocks = load_vocabulary(shared / "seh" / "blocks_PDB_105.json")
            return fragments(blocks, LimitsConfig())
        case "small":
            return fragments(SMALL, SMALL_LIMITS)
        case "frozen-1" | "frozen-2":
            return fragments(SMALL, SMALL_LIMITS, start=STARTS[request.param])
        case name:
            return hypergrid(int(name[5]))


@dataclass
class Listed:
    """A small environment with all its states, and m of every (child, kind) from every state."""

    case: Case
    states: dict[Hashable, Any]
    forward: dict[Hashable, Counter[Edge]]

    @cached_property
    def backward(self) -> dict[Hashable, dict[Edge, EdgeInto]]:
        """The edges into every state but the initial one."""
        names = [name for name in self.states if name != "initial"]
        states = [self.states[name] for name in names]
        return dict(zip(names, self.case.edges_into(type(states[0]).cat(states)), strict=True))

    @property
    def terminal(self) -> list[Hashable]:
        return [name for name, state in self.states.items() if bool(state.stopped[0])]


@pytest.fixture(scope="module", params=["small", "frozen-1", "frozen-2", "grid-2d"])
def listed(request: pytest.FixtureRequest) -> Listed:
    if request.param == "grid-2d":
        case = hypergrid(2)
    else:
        case = fragments(SMALL, SMALL_LIMITS, start=STARTS.get(request.param))
    return Listed(case, *case.enumerate())


# ---------------------------------------------------------------------- steps


@few
@given(seed=seeds)
def test_one_of_the_parents_undoes_a_step(case: Case, seed: int) -> None:
    """State, action and P_B come back exactly: the newest piece is the one taken off."""
    trajectories = case.trajectories(10, seed)
    states = trajectories.states
    following = case.env.step(states, trajectories.actions)
    log_pb = case.env.log_pb(following, trajectories.actions)
    index, parents, actions, log_pb_back = case.env.parents(following)
    again = case.env.step(parents, actions)
    is_match = (parents.to_tensor() == states.to_tensor()[index]).all(1)
    is_match &= (again.to_tensor() == following.to_tensor()[index]).all(1)
    assert torch.equal(index[is_match].unique(), torch.arange(len(states)))
    assert torch.equal(log_pb_back[is_match], log_pb[index[is_match]])
    assert torch.equal(case.env.log_pb(again, actions), log_pb_back)


@few
@given(seed=seeds)
def test_step_undoes_every_backward_step(case: Case, seed: int) -> None:
    """Pieces taken off in any order and put back last: equal key, symmetry and P_B."""
    states = case.random_states(4, seed)
    index, parents, actions, log_pb = case.env.parents(states)
    again = case.env.step(parents, actions)
    identities = case.identities(states)
    assert case.identities(again) == [identities[i] for i in index.tolist()]
    assert torch.equal(case.env.log_symmetry(again), case.env.log_symmetry(states)[index])
    assert torch.equal(case.env.log_pb(again, actions), log_pb)


@few
@given(seed=seeds)
def test_the_key_ignores_the_order_of_construction(case: Case, seed: int) -> None:
    """Go back by random steps to the start and build the state again along that path."""
    generator = torch.Generator().manual_seed(seed)
    state = terminal = case.trajectories(1, seed).terminal
    path: list[Edge] = []
    while not bool(case.env.is_initial(state)):
        (name,) = case.identities(state)
        state, action = case.env.sample_backward(state, generator=generator)
        path.append((name, int(case.kinds(action)[0])))
    for name, kind in reversed(path):
        # The numbers of sites depend on the order, so the step is looked up by where it leads.
        _, children = case.children(state, kind)
        state = children[torch.tensor([case.identities(children).index(name)])]
    assert case.env.keys(state) == case.env.keys(terminal)
    assert torch.equal(case.env.log_symmetry(state), case.env.log_symmetry(terminal))


def test_pieces_taken_off_come_back_with_other_numbers(case: Case) -> None:
    """Control of the two laws above: what has equal keys is not the same tensor anyway."""
    states = case.random_states(20, 0)
    index, parents, actions, _ = case.env.parents(states)
    assert len(index) > len(states)
    again = case.env.step(parents, actions)
    is_grid = isinstance(case.env, Hypergrid)
    assert bool((again.to_tensor() != states.to_tensor()[index]).any()) != is_grid


@few
@given(seed=seeds)
def test_sampled_backward_steps_are_parents(case: Case, seed: int) -> None:
    states = case.random_states(4, seed)
    generator = torch.Generator().manual_seed(seed)
    sampled, actions = case.env.sample_backward(states, generator=generator)
    index, parents, all_actions, _ = case.env.parents(states)
    known = {
        (i, *row, *action)
        for i, row, action in zip(
            index.tolist(), parents.to_tensor().tolist(), all_actions.tolist(), strict=True
        )
    }
    for i in range(len(states)):
        assert (i, *sampled.to_tensor()[i].tolist(), *actions[i].tolist()) in known


def test_all_parents_are_drawn_alike(case: Case) -> None:
    states = case.random_states(20, 0)
    index, parents, actions, _ = case.env.parents(states)
    n_parents = torch.bincount(index)
    number = int(n_parents.argmax())  # the state with most ways back
    ways = [
        (*row, *action)
        for i, row, action in zip(
            index.tolist(), parents.to_tensor().tolist(), actions.tolist(), strict=True
        )
        if i == number
    ]
    assert len(ways) > 1
    n_draws = 4000
    many = states[torch.full((n_draws,), number)]
    drawn, taken = case.env.sample_backward(many, generator=torch.Generator().manual_seed(0))
    counts = Counter(
        (*row, *action)
        for row, action in zip(drawn.to_tensor().tolist(), taken.tolist(), strict=True)
    )
    assert counts.keys() == set(ways)
    for way, times in Counter(ways).items():
        p = times / len(ways)
        assert abs(counts[way] - n_draws * p) < 4 * math.sqrt(n_draws * p * (1 - p))


@few
@given(seed=seeds)
def test_every_state_has_a_way_back_and_a_way_on(case: Case, seed: int) -> None:
    states = case.random_states(10, seed)
    index = case.env.parents(states)[0]
    assert torch.equal(index, index.sort().values)
    assert torch.equal(index.unique(), torch.arange(len(states)))
    for state in each(states[~states.stopped]):
        assert len(case.actions(state))


@few
@given(seed=seeds)
def test_states_survive_packing_and_joining(case: Case, seed: int) -> None:
    states = case.random_states(3, seed)
    again = type(states).from_tensor(states.to_tensor())
    assert case.identities(again) == case.identities(states)
    assert torch.equal(again.stopped, states.stopped)
    assert torch.equal(type(states).cat(list(each(states))).to_tensor(), states.to_tensor())
    assert torch.equal(states[states.stopped].stopped, torch.ones(3, dtype=torch.bool))


# ---------------------------------------------------------------------- the backward policy


def total_pb(case: Case, states: Any) -> list[float]:
    """Sum of m P_B over the distinct edges into each state, m counted by brute force."""
    found = []
    for name, edges in zip(case.identities(states), case.edges_into(states), strict=True):
        total = 0.0
        for (_, kind), edge in edges.items():
            assert edge.log_pb == pytest.approx([edge.log_pb[0]] * len(edge.log_pb), abs=1e-5)
            total += case.multiplicity(edge.parent, kind, name) * math.exp(edge.log_pb[0])
        found.append(total)
    return found


@few
@given(seed=seeds)
def test_backward_probabilities_sum_to_one_over_parents(case: Case, seed: int) -> None:
    for total in total_pb(case, case.random_states(3, seed)):
        assert total == pytest.approx(1, abs=1e-4)


def test_negative_control_without_correction_they_do_not() -> None:
    case = fragments(SMALL, SMALL_LIMITS, symmetry_correction=False)
    totals = total_pb(case, case.random_states(20, 0))
    assert max(abs(total - 1) for total in totals) > 0.5


# ---------------------------------------------------------------------- all states of a small one


def test_forward_and_backward_steps_are_the_same_edges(listed: Listed) -> None:
    forward = {(a, b, kind) for a, found in listed.forward.items() for b, kind in found}
    backward = {(a, b, kind) for b, found in listed.backward.items() for a, kind in found}
    assert forward == backward
    grows_from_nothing = bool(listed.case.env.initial_states(1).to_tensor().max() <= 0)
    assert len(forward) > len(listed.states) > (100 if grows_from_nothing else 40)


def test_log_probability_of_any_trajectory_agrees_at_the_exact_flow(listed: Listed) -> None:
    """log Z + sum log P_F = log R + sum log P_B along every way to x, at the exact flow.

    The flow comes from counting: every backward step of a state takes an equal share of it.
    """
    case, names = listed.case, listed.terminal
    reward = {name: math.exp(i % 7 - 3) for i, name in enumerate(names)}
    flow: dict[Hashable, float] = defaultdict(float, reward)
    log_pf: dict[tuple[Hashable, Hashable, int], float] = {}
    for name in reversed(listed.states):  # children before parents
        for child, kind in listed.forward[name]:
            into = listed.backward[child]
            n_steps = sum(len(edge.log_pb) for edge in into.values())
            edge_flow = flow[child] * len(into[name, kind].log_pb) / n_steps
            flow[name] += edge_flow
            log_pf[name, child, kind] = math.log(edge_flow / listed.forward[name][child, kind])
    log_z = math.log(math.fsum(reward.values()))
    assert math.log(flow["initial"]) == pytest.approx(log_z)

    terminal = type(case.env.initial_states(1)).cat([listed.states[name] for name in names])
    for seed in range(2):  # two ways to every x
        way = rollout_backward(case.env, terminal, generator=torch.Generator().manual_seed(seed))
        following = case.env.step(way.states, way.actions)
        steps = zip(
            case.identities(way.states),
            case.identities(following),
            case.kinds(way.actions).tolist(),
            strict=True,
        )
        steps_pf = [log_pf[step] - math.log(flow[step[0]]) for step in steps]
        difference = way.total(torch.tensor(steps_pf).double() - way.log_pb)
        residual = log_z - torch.tensor(list(reward.values())).double().log() + difference
        assert residual.abs().max() < 1e-4


def test_likelihoods_of_all_terminal_states_sum_to_one(listed: Listed) -> None:
    states = [listed.states[name] for name in listed.terminal]
    log_p = log_likelihood(
        listed.case.env, listed.case.uniform, type(states[0]).cat(states), Condition.of(1.0)
    )
    assert float(log_p.exp().sum()) == pytest.approx(1, abs=1e-5)
