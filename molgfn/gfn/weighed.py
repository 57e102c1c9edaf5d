"""Terminal states with the exact log p and the log R of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Weighed:
    """Terminal states with what the policy gives them and what they deserve.

    Attributes:
        keys: Canonical keys of n states, repeats allowed.
        log_p: Exact log-likelihood, shape ``(n,)``, nats.
        log_reward: log R, shape ``(n,)``, nats; NaN where the score failed.
    """

    keys: tuple[str, ...]
    log_p: Array
    log_reward: Array

    def __len__(self) -> int:
        return len(self.keys)

    def unseen(self, seen: Collection[str]) -> Weighed:
        """Select the distinct states with a score that are not among others.

        Args:
            seen: Keys of the others.

        Returns:
            The states, in the order of their first appearance.
        """
        first = {key: i for i, key in reversed(list(enumerate(self.keys)))}
        kept = sorted(
            i for key, i in first.items() if key not in seen and not np.isnan(self.log_reward[i])
        )
        return self.take(kept)

    def take(self, rows: Sequence[int]) -> Weighed:
        """Select states.

        Args:
            rows: Their numbers.

        Returns:
            The states, in that order.
        """
        chosen = np.array(rows, dtype=np.int64)
        return Weighed(
            tuple(self.keys[i] for i in rows), self.log_p[chosen], self.log_reward[chosen]
        )

    @classmethod
    def cat(cls, sets: Sequence[Weighed]) -> Weighed:
        """Join sets one after the other.

        Args:
            sets: The sets.

        Returns:
            One set.
        """
        none = np.zeros(0)
        return cls(
            tuple(key for s in sets for key in s.keys),
            np.concatenate([none, *(s.log_p for s in sets)]),
            np.concatenate([none, *(s.log_reward for s in sets)]),
        )
