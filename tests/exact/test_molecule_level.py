"""With the reward shared by the trees of a molecule, molecules follow R/Z; without, trees do."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from exact_flow import exact_log_flow, exact_log_pf, exact_log_stop

from molgfn.chem.molecule import Molecule
from molgfn.config.schema import Config, LimitsConfig, PolicyConfig, TrainConfig
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.gfn.condition import Condition
from molgfn.gfn.exact import log_terminal_probability, space_log_likelihood
from molgfn.gfn.rejection import find_threshold, log_acceptance
from molgfn.gfn.space import Space
from molgfn.gfn.trainer import Trainer
from molgfn.machine.device import seeded
from molgfn.molecules import rejection
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.listing import enumerate_fragments
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.policy.uniform import UniformPolicy
from molgfn.molecules.rejection import RejectionControl
from molgfn.molecules.target import MoleculeTarget
from molgfn.molecules.task import build_networks

BETA = 2.0
LIMITS = LimitsConfig(min_fragments=2, max_fragments=4, max_heavy_atoms=9)


class Listed:
    """A vocabulary with up to 13 trees for one molecule, and all that it can build."""

    def __init__(self) -> None:
        fragments = (
            Fragment.build("C", {0: 2}),
            Fragment.build("CC", {0: 1, 1: 1}),
            Fragment.build("CCC", {0: 1, 2: 1}),
            Fragment.build("c1ccccc1", {0: 1, 3: 1}, close=True),
        )
        self.env = FragmentEnv(Vocabulary("chains", fragments), LIMITS)
        self.space: Space[FragmentStates] = enumerate_fragments(self.env)
        self.molecules = self.env.molecules(self.space.states[self.space.terminal])
        numbers = {smiles: i for i, smiles in enumerate(sorted({m.smiles for m in self.molecules}))}
        self.owner = torch.tensor([numbers[m.smiles] for m in self.molecules])
        self.n_trees = torch.bincount(self.owner)
        self.log_score = torch.tensor([log_score(smiles) for smiles in numbers]).double()

    def molecule_level(self, log_p: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(self.n_trees)).double().index_add(0, self.owner, log_p.exp())

    def distances(self, log_p: torch.Tensor) -> tuple[float, float]:
        """L1 distance of molecules from R/Z, and from the number of trees times R."""
        p = self.molecule_level(log_p)
        log_reward = BETA * self.log_score
        shared, unshared = log_reward.softmax(0), (log_reward + self.n_trees.log()).softmax(0)
        return float((p - shared).abs().sum()), float((p - unshared).abs().sum())

    def target(self, *, divide: bool) -> MoleculeTarget:
        return MoleculeTarget(self.env, reward, divide_by_multiplicity=divide)  # type: ignore[arg-type]


def log_score(smiles: str) -> float:
    return -(sum(map(ord, smiles)) * 7919 % 11) / 10


def reward(molecules: list[Molecule]) -> SimpleNamespace:
    found = np.array([log_score(m.smiles) for m in molecules])
    return SimpleNamespace(log_score=found, objective_parts=found[:, None])


vars(reward).update(
    needs_molecules=True, objectives=(SimpleNamespace(name="Score"),), member_power=1.0
)


@pytest.fixture(scope="module")
def listed() -> Listed:
    return Listed()


def test_every_tree_of_a_molecule_is_counted(listed: Listed) -> None:
    states = listed.space.states[listed.space.terminal]
    log_n = listed.target(divide=True).log_multiplicity(states)
    assert torch.equal(log_n.exp().round(), listed.n_trees[listed.owner].float())
    assert int(listed.n_trees.max()) == 13
    assert int(listed.n_trees.min()) == 1


@pytest.mark.parametrize("divide", [True, False])
def test_exact_flow(listed: Listed, *, divide: bool) -> None:
    space, target = listed.space, listed.target(divide=divide)
    states = space.states[space.terminal]
    parts, log_base = target.log_parts(states).double(), target.log_base(states)
    log_reward = target.log_reward(parts, log_base, Condition.of(BETA, len(states)), -300.0)
    log_flow = exact_log_flow(space, log_reward)
    log_p = log_terminal_probability(
        space, exact_log_pf(space, log_flow), exact_log_stop(space, log_flow, log_reward)
    )
    shared, unshared = listed.distances(log_p)
    near, far = (shared, unshared) if divide else (unshared, shared)
    assert near < 1e-6
    assert far > 0.6


@pytest.mark.parametrize("divide", [True, False])
def test_trained_sampler(listed: Listed, *, divide: bool) -> None:
    train = TrainConfig(
        steps=240,
        batch_size=32,
        updates_per_step=1,
        replay_batch_size=0,
        n_beta_groups=1,
        ema_decay=0.95,
        beta_min=BETA,
        beta_max=BETA,
    )
    config = Config(limits=LIMITS, policy=PolicyConfig(hidden=32, layers=2), train=train)
    networks = build_networks(config, listed.env)
    target = listed.target(divide=divide)
    trainer = Trainer(listed.env, networks, target, train, generator=seeded(0))
    for _ in range(train.steps):
        trainer.train_step()
    log_p = space_log_likelihood(
        listed.space,
        networks.sampler,
        Condition.of(BETA),
    )
    shared, unshared = listed.distances(log_p)
    near, far = (shared, unshared) if divide else (unshared, shared)
    assert near < 0.15
    assert far > 0.6


@pytest.mark.parametrize("divide", [True, False])
def test_rejection_control_weighs_by_the_same_target(
    listed: Listed, monkeypatch: pytest.MonkeyPatch, *, divide: bool
) -> None:
    """Draws of molecules with many trees stay as often as their share of the reward allows."""
    monkeypatch.setattr(rejection, "build_reward", lambda _config, **_: reward)
    config = Config(reward=replace(Config().reward, divide_by_multiplicity=divide))
    policy = UniformPolicy(listed.env)
    sampler = SimpleNamespace(env=listed.env, policy=policy, config=config)
    keep = RejectionControl(sampler, Condition.of(BETA), generator=seeded(1))  # type: ignore[arg-type]
    log_p = space_log_likelihood(listed.space, policy, Condition.of(BETA))
    drawn = torch.multinomial(log_p.exp(), 4000, replacement=True, generator=seeded(2))
    states = listed.space.states[listed.space.terminal].stopped_copy()
    stays = keep(states[drawn], [listed.molecules[i] for i in drawn.tolist()])

    log_reward = BETA * listed.log_score[listed.owner]
    if divide:
        log_reward = log_reward - listed.n_trees[listed.owner].log()
    log_weight = (log_reward - log_p)[drawn].numpy()
    chance = torch.from_numpy(log_acceptance(log_weight, find_threshold(log_weight))).exp()
    alone = listed.n_trees[listed.owner][drawn] == 1
    for part in (alone, ~alone):
        spread = float((chance * (1 - chance))[part].sum()) ** 0.5
        assert abs(float(stays[part].sum() - chance[part].sum())) <= 4 * spread
