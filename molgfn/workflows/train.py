"""Trains in a run directory: starts or resumes, writes metrics and checkpoints, obeys signals."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import numpy as np
import torch

from molgfn.config.memory import check_memory
from molgfn.config.schema import Config
from molgfn.errors import CheckpointError, shell_quoted
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.fragments.vocabulary_file import find_vocabulary
from molgfn.gfn.checkpoint import (
    Part,
    checkpoint_path,
    checkpoints,
    load_part,
    prune,
    save_parts,
    subset,
)
from molgfn.gfn.condition import Condition
from molgfn.gfn.rollout import draw_terminal
from molgfn.gfn.trainer import Trainer
from molgfn.machine.cpus import available_cpus
from molgfn.machine.device import seeded, set_up_device
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.policy.uniform import UniformPolicy
from molgfn.molecules.run_directory import RunDirectory, check_digest, check_resumable
from molgfn.molecules.sampler import load_sampler
from molgfn.molecules.scoring.score_worker import encode_order
from molgfn.molecules.target import (
    MAX_CHUNK_SIZE,
    MIN_CHUNK_SIZE,
    MoleculeTarget,
    build_target,
)
from molgfn.molecules.task import build_env, build_networks
from molgfn.reward.preflight import Preflight, preflight
from molgfn.reward.proxy.store import find_proxy
from molgfn.reward.scorers import are_built_in

#: Settings that a resumed run may change: how far it goes and what it writes, not what it is.
RESUMABLE = (
    "device",
    "train.steps",
    "train.checkpoint_every",
    "train.keep_checkpoints",
    "train.log_every",
    "train.reward_workers",
)
#: Processes that score, unless the configuration asks for more; each takes 400 MB.
MAX_REWARD_WORKERS = 8
#: For fewer steps none is started: that takes as much processor time as ten of them.
MIN_STEPS_WITH_WORKERS = 100
#: Random molecules scored before the first step.
PREFLIGHT_MOLECULES = 256


@dataclass
class Training:
    """A training ready to go.

    Attributes:
        config: Its configuration.
        directory: Its run directory.
        env: Its environment.
        trainer: The trainer, at the step where it begins.
        target: What it is trained on.
        preflight: What the reward looks like on random molecules; ``None`` for a resumed run.
    """

    config: Config
    directory: RunDirectory
    env: FragmentEnv
    trainer: Trainer[FragmentStates]
    target: MoleculeTarget
    preflight: Preflight | None = None

    def steps(self, tell: Callable[[str], None] = lambda _: None) -> Iterator[dict[str, float]]:
        """Train to the last step, saving as configured and once more at the end.

        SIGINT and SIGTERM end it after the step in progress and a checkpoint.

        Yields:
            Metrics of every step; those that are logged tell of proxy and control too.

        Raises:
            StopTraining: A signal came; the checkpoint is written.
        """
        train = self.config.train
        n_workers = _count_workers(self.config, self.env.device, train.steps - self.trainer.step)
        workers = self.target.workers(n_workers, encode_order(self.directory), tell)
        with _signals() as received, workers:
            while self.trainer.step < train.steps:
                metrics = self.trainer.train_step()
                step = self.trainer.step
                last = step == train.steps
                if step % train.log_every == 0 or last:
                    metrics |= self.target.divergence()
                    self.directory.append_metrics(metrics)
                if step % train.checkpoint_every == 0 or last or received:
                    self.save()
                yield metrics
                if received and not last:
                    raise StopTraining(received[0])

    def save(self) -> None:
        """Write a checkpoint of the current step and delete the oldest ones."""
        state = self.trainer.state()
        trainer = replace(
            state, document={**state.document, "metrics": self.directory.metrics_mark()}
        )
        policy = Part(
            subset(state.tensors, "sampler"),
            {
                "step": self.trainer.step,
                "vocabulary_digest": self.env.vocabulary.digest,
                "vocabulary": self.env.vocabulary.name,
            },
        )
        path = checkpoint_path(self.directory.checkpoints, self.trainer.step)
        save_parts(path, {"trainer": trainer, "policy": policy})
        prune(self.directory.checkpoints, self.config.train.keep_checkpoints)


class StopTraining(Exception):
    """A signal ended the training after it was saved.

    Attributes:
        signal_number: The signal.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


def start_training(
    config: Config,
    directory: RunDirectory,
    vocabulary: Vocabulary | None = None,
    *,
    after: RunDirectory | None = None,
    policy: Path | None = None,
) -> Training:
    """Begin a run.

    Args:
        config: The configuration.
        directory: A directory without a run.
        vocabulary: In place of the one that the configuration names.
        after: A run whose policy and replay buffer, scored anew, this one begins with.
        policy: A prior or run whose policy alone it begins with.
    """
    vocabulary = find_vocabulary(config.vocabulary) if vocabulary is None else vocabulary
    config = anchored(config)
    training = _build(config, vocabulary, directory)
    checked = _preflight(training)
    if after is not None:
        training.trainer.warm_start(load_part(checkpoints(after.checkpoints)[-1], "trainer"))
    begins_with = policy if after is None else after.path
    if policy is not None:
        _begin_with(policy, training)
    directory.create(config, vocabulary, begins_with=begins_with)
    # Before the first step, so that a run killed early resumes with what the pre-flight scored.
    training.save()
    return replace(training, preflight=checked)


