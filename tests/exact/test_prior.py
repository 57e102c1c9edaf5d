"""A prior as a factor of the target, p0(x)^alpha R(x): by enumeration, with the naive power."""

from __future__ import annotations

import pytest
import torch

from molgfn.config.schema import Config, PolicyConfig, TrainConfig
from molgfn.gfn.balance import evaluate
from molgfn.gfn.condition import Condition
from molgfn.gfn.exact import log_terminal_probability, space_log_likelihood
from molgfn.gfn.likelihood import log_likelihood
from molgfn.gfn.maximum_likelihood import Learned, MaximumLikelihood
from molgfn.gfn.objectives import find_objective
from molgfn.gfn.policy import Policy
from molgfn.gfn.prior import Prior
from molgfn.gfn.rollout import rollout_backward
from molgfn.gfn.segments import log_sum_by_group
from molgfn.gfn.target import Target
from molgfn.gfn.trainer import Trainer
from molgfn.machine.device import seeded
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.task import build_networks, build_policy

from .exact_policy import TablePolicy
from .spaces import LIMITS_OF, Case, case_of, fresh_policy, random_log_reward

ONE = Condition.of(1.0)
OBJECTIVES = ("trajectory_balance", "vargrad", "detailed_balance", "sub_trajectory_balance")
#: Spaces with and without symmetry, and one whose start stays.
SPACES = ("linkers", "entries", "frozen-2")


def sharp_policy(env: FragmentEnv) -> Policy[FragmentStates]:
    """A policy far from uniform."""
    policy = fresh_policy(env)
    with torch.no_grad():
        for weight in policy.parameters():
            weight *= 1.5
    return policy


def prior_of(case: Case, alpha: float) -> Prior[FragmentStates]:
    return Prior(case.env, sharp_policy(case.env), ONE, alpha)


def action_log_p(case: Case, prior: Prior[FragmentStates]) -> tuple[torch.Tensor, torch.Tensor]:
    """Log P_F0 of every action of a space, and of stop where it may end."""
    space, decide = case.space, sharp_policy(case.env)
    every = decide(space.states, ONE.repeat(len(space)))
    stop = space.stop_action.expand(len(space.terminal), -1)
    with torch.no_grad():
        moves = every.log_prob(space.actions, space.action_state)
        return moves.double(), every.log_prob(stop, space.terminal).double()


class TiltedPolicy(TablePolicy):
    """P_F = P_F0 h(s') / h(s), the zero of every objective, from h(s) = E[g(x) | s]."""

    def __init__(self, case: Case, prior: Prior[FragmentStates], log_g: torch.Tensor) -> None:
        self.env, self.numbers = case.env, case.numbers
        space = case.space
        moves, stops = action_log_p(case, prior)
        child = space.edge_child[space.action_edge]
        log_h = torch.full((len(space),), -torch.inf, dtype=torch.float64)
        log_h[space.terminal] = stops + log_g
        for depth in space.depth.unique().flip(0):
            rows = (space.depth[space.action_state] == depth).nonzero().squeeze(1)
            onward = moves[rows] + log_h[child[rows]]
            total = log_sum_by_group(onward, space.action_state[rows], len(space))
            log_h = torch.where(space.depth == depth, torch.logaddexp(log_h, total), log_h)
        self.log_z, self.log_flow = log_h[0], log_h - log_h[0]
        own = moves + log_h[child] - log_h[space.action_state]
        entry = space.actions[:, -1].tolist()
        edges = zip(space.action_state.tolist(), child.tolist(), entry, strict=True)
        self.log_pf = dict(zip(edges, own.tolist(), strict=True))
        ends = stops + log_g - log_h[space.terminal]
        self.log_stop = dict(zip(space.terminal.tolist(), ends.tolist(), strict=True))
        self.log_p = log_terminal_probability(space, own, ends)


def residuals(objective: str, case: Case, policy: TablePolicy, log_base: torch.Tensor,
              log_pb: torch.Tensor, batch) -> torch.Tensor:  # fmt: skip
    n = len(batch)
    group = torch.zeros(n, dtype=torch.long)
    log_z = policy.log_z.expand(n)
    found = find_objective(objective)(
        evaluate(case.env, policy, batch, ONE.repeat(n), group, log_base, log_z, log_pb=log_pb),
        TrainConfig(objective=objective),  # type: ignore[arg-type]
    )
    return found.value[found.weight > 0].abs()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("name", SPACES)
