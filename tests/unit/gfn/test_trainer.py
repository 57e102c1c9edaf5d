"""A failed score takes no part in training; a scorer that always fails stops it."""

import math

import pytest
import torch

from molgfn.config.schema import Config, LimitsConfig, PolicyConfig, TrainConfig
from molgfn.errors import CheckpointError, NumericalError, ScorerError
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.gfn.checkpoint import Part
from molgfn.gfn.condition import Condition
from molgfn.gfn.target import Target
from molgfn.gfn.trainer import MAX_FAILED_BATCHES, Trainer
from molgfn.machine.device import seeded
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.task import build_networks

VOCABULARY = Vocabulary(
    "tiny", (Fragment.build("c1ccccc1", dict.fromkeys(range(6), 1)), Fragment.build("N", {0: 2}))
)
LIMITS = LimitsConfig(max_fragments=3)


class StubTarget(Target):
    """Fails on molecules with two rings or more where told so; notes what it saw."""

    def __init__(self, env, fail):
        self.env, self.fail, self.seen = env, fail, []

    def log_parts(self, states):
        smiles = [m.smiles for m in self.env.molecules(states)]
        self.seen += smiles
        return torch.tensor([[math.nan if self.fail(s) else -1.0] for s in smiles])


def make_trainer(fail, **settings):
    train = TrainConfig(
        steps=50, batch_size=8, replay_batch_size=8, n_beta_groups=2, updates_per_step=2, **settings
    )
    config = Config(limits=LIMITS, policy=PolicyConfig(hidden=8, layers=1), train=train)
    env = FragmentEnv(VOCABULARY, LIMITS)
    target = StubTarget(env, fail)
    return Trainer(env, build_networks(config, env), target, train, generator=seeded(0)), target


def has_two_rings(smiles):
    return smiles.count("c1ccccc1") + smiles.count("c2ccccc2") > 1


def test_failed_scores_are_never_remembered():
    trainer, target = make_trainer(has_two_rings)
    failed = 0
    for _ in range(10):
        failed += trainer.train_step()["failed"]
    assert failed > 0
    document = trainer.state().document
    assert 0 < len(document["replay_keys"]) < len(set(target.seen))
    states = trainer._replay.sample(
        Condition.of(1.0), torch.zeros(50, dtype=torch.long), generator=seeded(1)
    )[0]
    assert not any(has_two_rings(m.smiles) for m in trainer.env.molecules(states))


def test_failed_scores_do_not_move_the_weights():
    trainer, _ = make_trainer(lambda s: True)
    before = [p.clone() for p in trainer.networks.policy.parameters()]
    metrics = trainer.train_step()
    assert math.isnan(metrics["loss"])
    assert math.isnan(metrics["score_mean"])
    assert all(
        torch.equal(a, b) for a, b in zip(before, trainer.networks.policy.parameters(), strict=True)
    )


def test_a_scorer_that_always_fails_stops_the_training():
    trainer, _ = make_trainer(lambda s: True)
    for _ in range(MAX_FAILED_BATCHES - 1):
        trainer.train_step()
    with pytest.raises(ScorerError, match="no molecule of the last 10 batches"):
        trainer.train_step()
    assert trainer.step == MAX_FAILED_BATCHES - 1


def test_a_loss_that_is_not_finite_names_the_cure():
    trainer, _ = make_trainer(lambda s: False)
    with torch.no_grad():
        next(trainer.networks.policy.parameters()).fill_(math.inf)
    with pytest.raises(NumericalError, match="lower train.learning_rate"):
        trainer.train_step()


def test_replayed_trajectories_are_trained_on():
    trainer, target = make_trainer(lambda s: False)
    trainer.train_step()
    assert len(target.seen) == 8
    assert trainer.train_step()["replay"] > 0
    assert len(target.seen) == 16  # what is replayed is not scored again


def test_an_update_waits_for_the_scores_of_its_own_part_alone(monkeypatch):
    trainer, target = make_trainer(lambda s: False)
    seen, learned = [], []

    def update(batch, log_parts, *_):
        seen.append(len(target.seen))
        states = batch.terminal[torch.arange(4)]
        keys = trainer.env.keys(states)
        learned.append(set(keys) <= set(trainer._replay.keys))
        assert [m.smiles for m in trainer.env.molecules(states)] == target.seen[-4:]
        return 0.0, 0.0

    monkeypatch.setattr(trainer, "_update", update)
    trainer.train_step()
    assert seen == [4, 8]
    assert learned == [True, True]  # what an update learns from is remembered before


def test_a_warm_start_takes_the_policy_and_scores_what_was_seen_anew():
    before, _ = make_trainer(lambda s: False)
    for _ in range(3):
        before.train_step()
    part = before.state()
    after, target = make_trainer(has_two_rings)
    fresh = after.state()
    after.warm_start(part)
    state = after.state()
    for name, weight in state.tensors.items():
        kind = name.partition("/")[0]
        if kind in ("policy", "sampler"):
            average = part.tensors[name.replace("policy/", "sampler/")]
            assert torch.equal(weight, average)
        elif kind in ("log_z", "optimizer"):
            assert torch.equal(weight, fresh.tensors[name])
    seen = part.document["replay_keys"]
    assert sorted(target.seen) == sorted(
        m.smiles
        for m in before.env.molecules(
            type(before.env.initial_states(1)).from_tensor(part.tensors["replay/states"])
        )
    )
    kept = [smiles for smiles in target.seen if not has_two_rings(smiles)]
    assert 0 < len(state.document["replay_keys"]) == len(kept) < len(seen)
    assert state.document["step"] == 0


def test_a_warm_start_from_another_network_is_refused():
    trainer, _ = make_trainer(lambda s: False)
    state = trainer.state()
    broken = {k: v for k, v in state.tensors.items() if not k.startswith("sampler/")}
    with pytest.raises(CheckpointError, match="sampler: the tensor .* is"):
        trainer.warm_start(Part(broken, state.document))
