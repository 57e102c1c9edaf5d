"""The environment's symmetry correction against brute force, with its negative control."""

from __future__ import annotations

import math

import pytest
import torch

from molgfn.chem.fragment import Fragment
from molgfn.chem.tree import TreeSymmetry
from molgfn.chem.vocabulary import Vocabulary
from molgfn.config.schema import LimitsConfig
from molgfn.env.fragment_env import STOP, FragmentEnv

from .enumeration import EMPTY, Space, enumerate_space, exact_policy, key_of

BENZENE = Fragment.build("c1ccccc1", dict.fromkeys(range(6), 1))
METHANE = Fragment.build("C", {0: 2})
WATER = Fragment.build("O", {0: 1})
TRIFLUORIDE = Fragment.build("FC(F)F", {1: 1})
PIPERIDINE = Fragment.build("C1CCNCC1", {1: 1, 0: 1, 3: 1}, close=True)
FORMAMIDE = Fragment.build("NC=O", {0: 2, 1: 1})
UREA = Fragment.build("NC(N)=O", {0: 1, 2: 1})

VOCABULARIES = {
    "rings": Vocabulary("rings", (BENZENE, METHANE, TRIFLUORIDE, PIPERIDINE)),
    "linkers": Vocabulary("linkers", (BENZENE, FORMAMIDE, UREA, WATER)),
    # Piperidine may only come in by its nitrogen: not every leaf of a tree is removable.
    "entries": Vocabulary(
        "entries", (METHANE, Fragment.build("C1CCNCC1", {0: 1, 3: 1}, entries=frozenset({3})))
    ),
    "pairs": Vocabulary(
        "pairs",
        (BENZENE, METHANE, WATER, UREA),
        frozenset({("C", "c"), ("N", "c"), ("O", "c"), ("c", "c")}),
    ),
}
LIMITS = LimitsConfig(min_fragments=2, max_fragments=3, max_heavy_atoms=19)


@pytest.fixture(scope="module", params=sorted(VOCABULARIES))
def space(request: pytest.FixtureRequest) -> Space:
    return enumerate_space(FragmentEnv(VOCABULARIES[request.param], LIMITS))


def test_multiplicities_follow_orbit_stabiliser(space: Space) -> None:
    """m / k = |Aut(s)| |Stab(e)| / |Aut(s')| on every edge."""
    env = space.env
    symmetry = TreeSymmetry(env.vocabulary)
    n_edges = 0
    for key, actions in space.actions.items():
        for action, child in actions:
            if int(action[0, 0]) == STOP:
                continue
            entry = int(action[0, 1])
            m, k = space.forward[key][child, entry], space.backward[child][key, entry]
            aut = 1 if key == EMPTY else symmetry.key_and_order(space.states[key].trees()[0])[1]
            aut_child = symmetry.key_and_order(space.states[child].trees()[0])[1]
            stabiliser = math.exp(float(env.tensors.entry_log_symmetry[entry]))
            assert m / k == pytest.approx(aut * stabiliser / aut_child)
            n_edges += 1
    assert n_edges > 20


def test_every_state_has_a_parent_and_an_action(space: Space) -> None:
    for key in space.states:
        assert space.actions[key]
        assert key == EMPTY or space.backward[key]
        assert all(parent in space.states for parent, _ in space.backward.get(key, ()))


def residuals(space: Space, *, symmetry_correction: bool) -> torch.Tensor:
    """log Z + sum log P_F - log R - sum log P_B along random trajectories at the exact flow."""
    env = FragmentEnv(
        space.env.vocabulary, space.env.limits, symmetry_correction=symmetry_correction
    )
    generator = torch.Generator().manual_seed(0)
    reward = {key: math.exp(i % 7 - 3) for i, key in enumerate(space.terminal)}
    policy = exact_policy(space, reward)
    log_z = math.log(sum(reward.values()))
    found = []
    for key in space.terminal:
        state = env.step(space.states[key], torch.tensor([[STOP, 0]]))[0]
        residual = log_z - math.log(reward[key]) - float(env.log_symmetry(state))
        while int(state.n_fragments):
            state, action, log_pb = env.sample_backward(state, generator=generator)
            # The parent is isomorphic to the representative but numbered otherwise: look the
            # action up by the edge it takes.
            child = key_of(env, env.step(state, action)[0])
            log_pf = edge_log_pf(space, policy, key_of(env, state), child, action)
            residual += log_pf - float(log_pb)
        found.append(residual)
    return torch.tensor(found, dtype=torch.float64)


def edge_log_pf(
    space: Space,
    policy: dict[str, dict[tuple[int, int], float]],
    parent: str,
    child: str,
    action: torch.Tensor,
) -> float:
    row, entry = (int(v) for v in action[0])
    for candidate, target in space.actions[parent]:
        other_row, other_entry = (int(v) for v in candidate[0])
        if target == child and other_entry == entry and (row == STOP) == (other_row == STOP):
            return math.log(policy[parent][other_row, other_entry])
    raise AssertionError(f"no action from {parent} to {child}")


def test_exact_flow_has_zero_trajectory_balance(space: Space) -> None:
    assert residuals(space, symmetry_correction=True).abs().max() < 1e-5


def test_negative_control_without_correction_is_far_off(space: Space) -> None:
    assert residuals(space, symmetry_correction=False).abs().max() > 0.5
