"""Scores states of the hypergrid and counts what it takes to find every mode."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from molgfn.hypergrid.env import Hypergrid
from molgfn.hypergrid.states import HypergridStates

#: The empirical distribution is that of so many states visited last (Bengio et al. 2021).
WINDOW = 200_000


class HypergridScore:
    """The log reward of terminal states, with a record of the modes found.

    Every call counts as so many states visited, repeats included, as in the curves of Bengio et
    al. 2021: score each batch once.
    """

    def __init__(self, env: Hypergrid) -> None:
        """Start with nothing visited.

        Args:
            env: The environment of the states.
        """
        self._env = env
        self._n_visited = 0
        self._distinct: set[int] = set()
        self._found_after: dict[int, int] = {}
        self._recent: deque[int] = deque(maxlen=WINDOW)

    def __call__(self, states: HypergridStates) -> Tensor:
        """Score terminal states.

        Args:
            states: B terminal states.

        Returns:
            log(R(x) / (R0 + 2.5)), at most 0, shape ``(B,)``, nats, on the CPU.
        """
        cells = self._env.cell_numbers(states).tolist()
        self._distinct.update(cells)
        self._recent.extend(cells)
        for place, mode in enumerate(self._env.modes(states).tolist(), self._n_visited + 1):
            if mode >= 0:
                self._found_after.setdefault(mode, place)
        self._n_visited += len(states)
        return self._env.log_reward(states).cpu()

    def in_parts(self, parts: Sequence[HypergridStates]) -> Iterator[Tensor]:
        """Score parts of a batch one after the other, each when it is asked for.

        Args:
            parts: Batches of terminal states.

        Returns:
            Log scores of each part.
        """
        return map(self, parts)

    def log_multiplicity(self, states: HypergridStates) -> Tensor:
        """Return zeros: every terminal state is an object of its own.

        Args:
            states: B terminal states.

        Returns:
            Shape ``(B,)``, nats, on the CPU.
        """
        return torch.zeros(len(states))

    def recent(self) -> Tensor:
        """Return the numbers of the cells visited last, at most ``WINDOW``, oldest first."""
        return torch.tensor(list(self._recent), dtype=torch.long)

    @property
    def n_visited(self) -> int:
        """Terminal states scored so far, repeats included."""
        return self._n_visited

    @property
    def found_after(self) -> dict[int, int]:
        """How many states had been visited, itself included, when each mode was first found.

        By number of the mode as in :meth:`Hypergrid.modes`, in the order of finding.
        """
        return dict(self._found_after)

    def statistics(self) -> dict[str, float]:
        """Count distinct states scored and modes found.

        Returns:
            ``distinct`` and ``modes``.
        """
        return {"distinct": len(self._distinct), "modes": len(self._found_after)}

    def state_dict(self) -> dict[str, object]:
        """Return everything as plain JSON values."""
        return {
            "n_visited": self._n_visited,
            "distinct": sorted(self._distinct),
            "recent": list(self._recent),
            "found_after": [list(pair) for pair in self._found_after.items()],
        }

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Undo :meth:`state_dict`.

        Args:
            state: What it returned.
        """
        distinct: list[int] = state["distinct"]  # type: ignore[assignment]
        recent: list[int] = state["recent"]  # type: ignore[assignment]
        found: list[tuple[int, int]] = state["found_after"]  # type: ignore[assignment]
        self._n_visited = int(state["n_visited"])  # type: ignore[call-overload]
        self._distinct = set(distinct)
        self._found_after = dict(found)
        self._recent = deque(recent, maxlen=WINDOW)
