"""Replay buffer of the distinct terminal states seen so far."""

from __future__ import annotations

from typing import Generic

import torch
from torch import Tensor

from molgfn.gfn.condition import Condition
from molgfn.gfn.environment import S
from molgfn.gfn.target import Target

#: Prioritised replay: half of a draw comes from this share of the buffer, the best.
TOP_SHARE = 0.1


class ReplayBuffer(Generic[S]):
    """Distinct terminal states seen so far, good and bad, with the parts of their log reward.

    Bad states are worth as much as good ones: only from them can a policy learn how improbable
    they should be. States, not trajectories, are kept: each use draws a fresh backward trajectory,
    which is valid under any backward policy. Parts, not rewards, are kept: they give the reward of
    any condition. Beyond ``capacity``, states below the best tenth are thinned out evenly over the
    range of their scores.

    References:
        Shen et al. 2023, Towards understanding and improving GFlowNet training (prioritised
        replay). https://arxiv.org/abs/2305.07170
    """

    def __init__(self, capacity: int, states_type: type[S], target: Target[S]) -> None:
        self.capacity = capacity
        self._states_type = states_type
        self._target = target
        # States stay in place; only the order of their places is kept sorted.
        self._packed = torch.zeros(0, 0, dtype=torch.long)
        self._log_parts = torch.zeros(0, 1)
        self._key_at: list[str] = []
        self._known: set[str] = set()
        self._free: list[int] = []
        self._best_first = torch.zeros(0, dtype=torch.long)

    def __len__(self) -> int:
        return len(self._best_first)

    def add(self, states: S, keys: list[str], log_parts: Tensor) -> None:
        """Add new terminal states by canonical key, with parts ``(B, ...)``, nats, no NaN."""
        fresh: dict[str, int] = {}
        for i, key in enumerate(keys):
            if key not in self._known:
                fresh.setdefault(key, i)
        if not fresh:
            return
        index = torch.tensor(list(fresh.values()), device=log_parts.device)
        places = self._store(states[index].to_tensor().cpu(), log_parts[index].cpu(), list(fresh))
        # Best first, so that the top share is a prefix; of equal scores the older one.
        candidates = torch.cat([self._best_first, places])
        candidates = candidates[self._order(candidates)]
        kept = _kept(len(candidates), self.capacity)
        dropped = torch.ones(len(candidates), dtype=torch.bool)
        dropped[kept] = False
        self._best_first = candidates[kept]
        freed = candidates[dropped].tolist()
        self._free += freed
        self._known.difference_update(self._key_at[place] for place in freed)

    def _order(self, places: Tensor, weights: Tensor | None = None) -> Tensor:
        """Order of the places, best first under the weights of one condition, (1, K)."""
        score = self._target.log_score(self._log_parts[places], weights)
        return score.argsort(descending=True, stable=True)

    def _store(self, packed: Tensor, log_parts: Tensor, keys: list[str]) -> Tensor:
        """Store states in free places first, then at the end; returns the places."""
        while len(self._free) < len(keys):
            self._grow(packed.shape[1], log_parts)
        places, self._free = self._free[: len(keys)], self._free[len(keys) :]
        at = torch.tensor(places)
        self._packed[at], self._log_parts[at] = packed, log_parts
        for place, key in zip(places, keys, strict=True):
            self._key_at[place] = key
        self._known.update(keys)
        return at

    def _grow(self, width: int, like: Tensor) -> None:
        n = len(self._key_at)
        more = max(n, 1024)
        self._packed = torch.cat(
            [self._packed.reshape(n, width), self._packed.new_zeros(more, width)]
        )
        parts = self._log_parts.reshape(n, *like.shape[1:])
        self._log_parts = torch.cat([parts, parts.new_zeros(more, *like.shape[1:])])
        self._key_at += [""] * more
        self._free += range(n, n + more)

    def sample(
        self, condition: Condition, group: Tensor, *, generator: torch.Generator
    ) -> tuple[S, Tensor]:
        """Draw states with repetition, half of them from the best tenth of their condition.

        Args:
            condition: Conditions of G groups.
            group: Group of each of the n draws, shape ``(n,)``.
            generator: Source of randomness, on the device of the states.

        Returns:
            n terminal states and the parts of their log rewards, shape ``(n, ...)``, nats.

        Raises:
            ValueError: The buffer is empty.
        """
        if not len(self):
            raise ValueError("the replay buffer is empty")
        n, device = len(group), generator.device
        n_top = max(1, round(TOP_SHARE * len(self)))
        span = torch.full((n,), len(self), device=device)
        span[: (n + 1) // 2] = n_top
        draw = torch.rand(n, generator=generator, device=device)
        index = (draw * span).long().clamp(max=len(self) - 1).cpu()
        place = self._best_first[index]
        if condition.n_objectives > 1:
            for number in group.unique().tolist():
                own = (group == number).nonzero().squeeze(1).cpu()
                order = self._order(self._best_first, condition.weights[number : number + 1].cpu())
                place[own] = self._best_first[order[index[own]]]
        states = self._states_type.from_tensor(self._packed[place].to(device))
        return states, self._log_parts[place].to(device)

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the buffer, for a checkpoint."""
        places = self._best_first
        return {"states": self._packed[places], "log_parts": self._log_parts[places]}

    @property
    def keys(self) -> list[str]:
        """Canonical keys of the states, best score first."""
        return [self._key_at[place] for place in self._best_first.tolist()]

    def load(self, tensors: dict[str, Tensor], keys: list[str]) -> None:
        """Restore :meth:`tensors` and :attr:`keys`, also of an older version that kept scores."""
        self._packed = tensors["states"]
        is_old = "log_parts" not in tensors
        self._log_parts = tensors["log_score"][:, None] if is_old else tensors["log_parts"]
        self._key_at, self._known, self._free = list(keys), set(keys), []
        self._best_first = torch.arange(len(keys))


def _kept(n: int, capacity: int) -> Tensor:
    """Places to keep of a list sorted best first: the best, and the rest thinned evenly."""
    if n <= capacity:
        return torch.arange(n)
    n_top = max(1, round(TOP_SHARE * capacity))
    rest = torch.linspace(n_top, n - 1, capacity - n_top).round().long()
    return torch.cat([torch.arange(n_top), rest])
