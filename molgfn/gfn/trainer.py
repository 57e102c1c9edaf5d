"""The training loop: sample, score, update, remember; exactly resumable."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypedDict

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import get_ema_multi_avg_fn

from molgfn.config.schema import TrainConfig
from molgfn.errors import CheckpointError, NumericalError, ScorerError
from molgfn.gfn.balance import evaluate
from molgfn.gfn.checkpoint import (
    CURE,
    Part,
    flatten_optimizer,
    restore_optimizer,
    subset,
    with_prefix,
)
from molgfn.gfn.condition import Condition
from molgfn.gfn.environment import Environment, S
from molgfn.gfn.log_partition import LogPartition
from molgfn.gfn.objectives import find_objective
from molgfn.gfn.policy import PolicyNetwork
from molgfn.gfn.replay import ReplayBuffer
from molgfn.gfn.rollout import rollout, rollout_backward
from molgfn.gfn.segments import group_mean
from molgfn.gfn.target import Target
from molgfn.gfn.trajectories import Trajectories, join
from molgfn.machine.tensors import ANY, check_tensor

#: Residuals beyond this many nats weigh linearly: early in training a few trajectories of a
#: large beta would otherwise drown all others.
HUBER_NATS = 5.0
#: The learning rate falls to this share of its start along a cosine.
FINAL_LEARNING_RATE_SHARE = 0.03
#: Batch size for scoring a replay buffer anew.
RESCORED_AT_ONCE = 512
#: Groups of the tensors of a checkpoint, which begin their names.
_GROUPS = ("policy", "sampler", "log_z", "optimizer", "replay")
#: Batches in a row without a single score, after which the scorer is declared broken.
MAX_FAILED_BATCHES = 10


@dataclass(frozen=True)
class Networks(Generic[S]):
    """The networks of a training.

    Attributes:
        policy: The policy being trained.
        sampler: Its running average, which samples.
        log_z: log Z as a function of the condition; every objective but VarGrad learns it.
    """

    policy: PolicyNetwork[S]
    sampler: PolicyNetwork[S]
    log_z: nn.Module

    @classmethod
    def build(
        cls,
        make_policy: Callable[[], PolicyNetwork[S]],
        config: TrainConfig,
        device: torch.device | str,
        *,
        seed: int,
        hidden: int = 16,
        n_objectives: int = 1,
    ) -> Networks[S]:
        """Build policy, equal sampler and log Z network on a device, with weights from a seed."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            low, high = config.beta_min, config.beta_max
            log_z = LogPartition(hidden, beta_min=low, beta_max=high, n_objectives=n_objectives)
            policy, sampler = make_policy().to(device), make_policy().to(device)
        sampler.load_state_dict(policy.state_dict())
        sampler.requires_grad_(requires_grad=False)
        return cls(policy, sampler, log_z.to(device))


class TrainerDocument(TypedDict):
    """What a checkpoint of a trainer holds besides its tensors.

    Attributes:
        step: Steps done.
        failed_batches: Consecutive batches without a single score.
        replay_keys: Canonical keys of the states of the replay buffer, best first.
        score: State of the target.
    """

    step: int
    failed_batches: int
    replay_keys: list[str]
    score: dict[str, Any]