def test_every_objective_has_its_zero_at_the_power_of_the_prior_times_the_reward(
    name: str, alpha: float
) -> None:
    case = case_of(name)
    prior, log_reward = prior_of(case, alpha), random_log_reward(case.space)
    log_p0 = prior.log_p(case.stopped)
    assert float(log_p0.exp().sum()) == pytest.approx(1, abs=1e-5)
    policy = TiltedPolicy(case, prior, log_reward + (alpha - 1) * log_p0)
    target = (alpha * log_p0 + log_reward).softmax(0)
    assert float((policy.log_p.exp() - target).abs().sum()) < 1e-5
    batch = rollout_backward(case.env, case.stopped, generator=seeded(0))
    log_base, log_pb = log_reward + prior.log_rest(batch), prior.log_pf(batch).double()
    for objective in OBJECTIVES:
        assert residuals(objective, case, policy, log_base, log_pb, batch).max() < 1e-4
        # The control: P_B of the environment in its place belongs to another law.
        other = residuals(objective, case, policy, log_base, batch.log_pb.double(), batch)
        assert other.max() > 0.5


@pytest.mark.parametrize("alpha", [0.5, 2.0])
def test_the_power_of_the_product_is_another_law(alpha: float) -> None:
    """alpha log P_F0 along the way, without the factor of the end: what must not be done."""
    case = case_of("linkers")
    prior = prior_of(case, alpha)
    log_p0 = prior.log_p(case.stopped)
    moves, stops = action_log_p(case, prior)
    naive = log_terminal_probability(case.space, alpha * moves, alpha * stops).softmax(0)
    assert float((naive - (alpha * log_p0).softmax(0)).abs().sum()) > 0.1


class TiltedTarget(Target[FragmentStates]):
    """A random reward times the power of a prior."""

    def __init__(self, case: Case, prior: Prior[FragmentStates] | None) -> None:
        self.prior = prior
        keys = case.env.keys(case.stopped)
        self._env = case.env
        log_reward = random_log_reward(case.space)
        self._known = dict(zip(keys, (log_reward - log_reward.max()).tolist(), strict=True))

    def log_parts(self, states: FragmentStates) -> torch.Tensor:
        return torch.tensor([self._known[key] for key in self._env.keys(states)])[:, None]


@pytest.mark.parametrize("with_prior", [True, False])
def test_a_training_learns_the_power_of_the_prior_times_the_reward(with_prior: bool) -> None:
    case = case_of("linkers")
    prior = prior_of(case, 0.5)
    train = TrainConfig(
        steps=1500, batch_size=32, updates_per_step=1, replay_batch_size=0, beta_min=1.0,
        beta_max=1.0,
    )  # fmt: skip
    limits = LIMITS_OF.get("linkers", case.env.limits)
    config = Config(limits=limits, policy=PolicyConfig(hidden=64, layers=2), train=train)
    networks = build_networks(config, case.env)
    target = TiltedTarget(case, prior if with_prior else None)
    trainer = Trainer(case.env, networks, target, train, generator=seeded(0))
    for _ in range(train.steps):
        trainer.train_step()
    wanted = random_log_reward(case.space) + prior.log_factor(case.stopped)
    found = space_log_likelihood(case.space, networks.sampler, ONE)
    distance = float((found.exp() - wanted.softmax(0)).abs().sum())
    assert distance < 0.1 if with_prior else distance > 0.3


def test_the_bound_that_a_fit_raises_is_below_the_exact_log_p() -> None:
    """On average over backward trajectories; equal to it where the policy is an exact flow."""
    case = case_of("linkers")
    policy, terminal = sharp_policy(case.env), case.stopped
    exact = log_likelihood(case.env, policy, terminal, ONE)
    bounds = []
    for seed in range(200):
        batch = rollout_backward(case.env, terminal, generator=seeded(seed))
        with torch.no_grad():
            log_pf = policy(batch.states, ONE.repeat(len(batch.states))).log_prob(batch.actions)
        bounds.append(batch.total(log_pf) - batch.total(batch.log_pb))
    gap = exact - torch.stack(bounds).double().mean(0)
    assert gap.min() > -0.05
    assert gap.max() > 0.2


def test_a_fit_learns_the_law_of_its_states() -> None:
    """States that come in given shares; the control is the network before the fit."""
    case = case_of("linkers")
    wanted = random_log_reward(case.space).softmax(0)
    times = (2000 * wanted).round().long()
    learned = case.stopped[torch.arange(len(times)).repeat_interleave(times)]
    train = TrainConfig(beta_min=1.0, beta_max=1.0)
    config = Config(limits=case.env.limits, policy=PolicyConfig(hidden=64, layers=2), train=train)
    networks = build_networks(config, case.env)
    best = build_policy(config, case.env)
    nets = Learned(networks.policy, networks.sampler, best)
    fit = MaximumLikelihood(case.env, nets, learned, learned, train, 25, generator=seeded(0))

    def distance() -> float:
        found = space_log_likelihood(case.space, nets.best, ONE)
        return float((found.exp() - wanted).abs().sum())

    before = distance()
    while fit.epoch < 25:
        fit.train_epoch()
    assert distance() < 0.15
    assert before > 0.8
