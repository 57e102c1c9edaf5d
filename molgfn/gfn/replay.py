"""Terminal states seen so far, remembered once each."""

from __future__ import annotations

from typing import Generic

import torch
from torch import Tensor

from molgfn.gfn.protocols import S

#: Prioritised replay: half of a draw comes from this share of the buffer, the best.
TOP_SHARE = 0.1


class ReplayBuffer(Generic[S]):
    """Distinct terminal states seen so far, good and bad, with their log scores.

    The bad ones are worth as much as the good: only from them can a policy learn how improbable
    they shall be. States, not trajectories, are kept: a fresh backward trajectory is drawn at
    each use, which is valid under any backward policy.

    References:
        Shen et al. 2023, Towards understanding and improving GFlowNet training (prioritised
        replay). https://arxiv.org/abs/2305.07170
    """

    def __init__(self, capacity: int, states_type: type[S]) -> None:
        """Make an empty buffer.

        Args:
            capacity: Most states kept; beyond it those below the best tenth are thinned out
                evenly over the range of their scores.
            states_type: Class of the states, to unpack them.
        """
        self.capacity = capacity
        self._states_type = states_type
        # States stay where they were put; only the order of their places is kept sorted.
        self._packed = torch.zeros(0, 0, dtype=torch.long)
        self._log_score = torch.zeros(0)
        self._key_at: list[str] = []
        self._known: set[str] = set()
        self._free: list[int] = []
        self._best_first = torch.zeros(0, dtype=torch.long)

    def __len__(self) -> int:
        return len(self._best_first)

    def add(self, states: S, keys: list[str], log_score: Tensor) -> None:
        """Remember states that are new.

        Args:
            states: B terminal states.
            keys: Their canonical keys.
            log_score: Their log scores, no NaN, shape ``(B,)``, nats.
        """
        fresh: dict[str, int] = {}
        for i, key in enumerate(keys):
            if key not in self._known:
                fresh.setdefault(key, i)
        if not fresh:
            return
        index = torch.tensor(list(fresh.values()), device=log_score.device)
        places = self._store(states[index].to_tensor().cpu(), log_score[index].cpu(), list(fresh))
        # Best first, so that the top share is a prefix; of equal scores the older one.
        candidates = torch.cat([self._best_first, places])
        order = self._log_score[candidates].argsort(descending=True, stable=True)
        candidates = candidates[order]
        kept = _kept(len(candidates), self.capacity)
        dropped = torch.ones(len(candidates), dtype=torch.bool)
        dropped[kept] = False
        self._best_first = candidates[kept]
        freed = candidates[dropped].tolist()
        self._free += freed
        self._known.difference_update(self._key_at[place] for place in freed)

    def _store(self, packed: Tensor, log_score: Tensor, keys: list[str]) -> Tensor:
        """Put states in the places that are free, then behind the others; returns the places."""
        while len(self._free) < len(keys):
            self._grow(packed.shape[1])
        places, self._free = self._free[: len(keys)], self._free[len(keys) :]
        at = torch.tensor(places)
        self._packed[at], self._log_score[at] = packed, log_score
        for place, key in zip(places, keys, strict=True):
            self._key_at[place] = key
        self._known.update(keys)
        return at

    def _grow(self, width: int) -> None:
        n = len(self._key_at)
        more = max(n, 1024)
        self._packed = torch.cat(
            [self._packed.reshape(n, width), self._packed.new_zeros(more, width)]
        )
        self._log_score = torch.cat([self._log_score, torch.zeros(more)])
        self._key_at += [""] * more
        self._free += range(n, n + more)

    def sample(
        self, n: int, *, generator: torch.Generator, device: torch.device
    ) -> tuple[S, Tensor]:
        """Draw states with repetition, half of them from the best tenth.

        Args:
            n: Number of draws.
            generator: Source of randomness, on the device.
            device: Where the states shall live.

        Returns:
            n terminal states and their log scores, shape ``(n,)``, nats.

        Raises:
            ValueError: The buffer is empty.
        """
        if not len(self):
            raise ValueError("the replay buffer is empty")
        n_top = max(1, round(TOP_SHARE * len(self)))
        span = torch.full((n,), len(self), device=device)
        span[: (n + 1) // 2] = n_top
        draw = torch.rand(n, generator=generator, device=device)
        index = (draw * span).long().clamp(max=len(self) - 1).cpu()
        place = self._best_first[index]
        states = self._states_type.from_tensor(self._packed[place].to(device))
        return states, self._log_score[place].to(device)

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the buffer, for a checkpoint."""
        places = self._best_first
        return {"states": self._packed[places], "log_score": self._log_score[places]}

    @property
    def keys(self) -> list[str]:
        """Canonical keys of the states, best score first."""
        return [self._key_at[place] for place in self._best_first.tolist()]

    def load(self, tensors: dict[str, Tensor], keys: list[str]) -> None:
        """Fill the buffer from a checkpoint.

        Args:
            tensors: What :meth:`tensors` returned.
            keys: What :attr:`keys` returned.
        """
        self._packed, self._log_score = tensors["states"], tensors["log_score"]
        self._key_at, self._known, self._free = list(keys), set(keys), []
        self._best_first = torch.arange(len(keys))


def _kept(n: int, capacity: int) -> Tensor:
    """Places to keep of a list that is sorted best first: the best, and the rest thinned evenly."""
    if n <= capacity:
        return torch.arange(n)
    n_top = max(1, round(TOP_SHARE * capacity))
    rest = torch.linspace(n_top, n - 1, capacity - n_top).round().long()
    return torch.cat([torch.arange(n_top), rest])