class Trainer(Generic[S]):
    """Trains a policy to sample terminal states in proportion to R(x | condition).

    Each batch holds ``n_beta_groups`` conditions, see :meth:`Condition.drawn`; the trajectories of
    a group, sampled or replayed, share theirs.
    """

    def __init__(
        self,
        env: Environment[S],
        networks: Networks[S],
        target: Target[S],
        config: TrainConfig,
        *,
        generator: torch.Generator,
    ) -> None:
        self.env = env
        self.networks = networks
        self.target = target
        self.config = config
        self.generator = generator
        self.step = 0
        self._failed_batches = 0
        self._replay = ReplayBuffer(config.replay_capacity, type(env.initial_states(1)), target)
        self._optimizer = torch.optim.Adam(
            [
                {"params": list(networks.policy.parameters()), "lr": config.learning_rate},
                {"params": list(networks.log_z.parameters()), "lr": config.log_z_learning_rate},
            ],
            fused=True,
        )

    def train_step(self) -> dict[str, float]:
        """Sample and score one batch, and learn from it and from replayed states; returns metrics.

        Raises:
            NumericalError: The loss is not finite.
            ScorerError: Ten batches in a row had no score at all.
        """
        config, device = self.config, self.generator.device
        asked = Condition.drawn(
            config.n_beta_groups,
            (config.beta_min, config.beta_max),
            len(self.target.objectives),
            generator=self.generator,
        )
        n_updates, n_groups = config.updates_per_step, config.n_beta_groups
        # Every n-th trajectory belongs to the same update; each update sees all groups.
        number = torch.arange(config.batch_size, device=device)
        group = (number // n_updates) % n_groups
        sampled = self._rollout(asked[group])
        parts = [number % n_updates == i for i in range(n_updates)]
        terminal = [sampled.terminal[part] for part in parts]
        updates, log_score = [], torch.empty(config.batch_size, device=device)
        # While an update learns from one part, the next ones may be scored.
        scored = self.target.log_parts_of(terminal)
        for part, states, found in zip(parts, terminal, scored, strict=True):
            log_parts = found.to(device)
            log_score[part] = self.target.log_score(log_parts)
            self._remember(states, log_parts)
            batch = self._with_replay(sampled.select(part), log_parts, group[part], asked)
            updates.append(self._update(*batch, asked))
        self._refuse_silence(log_score)
        self.step += 1
        own = log_score[: len(log_score) - self._n_random]
        scores = own[~own.isnan()].exp()
        return {
            "step": self.step,
            "loss": _mean([loss for loss, _ in updates]),
            "log_z": _mean([log_z for _, log_z in updates]),
            "score_mean": float(scores.mean()) if len(scores) else math.nan,
            "score_max": float(scores.max()) if len(scores) else math.nan,
            "failed": int(log_score.isnan().sum()),
            "length": len(sampled.states) / len(sampled),
            "replay": len(self._replay),
            **self.target.statistics(),
        }

    def _with_replay(
        self, batch: Trajectories[S], log_parts: Tensor, group: Tensor, asked: Condition
    ) -> tuple[Trajectories[S], Tensor, Tensor]:
        """Join sampled and replayed trajectories, with their parts and groups."""
        n = self.config.replay_batch_size if len(self._replay) else 0
        if not n:
            return batch, log_parts, group
        again = torch.arange(n, device=group.device) % self.config.n_beta_groups
        known, known_parts = self._replay.sample(asked, again, generator=self.generator)
        batch = join(batch, rollout_backward(self.env, known, generator=self.generator))
        return batch, torch.cat([log_parts, known_parts]), torch.cat([group, again])

    def _refuse_silence(self, log_score: Tensor) -> None:
        """Raise after too many batches without anything to learn from, sampled or replayed."""
        silent = bool(log_score.isnan().all()) and not len(self._replay)
        self._failed_batches = self._failed_batches + 1 if silent else 0
        if self._failed_batches >= MAX_FAILED_BATCHES:
            raise ScorerError(
                f"no molecule of the last {MAX_FAILED_BATCHES} batches could be scored; "
                "score a few with `molgfn score` to see the reasons"
            )

    def _update(
        self, batch: Trajectories[S], log_parts: Tensor, group: Tensor, asked: Condition
    ) -> tuple[float, float]:
        """Do one update; returns loss and log Z, NaN where nothing could be scored."""
        scored = ~_failed(log_parts)
        if not scored.any():
            return math.nan, math.nan
        # A failed score enters neither the loss nor its group's mean.
        batch, log_parts, group = batch.select(scored), log_parts[scored], group[scored]
        condition = asked[group]
        log_base, log_pb = self.target.balanced(batch)
        log_reward = self.target.log_reward(
            log_parts, log_base, condition, self.config.log_reward_floor
        )
        log_z = self.networks.log_z(condition)
        evaluated = evaluate(
            self.env,
            self.networks.policy,
            batch,
            condition,
            group,
            log_reward,
            log_z,
            self.config.half_weight_nats,
            log_pb,
        )
        residual = find_objective(self.config.objective)(evaluated, self.config)
        loss = _weighted_huber(residual.value, residual.weight)
        if not loss.isfinite():
            raise NumericalError(
                f"the loss is {loss.item()} at step {self.step + 1}; lower train.learning_rate"
            )
        self._descend(loss)
        zeta = log_reward + batch.total(log_pb) - batch.total(evaluated.log_pf.detach())
        return loss.item(), float(group_mean(zeta, group, evaluated.weight).mean())

    def _descend(self, loss: Tensor) -> None:
        progress = min(self.step / self.config.steps, 1.0)
        share = FINAL_LEARNING_RATE_SHARE
        share += (1 - share) * (1 + math.cos(math.pi * progress)) / 2
        rates = (self.config.learning_rate, self.config.log_z_learning_rate)
        for parameters, rate in zip(self._optimizer.param_groups, rates, strict=True):
            parameters["lr"] = rate * share
        self._optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(self.networks.policy.parameters(), self.config.gradient_clip)
        self._optimizer.step()
        average, current = self.networks.sampler.parameters(), self.networks.policy.parameters()
        get_ema_multi_avg_fn(self.config.ema_decay)(list(average), list(current), None)

    def _rollout(self, condition: Condition) -> Trajectories[S]:
        """Sample with the policy and, for the configured share, at random.

        Without random trajectories the policy would hardly see what it makes improbable, and could
        not learn how improbable that should be.
        """
        share, epsilon = self._epsilon(), None
        if share or self._n_random:
            epsilon = torch.full_like(condition.log_beta, share)
            epsilon[len(condition) - self._n_random :] = 1.0
        return rollout(
            self.env,
            self.networks.sampler,
            condition,
            generator=self.generator,
            epsilon=epsilon,
        )

    @property
    def _n_random(self) -> int:
        return round(self.config.random_share * self.config.batch_size)

    def _epsilon(self) -> float:
        config = self.config
        share = min(1.0, 2 * self.step / config.steps)
        return config.epsilon_start + (config.epsilon_end - config.epsilon_start) * share

    def _remember(self, terminal: S, log_parts: Tensor) -> None:
        if not self.config.replay_batch_size:
            return
        scored = (~_failed(log_parts)).nonzero().squeeze(1)
        if len(scored):
            states = terminal[scored]
            self._replay.add(states, self.env.keys(states), log_parts[scored])

    def warm_start(self, part: Part) -> None:
        """Start from the :meth:`state` of another training, which had another reward.

        The policy and the states it has seen are kept, the latter scored anew. log Z and the
        optimiser belong to the old reward and start afresh.

        Raises:
            CheckpointError: The networks differ in shape, or something is damaged.
        """
        states_type = type(self.env.initial_states(1))
        weights = part.check(self.networks.policy.state_dict(), "sampler")
        self.networks.policy.load_state_dict(weights)
        self.networks.sampler.load_state_dict(weights)
        seen = self._checked_states(part)
        for packed in seen.split(RESCORED_AT_ONCE) if len(seen) else ():
            states = states_type.from_tensor(packed.to(self.generator.device))
            self._remember(states, self.target.log_parts(states))

    # ------------------------------------------------------------------ checkpoints

    def state(self) -> Part:
        """Return everything that an exact resume needs."""
        networks = self.networks
        tensors = {
            **with_prefix(networks.policy.state_dict(), "policy"),
            **with_prefix(networks.sampler.state_dict(), "sampler"),
            **with_prefix(networks.log_z.state_dict(), "log_z"),
            **with_prefix(flatten_optimizer(self._optimizer), "optimizer"),
            **with_prefix(self._replay.tensors(), "replay"),
            "generator": self.generator.get_state(),
        }
        document = TrainerDocument(
            step=self.step,
            failed_batches=self._failed_batches,
            replay_keys=self._replay.keys,
            score=self.target.state_dict(),
        )
        return Part(tensors, {**document})

    def load(self, part: Part) -> None:
        """Continue from a saved :meth:`state`.

        Raises:
            CheckpointError: It is of a run with other networks, or damaged.
        """
        networks, document = self.networks, part.checked()
        for name in part.tensors:
            if name != "generator" and name.partition("/")[0] not in _GROUPS:
                raise CheckpointError(f"{part.source}.safetensors: {name} is not expected; {CURE}")
        for name in ("policy", "sampler", "log_z"):
            network: nn.Module = getattr(networks, name)
            network.load_state_dict(part.check(network.state_dict(), name))
        restore_optimizer(self._optimizer, subset(part.tensors, "optimizer"), part.source)
        self._replay.load(self._checked_replay(part), document.texts("replay_keys"))
        self.step = document.whole("step")
        self._failed_batches = document.whole("failed_batches")
        try:
            self.generator.set_state(part.tensors["generator"])
        except (KeyError, RuntimeError, TypeError) as error:
            raise CheckpointError(
                f"{part.source}.safetensors: generator is no state of random numbers; {CURE}"
            ) from error
        score = document.section("score")
        try:
            self.target.load_state_dict(score)
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            raise document.fault("score", f"is not that of this target ({error!r})") from error

    def _checked_replay(self, part: Part) -> dict[str, Tensor]:
        """Tensors of a replay buffer, as many of each as it has keys."""
        found, states = subset(part.tensors, "replay"), self._checked_states(part)
        n, k = len(states), len(self.target.objectives) if len(states) else ANY
        # An older version kept scores; a target may have parts by member.
        name = "log_score" if "log_score" in found else "log_parts"
        if wrong := sorted({"states", name} ^ set(found)):
            raise CheckpointError(
                f"{part.source}.safetensors: replay/{wrong[0]} is missing or not expected; {CURE}"
            )
        scores = found[name]
        shape = (n,) if name == "log_score" else (n, ANY, k) if scores.ndim == 3 else (n, k)
        where = f"{part.source}.safetensors: replay/{name}"
        check_tensor(scores, torch.float32, shape, where, CURE)
        return found

    def _checked_states(self, part: Part) -> Tensor:
        """States of a replay buffer, packed."""
        n, where = len(part.checked().texts("replay_keys")), f"{part.source}.safetensors: replay"
        found = subset(part.tensors, "replay").get("states")
        if found is None:
            raise CheckpointError(f"{where}/states is missing; {CURE}")
        like = self.env.initial_states(1).to_tensor()
        # An empty buffer does not know how wide its states will be.
        shape = (n, like.shape[1] if n else ANY)
        check_tensor(found, like.dtype, shape, f"{where}/states", CURE)
        return found


def _failed(log_parts: Tensor) -> Tensor:
    """Which states failed in any of their parts, shape (B,)."""
    return log_parts.isnan().flatten(1).any(1)


def _mean(values: list[float]) -> float:
    return float(torch.tensor(values).nanmean())


def _weighted_huber(residual: Tensor, weight: Tensor) -> Tensor:
    zero = torch.zeros_like(residual)
    each = nn.functional.huber_loss(residual, zero, delta=HUBER_NATS, reduction="none")
    return (weight * each).sum() / weight.sum()