def resume_training(directory: RunDirectory, overrides: list[str]) -> Training:
    """Continue a run from its newest checkpoint.

    Args:
        directory: Directory of the run.
        overrides: ``key=value`` settings among ``RESUMABLE``; they become the run's own.

    Raises:
        UsageError: A setting would make it another run.
        CheckpointError: There is no checkpoint, or something is damaged.
    """
    check_resumable(overrides, RESUMABLE)
    config, vocabulary = directory.load(overrides)
    saved = checkpoints(directory.checkpoints)
    if not saved:
        _refuse_unless_new(directory)
    elif (saved[-1] / "fit.json").exists():
        raise CheckpointError(
            f"{directory.path} holds a prior; go on with `molgfn prior fit LIBRARY -o "
            f"{shell_quoted(directory.path)}`"
        )
    training = _build(config, vocabulary, directory)
    if saved:
        part = load_part(saved[-1], "trainer")
        digest = load_part(saved[-1], "policy").document.get("vocabulary_digest")
        check_digest(vocabulary, digest, str(directory.vocabulary_file))
        training.trainer.load(part)
        directory.truncate_metrics(part.checked())
    else:  # killed before the first checkpoint: what was done until then is done again
        training = replace(training, preflight=_preflight(training))
        training.save()
    if overrides:
        directory.write_config(config)
    return training


def _begin_with(source: Path, training: Training) -> None:
    """Take over the policy of a prior or of another run."""
    sampler = load_sampler(source, str(training.env.device))
    check_digest(training.env.vocabulary, sampler.env.vocabulary.digest, f"--from {source}")
    part, networks = load_part(sampler.checkpoint, "policy"), training.trainer.networks
    for network in (networks.policy, networks.sampler):
        network.load_state_dict(part.check(network.state_dict()))


def _refuse_unless_new(directory: RunDirectory) -> None:
    """Refuse a run that has lost its checkpoints; one that never had any can begin as it did."""
    if not directory.has_metrics() and directory.begins_afresh():
        return
    raise CheckpointError(
        f"{directory.checkpoints} holds no checkpoint to resume from; restore one from a copy, or "
        "begin anew in another directory, "
        f"`molgfn train {shell_quoted(directory.config_file)} --run OTHER`"
    )


def anchored(config: Config) -> Config:
    """Make the paths of a user's proxy and prior absolute: the run works from any directory."""
    reward, given = config.reward, Path(config.reward.proxy)
    if given.is_dir() and find_proxy(reward.proxy) == given:
        reward = replace(reward, proxy=str(given.resolve()))
    if reward.prior.name:
        prior = replace(reward.prior, name=str(Path(reward.prior.name).resolve()))
        reward = replace(reward, prior=prior)
    return replace(config, reward=reward)


def _build(config: Config, vocabulary: Vocabulary, directory: RunDirectory) -> Training:
    device = set_up_device(config.device)
    if device.type == "cpu":
        check_memory(config)
    correct = config.train.symmetry_correction
    env = build_env(config, vocabulary, device, symmetry_correction=correct)
    target = build_target(config.reward, env)
    trainer = Trainer(
        env,
        build_networks(config, env, len(target.objectives)),
        target,
        config.train,
        generator=seeded(config.seed, device),
    )
    return Training(config, directory, env, trainer, target)


def _preflight(training: Training) -> Preflight:
    """Look at the reward of random molecules, with random numbers of its own."""
    env = training.env
    generator = seeded(training.config.seed, env.device)
    condition = Condition.of(1.0, PREFLIGHT_MOLECULES, device=env.device)
    random = draw_terminal(env, UniformPolicy(env), condition, generator=generator)
    target = training.target
    log_score = target.log_score(target.log_parts(random)).double().numpy()
    return preflight(np.exp(log_score))


def _count_workers(config: Config, device: torch.device, n_steps: int) -> int:
    """Number of processes that score molecules during ``n_steps`` steps."""
    reward, train = config.reward, config.train
    if reward.divide_by_multiplicity or not are_built_in(reward.factors):
        return 0
    if train.reward_workers is not None:
        return train.reward_workers
    if n_steps < MIN_STEPS_WITH_WORKERS:
        return 0
    # On the CPU an update takes longer than the scoring of its part: one part alone is waited for.
    if device.type == "cpu":
        n_chunks = math.ceil(train.batch_size / train.updates_per_step / MAX_CHUNK_SIZE)
    else:
        n_chunks = math.ceil(train.batch_size / MIN_CHUNK_SIZE)
    return min(available_cpus() - 1, n_chunks, MAX_REWARD_WORKERS)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying; a second SIGINT interrupts at once."""
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and received:
            raise KeyboardInterrupt
        received.append(number)

    previous = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
