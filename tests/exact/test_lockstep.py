"""As on a GPU: trajectories keep step, nothing is asked of the device, and the law is the same."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from molgfn.config.choices import training_objectives
from molgfn.config.schema import LimitsConfig, PolicyConfig
from molgfn.fragments.vocabulary_file import find_vocabulary
from molgfn.gfn.condition import Condition
from molgfn.gfn.exact import space_log_likelihood
from molgfn.gfn.perceptron import PerceptronPolicy
from molgfn.gfn.rollout import draw_terminal, rollout, rollout_backward
from molgfn.hypergrid.env import Hypergrid
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.policy.network import FlowPolicy
from molgfn.molecules.policy.uniform import UniformPolicy

from .exact_policy import TablePolicy, absolute_residuals
from .spaces import SMALL, Case, case_of, chi_square, fresh_policy, random_log_reward

N_DRAWS = 5_000
ASKED = Condition.of(8.0)


@pytest.fixture(scope="module", params=SMALL)
def case(request: pytest.FixtureRequest) -> Case:
    return case_of(request.param)


@pytest.fixture(scope="module")
def env(case: Case) -> FragmentEnv:
    """The environment of the case, whose trajectories keep step."""
    env = copy.copy(case.env)
    env.lockstep = True
    return env


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def frequencies(case: Case, env: FragmentEnv, policy: Any) -> torch.Tensor:
    """How often each terminal state is drawn."""
    drawn = draw_terminal(env, policy, ASKED.repeat(N_DRAWS), generator=seeded(0))
    return case.frequencies(drawn)


def test_draws_follow_the_law_of_the_policy(case: Case, env: FragmentEnv) -> None:
    p = space_log_likelihood(case.space, fresh_policy(case.env), ASKED).exp().double()
    assert abs(chi_square(frequencies(case, env, fresh_policy(env)), p)) < 4
    # The same draws are far from the law of another policy.
    other = space_log_likelihood(case.space, UniformPolicy(case.env), ASKED).exp().double()
    assert chi_square(frequencies(case, env, fresh_policy(env)), other) > 20


@pytest.mark.parametrize("lockstep", [False, True])
def test_each_draw_follows_the_law_of_its_own_condition(case: Case, lockstep: bool) -> None:
    """Conditions that alternate within a batch; the control is the law of the other one."""
    env = copy.copy(case.env)
    env.lockstep = lockstep
    policy, asked = fresh_policy(env), Condition.at(torch.tensor([1.0, 32.0]).log())
    drawn = draw_terminal(env, policy, asked[torch.arange(2 * N_DRAWS) % 2], generator=seeded(0))
    laws = [
        space_log_likelihood(case.space, policy, asked[number : number + 1]).exp().double()
        for number in range(2)
    ]
    for own, other, number in ((*laws, 0), (*laws[::-1], 1)):
        found = case.frequencies(drawn[torch.arange(number, 2 * N_DRAWS, 2)])
        assert abs(chi_square(found, own)) < 4
        assert chi_square(found, other) > 20


def test_uniform_actions_are_uniform(case: Case, env: FragmentEnv) -> None:
    """With all rows and entries replaced a fresh network draws as the uniform policy does."""
    condition, always = ASKED.repeat(N_DRAWS), torch.ones(N_DRAWS)
    drawn = rollout(env, fresh_policy(env), condition, generator=seeded(1), epsilon=always)
    p = space_log_likelihood(case.space, UniformPolicy(case.env), ASKED).exp().double()
    assert abs(chi_square(case.frequencies(drawn.terminal), p)) < 4


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("objective", training_objectives())
def test_every_objective_vanishes_along_the_trajectories(
    case: Case, env: FragmentEnv, objective: str, backward: bool
) -> None:
    log_reward = random_log_reward(case.space)
    policy = TablePolicy(case.env, case.space, case.numbers, log_reward)
    batch = rollout(env, UniformPolicy(env), Condition.of(1.0, 30), generator=seeded(0))
    if backward:
        batch = rollout_backward(env, batch.terminal, generator=seeded(1))
    of_state = dict(zip(case.space.terminal.tolist(), log_reward.tolist(), strict=True))
    reward = torch.tensor([of_state[number] for number in case.numbers(batch.terminal)]).double()
    assert absolute_residuals(objective, env, policy, batch, reward).max() < 1e-5


def test_trajectories_are_whole(env: FragmentEnv) -> None:
    batch = rollout(env, UniformPolicy(env), Condition.of(1.0, 200), generator=seeded(0))
    following = env.step(batch.states, batch.actions).to_tensor()
    assert not batch.states.stopped.any()
    for number in range(len(batch)):
        own = (batch.trajectory == number).nonzero().squeeze(1)
        assert batch.position[own].tolist() == list(range(len(own)))
        states, led = batch.states.to_tensor()[own], following[own]
        assert torch.equal(states[0], env.initial_states(1).to_tensor()[0])
        assert torch.equal(states[1:], led[:-1])
        assert torch.equal(batch.terminal.to_tensor()[number], led[-1])


def test_trajectories_back_are_whole(env: FragmentEnv) -> None:
    check_ways_back(env, UniformPolicy(env))


def test_trajectories_back_on_the_grid_are_whole() -> None:
    env, policy = small_grid()
    env.lockstep = True
    check_ways_back(env, policy)


def check_ways_back(env: Any, policy: Any) -> None:
    terminal = rollout(env, policy, Condition.of(1.0, 200), generator=seeded(0)).terminal
    batch = rollout_backward(env, terminal, generator=seeded(1))
    assert torch.equal(batch.terminal.to_tensor(), terminal.to_tensor())
    keys, following = env.keys(terminal), env.step(batch.states, batch.actions)
    assert not batch.states.stopped.any()
    assert batch.length.max() > batch.length.min()
    for number in range(len(batch)):
        own = (batch.trajectory == number).nonzero().squeeze(1)
        # Backward in time.
        assert batch.position[own].tolist() == list(reversed(range(len(own))))
        assert env.is_initial(batch.states[own]).tolist() == [False] * (len(own) - 1) + [True]
        led = env.keys(following[own])
        assert led[0] == keys[number]
        assert led[1:] == env.keys(batch.states[own[:-1]])


def test_the_network_is_the_same_function(case: Case) -> None:
    """All places with masks, or only those that are there, in more room or in less."""
    env, policy = case.env, fresh_policy(case.env)
    batch = rollout(env, UniformPolicy(env), Condition.of(1.0, 50), generator=seeded(0))
    states = batch.states
    condition = Condition.at(torch.linspace(0, 3, len(states)))
    laid_out = policy.prepare(lockstep=True)
    for n_steps in range(env.max_steps):
        among = (batch.position == n_steps).nonzero().squeeze(1)
        if not len(among):
            continue
        packed = policy(states[among], condition[among])
        wide = laid_out(states[among], condition[among])
        close = laid_out(env.compact(states[among], n_steps), condition[among])
        for other in (wide, close):
            torch.testing.assert_close(other.log_flow, packed.log_flow, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(
                other.log_prob(batch.actions[among]),
                packed.log_prob(batch.actions[among]),
                atol=1e-4,
                rtol=1e-4,
            )


def small_grid() -> tuple[Hypergrid, PerceptronPolicy]:
    env = Hypergrid(2, 8)
    return env, PerceptronPolicy(env, hidden=16)


def small_fragments() -> tuple[FragmentEnv, FlowPolicy]:
    env = FragmentEnv(find_vocabulary("default"), LimitsConfig())
    return env, FlowPolicy(env, PolicyConfig(hidden=16, layers=2), beta_min=1, beta_max=32)


@pytest.mark.parametrize("make", [small_grid, small_fragments])
def test_nothing_is_asked_of_the_device(make: Any) -> None:
    """A device that holds no numbers, and so refuses whatever depends on one."""
    env, policy = make()
    env.to("meta")
    policy.to("meta")
    condition, epsilon = Condition.of(1.0, 6, device="meta"), torch.full((6,), 0.1, device="meta")

    def draw() -> Any:
        return draw_terminal(env, policy, condition, generator=None)  # type: ignore[arg-type]

    assert draw().to_tensor().shape == env.initial_states(6).to_tensor().shape
    distribution = policy.prepare(lockstep=True)(env.initial_states(6), condition)
    distribution.sample(torch.arange(6, device="meta"), None, epsilon)
    env.lockstep = False
    with pytest.raises((NotImplementedError, RuntimeError), match="Meta tensors"):
        draw()


def test_draws_of_the_grid_follow_the_law_too() -> None:
    env, policy = small_grid()
    env.lockstep = True
    drawn = rollout(env, policy, Condition.of(1.0, N_DRAWS), generator=seeded(2))
    assert drawn.length.max() > drawn.length.min()
    counts = env.cell_numbers(drawn.terminal).bincount(minlength=env.n_cells).double()
    p = space_log_likelihood(env.space(), policy, Condition.of(1.0)).exp().double()
    assert abs(chi_square(counts, p)) < 4
