"""The reward of the hypergrid, with a count of what it takes to find every mode."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from molgfn.gfn.discrete import RowStates
from molgfn.gfn.target import Target
from molgfn.hypergrid.env import Hypergrid

#: The empirical distribution is over this many states visited last (Bengio et al. 2021).
WINDOW = 200_000


class HypergridTarget(Target[RowStates]):
    """The log reward of terminal states, with a record of the modes found.

    Every call counts as states visited, repeats included, as in the curves of Bengio et al. 2021:
    score each batch once.
    """

    def __init__(self, env: Hypergrid) -> None:
        self._env = env
        self._n_visited = 0
        self._distinct: set[int] = set()
        self._found_after: dict[int, int] = {}
        self._recent: deque[int] = deque(maxlen=WINDOW)

    def log_parts(self, states: RowStates) -> Tensor:
        """Score B terminal states: log(R(x) / (R0 + 2.5)), at most 0, ``(B, 1)``, nats."""
        cells = self._env.cell_numbers(states).tolist()
        self._distinct.update(cells)
        self._recent.extend(cells)
        for place, mode in enumerate(self._env.modes(states).tolist(), self._n_visited + 1):
            if mode >= 0:
                self._found_after.setdefault(mode, place)
        self._n_visited += len(states)
        return self._env.log_reward(states).cpu()[:, None]

    def recent(self) -> Tensor:
        """Numbers of the cells visited last, at most ``WINDOW``, oldest first."""
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
        """Count ``distinct`` states scored and ``modes`` found."""
        return {"distinct": len(self._distinct), "modes": len(self._found_after)}

    def state_dict(self) -> dict[str, Any]:
        """Everything, as plain JSON values."""
        return {
            "n_visited": self._n_visited,
            "distinct": sorted(self._distinct),
            "recent": list(self._recent),
            "found_after": [list(pair) for pair in self._found_after.items()],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Undo :meth:`state_dict`."""
        self._n_visited = int(state["n_visited"])
        self._distinct = set(state["distinct"])
        self._found_after = dict(state["found_after"])
        self._recent = deque(state["recent"], maxlen=WINDOW)
