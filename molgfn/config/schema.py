"""The configuration of a run as typed, frozen values with their ranges.

Every attribute documented here becomes the comment of its key in ``molgfn config``. The reward has
a module of its own, :mod:`molgfn.config.reward_schema`. Nothing heavy is imported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated

from molgfn.config.choices import training_objectives
from molgfn.config.ranges import BETA, COUNT, SHARE, Range, check_ranges
from molgfn.config.reward_schema import FactorConfig, RewardConfig
from molgfn.config.rounds_schema import RoundsConfig
from molgfn.errors import ConfigError, did_you_mean, shown

__all__ = [
    "Config",
    "FactorConfig",
    "LimitsConfig",
    "PolicyConfig",
    "RewardConfig",
    "RoundsConfig",
    "TrainConfig",
]


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """Hard limits of every molecule; the environment masks what would break them.

    Attributes:
        min_fragments: Fewest fragments of a finished molecule.
        max_fragments: Most fragments of a molecule.
        max_heavy_atoms: Most atoms other than hydrogen.
        max_weight_g_per_mol: Largest molecular weight, g/mol.

    Raises:
        ConfigError: A limit is out of range.
    """

    min_fragments: Annotated[int, Range(1, 100)] = 2
    max_fragments: Annotated[int, Range(1, 100)] = 9
    max_heavy_atoms: Annotated[int, Range(1, 1000)] = 38
    max_weight_g_per_mol: Annotated[float, Range(1, 1e5)] = 550.0

    def __post_init__(self) -> None:
        check_ranges(self, "limits.")
        if self.max_fragments < self.min_fragments:
            raise ConfigError(
                f"limits.max_fragments must be at least limits.min_fragments "
                f"({self.min_fragments}), got {self.max_fragments}"
            )


@dataclass(frozen=True, slots=True)
class PolicyConfig:
    """Size of the policy network.

    Attributes:
        hidden: Width of every hidden vector.
        layers: Rounds of message passing over the fragment graph.

    Raises:
        ConfigError: A size is out of range.
    """

    hidden: Annotated[int, Range(1, 4096)] = 128
    layers: Annotated[int, Range(1, 100)] = 3

    def __post_init__(self) -> None:
        check_ranges(self, "policy.")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How the policy is trained.

    Attributes:
        steps: Batches of trajectories.
        batch_size: Trajectories sampled and scored in each step.
        updates_per_step: Updates of the policy in each step, each on its part of the trajectories
            and on replayed ones of its own.
        random_share: Share of the trajectories sampled at random and not with the current policy,
            0 to below 1: they teach it how improbable poor molecules are.
        replay_batch_size: Trajectories in each update that are rebuilt backwards from molecules
            seen before, half of them from the best tenth; 0 turns replay off.
        replay_capacity: Molecules the replay buffer holds.
        learning_rate: Learning rate of the policy.
        log_z_learning_rate: Learning rate of log Z; ``vargrad`` does not use it.
        gradient_clip: Largest norm of the gradient of one update.
        epsilon_start: Share of random actions at the first step, 0 to 1.
        epsilon_end: Share of random actions from the middle of the training on, 0 to 1.
        ema_decay: Decay of the running average of the weights that samples; 0 turns it off.
        beta_min: Smallest exponent of the reward the policy is trained for.
        beta_max: Largest exponent of the reward the policy is trained for.
        log_reward_floor: A log reward (natural logarithm, after the exponent) below this counts as
            this: what is hopeless need not be told apart from what is worse.
        half_weight_nats: A trajectory counts half in the loss when its end is this many nats less
            probable than the best of its group, both by the reward and by the policy.
        n_beta_groups: Values of beta in each batch; trajectories of one group share theirs.
        objective: ``vargrad`` estimates log Z from each group, ``trajectory_balance`` learns it;
            ``sub_trajectory_balance``, ``detailed_balance`` and ``flow_matching`` learn the flow
            through every state too. All have the same optimum.
        sub_trajectory_decay: Weight of a stretch of a trajectory against one that is a step
            shorter; used by ``sub_trajectory_balance`` alone.
        symmetry_correction: Correct for actions that lead to the same state; false gives a wrong
            sampler and serves as the negative control of ``molgfn verify``.
        checkpoint_every: Steps between two checkpoints.
        keep_checkpoints: Checkpoints kept; older ones are deleted.
        log_every: Steps between two lines of the metrics file.
        reward_workers: Processes that score molecules while the policy learns; the run comes out
            the same whatever their number. null starts those that help and have a CPU to
            themselves. There are none where a scorer is the user's own, nor with
            ``divide_by_multiplicity``.

    Raises:
        ConfigError: A value is out of range.
    """

    steps: Annotated[int, COUNT] = 4000
    batch_size: Annotated[int, Range(1, 100_000)] = 256
    updates_per_step: Annotated[int, Range(1, 1000)] = 4
    random_share: Annotated[float, Range(0, 1, with_most=False)] = 0.125
    replay_batch_size: Annotated[int, Range(0, 100_000)] = 96
    replay_capacity: Annotated[int, Range(1, 10_000_000)] = 50_000
    learning_rate: Annotated[float, Range(1e-9, 10)] = 3e-3
    log_z_learning_rate: Annotated[float, Range(1e-9, 10)] = 1e-1
    gradient_clip: Annotated[float, Range(1e-6, 1e6)] = 5.0
    epsilon_start: Annotated[float, SHARE] = 0.05
    epsilon_end: Annotated[float, SHARE] = 0.01
    ema_decay: Annotated[float, Range(0, 1, with_most=False)] = 0.99
    beta_min: Annotated[float, BETA] = 4.0
    beta_max: Annotated[float, BETA] = 32.0
    log_reward_floor: Annotated[float, Range(-1e6, 0, with_most=False)] = -300.0
    half_weight_nats: Annotated[float, Range(1e-3, 1e6)] = 10.0
    n_beta_groups: Annotated[int, Range(1, 10_000)] = 8
    objective: str = "vargrad"
    sub_trajectory_decay: Annotated[float, Range(0.01, 2)] = 0.9
    symmetry_correction: bool = True
    checkpoint_every: Annotated[int, COUNT] = 100
    keep_checkpoints: Annotated[int, COUNT] = 2
    log_every: Annotated[int, COUNT] = 10
    reward_workers: Annotated[int | None, Range(0, 64)] = None

    def __post_init__(self) -> None:
        check_ranges(self, "train.")
        if self.beta_max < self.beta_min:
            raise ConfigError(
                f"train.beta_max must be at least train.beta_min ({self.beta_min}), "
                f"got {self.beta_max}"
            )
        for key, size, parts, of in (
            (
                "train.batch_size",
                self.batch_size,
                self.updates_per_step * self.n_beta_groups,
                "train.updates_per_step times train.n_beta_groups",
            ),
            (
                "train.replay_batch_size",
                self.replay_batch_size,
                self.n_beta_groups,
                "train.n_beta_groups",
            ),
        ):
            if size % parts:
                raise ConfigError(f"{key} must be a multiple of {of} ({parts}), got {size}")
        each = self.batch_size // (self.updates_per_step * self.n_beta_groups)
        known = training_objectives()
        if self.objective not in known:
            raise ConfigError(
                f"train.objective must be one of {', '.join(known)}, got {shown(self.objective)}"
                f"{did_you_mean(self.objective, known)}"
            )
        if self.objective == "vargrad" and each < 2:
            raise ConfigError(
                "train.batch_size must be at least twice train.updates_per_step times "
                f"train.n_beta_groups ({self.updates_per_step * self.n_beta_groups}) for vargrad, "
                f"which compares within groups; got {self.batch_size}"
            )


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that defines a run.

    Attributes:
        seed: Seed of every random number; the same seed gives the same run.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; ``auto`` takes a GPU when there is one.
        vocabulary: Name of a shipped vocabulary, or the path of a vocabulary file.
        limits: Hard limits of every molecule.
        reward: What makes a molecule good.
        policy: Size of the policy network.
        train: How the policy is trained.
        rounds: Active learning, ``molgfn rounds`` alone.

    Raises:
        ConfigError: A value is out of range.
    """

    seed: Annotated[int, Range(0, 2**63 - 1)] = 0
    device: str = "auto"
    vocabulary: str = "default"
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    rounds: RoundsConfig = field(default_factory=RoundsConfig)

    def __post_init__(self) -> None:
        check_ranges(self, "")
        check_device(self.device)
        if not self.vocabulary:
            raise ConfigError(
                "vocabulary must not be empty; give a shipped name such as default, or a path"
            )
        if self.reward.prior.name and self.train.objective == "flow_matching":
            raise ConfigError(
                "train.objective flow_matching cannot have a reward.prior; take another objective"
            )
        low, high, beta = self.train.beta_min, self.train.beta_max, self.rounds.beta
        if beta is not None and not low <= beta <= high:
            raise ConfigError(
                f"rounds.beta must lie in train.beta_min to train.beta_max ({low:g} to {high:g}), "
                f"got {beta:g}"
            )


def check_device(device: str) -> None:
    """Refuse (ConfigError) what is not ``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""
    if re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", device) is None:
        raise ConfigError(f"device must be auto, cpu, cuda or cuda:N, got {shown(device)}")
