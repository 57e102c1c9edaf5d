"""Rejection control on listed spaces: what stays, and how often, against all probabilities."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from molgfn.config.schema import Config
from molgfn.gfn.condition import Condition
from molgfn.gfn.exact import space_log_likelihood
from molgfn.gfn.metrics import l1_distance
from molgfn.gfn.rejection import find_threshold, log_acceptance
from molgfn.gfn.rollout import rollout
from molgfn.gfn.weighed import Weighed
from molgfn.molecules import rejection
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.policy.network import FlowPolicy
from molgfn.molecules.rejection import ControlledLaw, RejectionControl

from .spaces import SMALL, Case, case_of, fresh_policy, random_log_reward

BETA = 4.0
DRAWS = 4000


class Known:
    """The reward of a listed space; its molecules are the keys of its states."""

    def __init__(self, case: Case, log_score: torch.Tensor) -> None:
        self.case, self.log_score = case, log_score
        self.objectives, self.member_power = (SimpleNamespace(name="Score"),), 1.0
        self.number = {key: i for i, key in enumerate(case.env.keys(case.stopped))}

    def numbers(self, states: FragmentStates) -> list[int]:
        return [self.number[key] for key in self.case.env.keys(states)]

    def __call__(self, keys: list[str]) -> SimpleNamespace:
        found = self.log_score[[self.number[k] for k in keys]].numpy()
        return SimpleNamespace(objective_parts=found[:, None])


@pytest.fixture(scope="module", params=SMALL)
def case(request: pytest.FixtureRequest) -> Case:
    return case_of(request.param)


@pytest.fixture(scope="module")
def policy(case: Case) -> FlowPolicy:
    return fresh_policy(case.env)


@pytest.fixture(scope="module")
def log_reward(case: Case) -> np.ndarray[Any, Any]:
    return random_log_reward(case.space).numpy()


@pytest.fixture(scope="module")
def log_p(case: Case, policy: FlowPolicy) -> np.ndarray[Any, Any]:
    return space_log_likelihood(case.space, policy, Condition.of(BETA)).numpy()


def after(log_p: Any, log_reward: Any, threshold: float) -> Any:
    """Log-probabilities of what stays."""
    kept = log_p + log_acceptance(log_reward - log_p, threshold)
    return kept - np.logaddexp.reduce(kept)


def target(log_reward: Any) -> Any:
    return log_reward - np.logaddexp.reduce(log_reward)


def test_the_least_weight_as_threshold_gives_the_target_itself(log_p: Any, log_reward: Any) -> None:
    least = float((log_reward - log_p).min())
    np.testing.assert_allclose(after(log_p, log_reward, least), log_p, atol=1e-12)
    greatest = float((log_reward - log_p).max())
    np.testing.assert_allclose(after(log_p, log_reward, greatest), target(log_reward), atol=1e-12)


def test_a_policy_off_by_a_nat_comes_nearer_to_the_target(log_reward: Any) -> None:
    random = np.random.default_rng(0)
    before, behind = [], []
    for _ in range(50):
        log_q = target(log_reward + random.normal(size=len(log_reward)))
        threshold = find_threshold(log_reward - log_q)
        before.append(l1_distance(log_q, target(log_reward)))
        behind.append(l1_distance(after(log_q, log_reward, threshold), target(log_reward)))
    assert np.mean(behind) < 0.8 * np.mean(before)


def test_draws_stay_as_often_as_they_should(
    case: Case, policy: FlowPolicy, log_p: Any, log_reward: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Known(case, torch.from_numpy(log_reward / BETA))
    monkeypatch.setattr(rejection, "build_reward", lambda _config, **_: known)
    generator = torch.Generator().manual_seed(1)
    sampler = SimpleNamespace(env=case.env, policy=policy, config=Config())
    keep = RejectionControl(sampler, Condition.of(BETA), generator=generator)  # type: ignore[arg-type]
    condition = Condition.of(BETA, DRAWS)
    drawn = rollout(case.env, policy, condition, generator=generator).terminal
    stays = keep(drawn, case.env.keys(drawn))  # type: ignore[arg-type]
    numbers = np.array(known.numbers(drawn))
    drawn_log_p = log_p[numbers]
    threshold = find_threshold(log_reward[numbers] - drawn_log_p)
    chance = np.exp(log_acceptance(log_reward - log_p, threshold))
    # Each state stays as a coin with its chance decides; all of them together are within 4
    # standard deviations, in parts of low and of high chance alike.
    for part in (chance[numbers] < np.median(chance[numbers]), chance[numbers] < 1):
        expected = chance[numbers][part]
        spread = math.sqrt(float((expected * (1 - expected)).sum()))
        assert abs(float(stays.numpy()[part].sum()) - float(expected.sum())) < 4 * spread
    assert stays.numpy()[chance[numbers] == 1].all()
    assert stays.double().mean() >= 0.5


def test_without_a_score_nothing_stays(
    case: Case, policy: FlowPolicy, log_reward: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Known(case, torch.full((len(log_reward),), math.nan))
    monkeypatch.setattr(rejection, "build_reward", lambda _config, **_: known)
    sampler = SimpleNamespace(env=case.env, policy=policy, config=Config())
    generator = torch.Generator().manual_seed(1)
    keep = RejectionControl(sampler, Condition.of(BETA), generator=generator)  # type: ignore[arg-type]
    states = case.stopped[torch.arange(3)]
    keys: Any = case.env.keys(states)
    assert not keep(states, keys).any()
    # Of the next draws some have a score; the threshold is found from these, and they alone stay.
    some = torch.from_numpy(log_reward / BETA)
    some[known.numbers(states)[0]] = math.nan
    known.log_score = some
    stays = keep(states, keys)
    assert stays.any()
    assert not stays[0]


def test_the_law_of_controlled_draws_is_known(case: Case, log_p: Any, log_reward: Any) -> None:
    keys = np.array(case.env.keys(case.stopped))
    p = np.exp(log_p)  # of single precision
    numbers = np.random.default_rng(0).choice(len(log_p), DRAWS, p=p / p.sum())
    law = ControlledLaw.of(Weighed(tuple(keys[numbers]), log_p[numbers], log_reward[numbers]))
    found = law(Weighed(tuple(keys), log_p, log_reward)).log_p
    # Up to the share of draws that stay, which is estimated and common to all.
    error = found - after(log_p, log_reward, law.threshold)
    assert np.ptp(error) < 1e-9
    assert abs(error[0]) < 0.05
    assert np.ptp(log_p - after(log_p, log_reward, law.threshold)) > 0.1
