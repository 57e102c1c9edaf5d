"""Every numeric setting: a training survives it, or it is refused by name."""

import dataclasses
import math
import typing
from pathlib import Path

import pytest

from molgfn.config.loader import load_config
from molgfn.config.memory import check_memory
from molgfn.config.ranges import ranges_of
from molgfn.config.schema import Config, FactorConfig
from molgfn.errors import ConfigError, MolgfnError
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.molecules.run_directory import RunDirectory
from molgfn.workflows.train import start_training

FACTORS = (
    "{scorer: QED, transform: window, low: 0.2, high: 0.9, softness: 0.1}",
    "{scorer: logP, transform: decay, limit: 1, softness: 1, name: limited}",
)
#: Of one batch of a few trajectories, by a small network.
QUICK = (
    f"reward.factors=[{', '.join(FACTORS)}]",
    *("train.batch_size=16", "train.updates_per_step=1", "train.n_beta_groups=2"),
    *("train.replay_batch_size=2", "policy.hidden=8", "policy.layers=1", "limits.max_fragments=4"),
)
ODD = (-1e300, -(10**18), -1, -1e-300, 0, 1e-300, 0.5, 10**18, 1e300, 10**300, math.nan, math.inf)
#: These say how much is done, not how: their upper ends are let be.
LONG = {
    *("train.batch_size", "train.replay_batch_size", "train.updates_per_step"),
    *("train.n_beta_groups", "train.reward_workers", "policy.hidden"),
}


def sections(section=Config, name=""):
    """All sections with what messages put before their keys; of the factors those above."""
    yield name, section
    for field, kind in typing.get_type_hints(section).items():
        if dataclasses.is_dataclass(kind):
            yield from sections(kind, f"{name}{field}.")
    if section is Config:
        yield "reward.factors.0.", FactorConfig


RANGES = {
    name + field: allowed
    for name, section in sections()
    for field, allowed in ranges_of(section).items()
}
IN_A_TRAINING = [key for key in RANGES if not key.startswith("rounds.")]


def test_every_number_has_a_range():
    numbers = {
        name + field
        for name, section in sections()
        for field, kind in typing.get_type_hints(section).items()
        if {int, float} & {kind, *typing.get_args(kind)}
    }
    assert numbers == set(RANGES)
    assert len(numbers) > 50


def refusal(do, *arguments):
    """The message of an error that a user can act on; empty where there is none."""
    try:
        do(*arguments)
    except MolgfnError as error:
        return str(error)
    return ""


def given(key, value):
    key = "reward.factors.1.limit" if key == "reward.factors.0.limit" else key
    text = {math.inf: ".inf"}.get(value, ".nan" if math.isnan(value) else repr(value))
    return (*QUICK, f"{key}={text}")


@pytest.mark.parametrize("key", RANGES)
def test_odd_numbers_are_refused_by_name_or_lie_in_the_range(key):
    for value in (*ODD, RANGES[key].least, RANGES[key].most):
        message = refusal(load_config, None, given(key, value))
        if message:
            assert key.rpartition(".")[2] in message.partition(": ")[2]
            assert len(message) < 500
        else:
            assert not RANGES[key].fault(value)


def tiny():
    """A vocabulary of which every state is soon listed."""
    fragments = [("c1ccccc1", dict.fromkeys(range(6), 1)), ("C", {0: 2}), ("CO", {0: 1})]
    return Vocabulary("tiny", tuple(Fragment.build(*each) for each in fragments))


def ends(key):
    allowed = RANGES[key]
    yield allowed.least if allowed.with_least else math.nextafter(allowed.least, math.inf)
    if key not in LONG:
        yield allowed.most if allowed.with_most else math.nextafter(allowed.most, -math.inf)


@pytest.mark.slow
@pytest.mark.parametrize("key", IN_A_TRAINING)
def test_a_training_survives_the_ends_of_every_range(key, tmp_path):
    """It goes on, or says in one line what hinders it."""
    for number, value in enumerate(ends(key)):
        assert "\n" not in refusal(train_a_step, given(key, value), tmp_path / str(number))


def train_a_step(settings, path):
    training = start_training(load_config(None, settings), RunDirectory(path), tiny())
    next(training.steps())


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (["policy.hidden=4096", "policy.layers=100"], "policy.hidden 4096 with policy.layers 100"),
        (["train.batch_size=99968", "policy.hidden=2048"], "train.batch_size 99968"),
        (["train.replay_batch_size=99968", "policy.hidden=512"], "train.replay_batch_size 99968"),
    ],
)
def test_what_is_too_much_for_the_memory_is_refused_by_name(settings, named, monkeypatch):
    monkeypatch.setattr("molgfn.config.memory.available_memory", lambda: 64e9)
    check_memory(load_config(None, []))
    with pytest.raises(ConfigError, match=f"^{named}: a training would need about"):
        check_memory(load_config(None, settings))
    check_memory(load_config(None, [*settings, "device=cuda"]))


def test_the_named_settings_of_a_crash_are_refused(cli, tmp_path: Path):
    path = tmp_path / "c.yaml"
    for setting in (
        *("policy: {hidden: 1000000}", "train: {batch_size: 1000000000000}"),
        *("limits: {max_heavy_atoms: 1e300}", "train: {beta_max: 1e300}"),
        "train: {reward_workers: 1000000}",
    ):
        path.write_text(setting)
        result = cli("config", "check", path)
        assert (result.exit_code, result.stdout) == (3, "")
        assert "must be at most" in result.stderr
