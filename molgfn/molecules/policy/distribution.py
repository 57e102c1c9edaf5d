"""A distribution over (row, entry) actions, factorised so that few logits are ever computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from molgfn.gfn.draw import draw
from molgfn.molecules.env.fragment_env import STOP


@dataclass(frozen=True)
class ActionDistribution:
    """P(action | state) = P(row or stop | state) P(entry | row, state), legal actions only.

    The entry logits of a state are computed for one row, the chosen one, so the product of sites
    and vocabulary is never materialised; the probabilities are exact all the same.

    Attributes:
        row_logits: Logits of the rows, stop last, -inf where illegal, shape ``(B, N M + 1)``.
        entry_logits: Maps an index of states and their chosen rows, each ``(S,)``, to logits of
            the entries, -inf where illegal, ``(S, n_entry_columns)``.
        lockstep: Whether batches keep their size, which spares a wait for the device.
    """

    row_logits: Tensor
    entry_logits: Callable[[Tensor, Tensor], Tensor]
    lockstep: bool

    def sample(self, index: Tensor, generator: torch.Generator, epsilon: Tensor | None) -> Tensor:
        """Draw actions.

        Args:
            index: State of each action to draw, shape ``(S,)``.
            generator: Source of randomness.
            epsilon: Probability to replace a row, and independently an entry, by a uniform one,
                shape ``(S,)``; None = never.

        Returns:
            Actions, shape ``(S, 2)``.
        """
        columns = draw(self.row_logits, index, generator, epsilon)
        stop_column = self.row_logits.shape[1] - 1
        if self.lockstep:
            stops = columns == stop_column
            rows = columns.clamp(max=stop_column - 1)
            place = torch.arange(len(index), device=index.device)
            entries = draw(self.entry_logits(index, rows), place, generator, epsilon)
            actions = torch.stack([rows, entries], 1)
            return actions.masked_fill(stops[:, None], STOP)
        actions = torch.full((len(index), 2), STOP, device=columns.device)
        moving = (columns != stop_column).nonzero().squeeze(1)
        if len(moving):
            rows = columns[moving]
            share = None if epsilon is None else epsilon[moving]
            logits, place = self._distinct_entry_logits(index[moving], rows)
            entries = draw(logits, place, generator, share)
            actions[moving] = torch.stack([rows, entries], 1)
        return actions

    def log_prob(self, actions: Tensor, index: Tensor | None = None) -> Tensor:
        """Compute the log-probability of actions.

        Args:
            actions: Legal actions, shape ``(A, 2)``.
            index: State of each action, shape ``(A,)``; default: one action per state, in order.

        Returns:
            Shape ``(A,)``, nats.
        """
        rows, entries = actions.unbind(1)
        if index is None:
            index = torch.arange(len(actions), device=actions.device)
        stop_column = self.row_logits.shape[1] - 1
        columns = torch.where(rows == STOP, stop_column, rows)
        log_prob = self.row_logits.log_softmax(1)[index, columns]
        moving = (rows != STOP).nonzero().squeeze(1)
        if not len(moving):
            return log_prob
        logits, place = self._distinct_entry_logits(index[moving], rows[moving])
        return log_prob.index_add(0, moving, logits.log_softmax(1)[place, entries[moving]])

    def _distinct_entry_logits(self, index: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Entry logits of every distinct pair of a state and a row; the pair of each that came."""
        n_rows = self.row_logits.shape[1]
        pairs, place = (index * n_rows + rows).unique(return_inverse=True)
        return self.entry_logits(pairs // n_rows, pairs % n_rows), place


@dataclass(frozen=True)
class FlowActionDistribution(ActionDistribution):
    """An action distribution that comes with the flow through its states.

    Attributes:
        log_flow: log of F(s)/Z, shape ``(B,)``, nats.
    """

    log_flow: Tensor
