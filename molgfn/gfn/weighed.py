"""Terminal states with their exact log p and log R."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Weighed:
    """n terminal states with the likelihood under a policy and their reward.

    Attributes:
        keys: Canonical keys, repeats allowed.
        log_p: Exact log-likelihood, shape ``(n,)``, nats.
        log_reward: log R, shape ``(n,)``, nats; NaN where the score failed.
    """

    keys: tuple[str, ...]
    log_p: Array
    log_reward: Array

    def __len__(self) -> int:
        return len(self.keys)

    def unseen(self, seen: Collection[str]) -> Weighed:
        """Distinct scored states whose key is not in ``seen``, in order of first appearance."""
        first = {key: i for i, key in reversed(list(enumerate(self.keys)))}
        kept = sorted(
            i for key, i in first.items() if key not in seen and not np.isnan(self.log_reward[i])
        )
        return self.take(kept)

    def take(self, rows: Sequence[int]) -> Weighed:
        """Select states by row, in the given order."""
        chosen = np.array(rows, dtype=np.int64)
        return Weighed(
            tuple(self.keys[i] for i in rows), self.log_p[chosen], self.log_reward[chosen]
        )

    @classmethod
    def cat(cls, sets: Sequence[Weighed]) -> Weighed:
        """Concatenate sets."""
        none = np.zeros(0)
        return cls(
            tuple(key for s in sets for key in s.keys),
            np.concatenate([none, *(s.log_p for s in sets)]),
            np.concatenate([none, *(s.log_reward for s in sets)]),
        )
