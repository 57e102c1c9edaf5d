"""On a GPU: what is replayed is what would be computed."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import torch

from molgfn.config.schema import LimitsConfig, PolicyConfig
from molgfn.fragments.vocabulary_file import find_vocabulary
from molgfn.gfn import recording
from molgfn.gfn.condition import Condition
from molgfn.gfn.exact import space_log_likelihood
from molgfn.gfn.rollout import draw_terminal, rollout
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.policy.network import FlowPolicy
from molgfn.molecules.policy.uniform import UniformPolicy

from .spaces import SMALL, case_of, chi_square, fresh_policy

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture
def env() -> FragmentEnv:
    return FragmentEnv(find_vocabulary("default"), LimitsConfig()).to("cuda")


@pytest.fixture
def policy(env: FragmentEnv) -> FlowPolicy:
    return fresh(env)


def fresh(env: FragmentEnv) -> FlowPolicy:
    torch.manual_seed(0)
    network = FlowPolicy(env, PolicyConfig(hidden=32, layers=2), beta_min=1, beta_max=32)
    return network.to("cuda")


def draw(env: Any, policy: Any, seed: int, n: int = 100) -> torch.Tensor:
    condition = Condition.of(8.0, n, device="cuda")
    generator = torch.Generator("cuda").manual_seed(seed)
    return draw_terminal(env, policy, condition, generator=generator).to_tensor()


def afresh(env: Any, policy: Any, seed: int) -> torch.Tensor:
    """The same, by operations launched one by one."""
    recording._recordings.clear()
    return draw(env, policy, seed)


def test_replays_draw_what_would_be_drawn(env: FragmentEnv, policy: FlowPolicy) -> None:
    expected = [afresh(env, policy, seed) for seed in range(3)]
    assert not torch.equal(expected[0], expected[1])
    drawn = [draw(env, policy, seed) for seed in range(3)]
    for found, wanted in zip(drawn, expected, strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize("name", SMALL)
def test_replays_follow_the_law_of_the_policy(name: str) -> None:
    case = case_of(name)
    env = FragmentEnv(case.env.vocabulary, case.env.limits).to("cuda")
    policy = fresh_policy(env).to("cuda")
    draws = [draw(env, policy, seed, 1000) for seed in range(6)][1:]
    found = case.frequencies(FragmentStates.from_tensor(torch.cat(draws).cpu()))
    p = space_log_likelihood(case.space, fresh_policy(case.env), Condition.of(8.0)).exp().double()
    assert abs(chi_square(found, p)) < 4
    other = (
        space_log_likelihood(case.space, UniformPolicy(case.env), Condition.of(1.0)).exp().double()
    )
    assert chi_square(found, other) > 10


def test_replays_follow_the_weights(env: FragmentEnv, policy: FlowPolicy) -> None:
    before = [draw(env, policy, 0) for _ in range(3)][-1]
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(-3)
    after = draw(env, policy, 0)
    assert not torch.equal(before, after)
    assert torch.equal(after, afresh(env, policy, 0))


def test_the_generator_goes_on(env: FragmentEnv, policy: FlowPolicy) -> None:
    """Several draws with one generator: the same however each was computed."""
    condition, epsilon = Condition.of(1.0, 50, device="cuda"), torch.full((50,), 0.2, device="cuda")

    def several() -> list[torch.Tensor]:
        generator = torch.Generator("cuda").manual_seed(1)
        ways = [
            rollout(env, policy, condition, generator=generator, epsilon=epsilon) for _ in range(4)
        ]
        return [way.terminal.to_tensor() for way in ways]

    recording._recordings.clear()
    first, second = several(), several()
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(first[0], first[1])


def test_recordings_are_few_and_go_with_their_policy(env: FragmentEnv) -> None:
    policy = fresh(env)
    for n in range(10, 10 + 2 * recording.MAX_RECORDINGS):
        draw(env, policy, 0, n)
        draw(env, policy, 0, n)
    assert len(recording._recordings[policy]) == recording.MAX_RECORDINGS
    n_owners = len(recording._recordings)
    del policy
    gc.collect()
    assert len(recording._recordings) == n_owners - 1
