"""A distribution over (row, entry) actions, factorised so that few logits are ever computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from molgfn.env.fragment_env import STOP, FragmentEnv
from molgfn.env.states import FragmentStates


@dataclass(frozen=True)
class ActionDistribution:
    """P(action | state) = P(row or stop | state) P(entry | row, state), legal actions only.

    The entry logits of a state are computed for one row, the chosen one, so the product of sites
    and vocabulary is never materialised; the probabilities are exact all the same.

    Attributes:
        env: The environment, which knows what is legal.
        states: B states, none of them stopped.
        row_logits: Logits of the rows, stop last; what stands at illegal ones does not matter,
            shape ``(B, N M + 1)``.
        row_mask: The legal rows, stop last, shape ``(B, N M + 1)``.
        entry_logits: Maps an index of states and their chosen rows, each ``(S,)``, to logits
            ``(S, E)``.
    """

    env: FragmentEnv
    states: FragmentStates
    row_logits: Tensor
    row_mask: Tensor
    entry_logits: Callable[[Tensor, Tensor], Tensor]

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
        columns = draw(self.row_logits[index], self.row_mask[index], generator, epsilon)
        stop_column = self.row_mask.shape[1] - 1
        actions = torch.full((len(index), 2), STOP, device=columns.device)
        moving = (columns != stop_column).nonzero().squeeze(1)
        if len(moving):
            rows, place = columns[moving], index[moving]
            mask = self.env.legal_entry_mask(self.states[place], rows)
            share = None if epsilon is None else epsilon[moving]
            entries = draw(self.entry_logits(place, rows), mask, generator, share)
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
        stop_column = self.row_mask.shape[1] - 1
        columns = torch.where(rows == STOP, stop_column, rows)
        log_prob = masked_log_softmax(self.row_logits, self.row_mask)[index, columns]
        moving = (rows != STOP).nonzero().squeeze(1)
        if not len(moving):
            return log_prob
        index, rows = index[moving], rows[moving]
        mask = self.env.legal_entry_mask(self.states[index], rows)
        entry = masked_log_softmax(self.entry_logits(index, rows), mask)
        entry = entry.gather(1, entries[moving][:, None]).squeeze(1)
        return log_prob.index_add(0, moving, entry)


@dataclass(frozen=True)
class FlowActionDistribution(ActionDistribution):
    """An action distribution that comes with the flow through its states.

    Attributes:
        log_flow: log of F(s)/Z, shape ``(B,)``, nats.
    """

    log_flow: Tensor


def masked_log_softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """Normalise every row over its legal columns.

    Args:
        logits: Shape ``(B, C)``; what stands at illegal columns does not matter.
        mask: Legal columns, at least one per row, shape ``(B, C)``.

    Returns:
        Log-probabilities, -inf where illegal, shape ``(B, C)``, nats.
    """
    return logits.masked_fill(~mask, -torch.inf).log_softmax(1)


def draw(
    logits: Tensor, mask: Tensor, generator: torch.Generator, epsilon: Tensor | None
) -> Tensor:
    """Draw a legal column per row by inversion.

    Args:
        logits: Shape ``(B, C)``; what stands at illegal columns does not matter.
        mask: Legal columns, at least one per row, shape ``(B, C)``.
        generator: Source of randomness.
        epsilon: Probability to draw uniformly among the legal columns instead, shape ``(B,)``;
            default: none.

    Returns:
        Columns, shape ``(B,)``.
    """
    if epsilon is not None:
        uniform = torch.rand(len(logits), generator=generator, device=logits.device) < epsilon
        logits = logits.masked_fill(uniform[:, None], 0.0)
    total = logits.masked_fill(~mask, -torch.inf).softmax(1).cumsum(1, dtype=torch.float64)
    threshold = torch.rand(
        len(logits), 1, generator=generator, dtype=torch.float64, device=logits.device
    )
    # The numbers are at most 1 - 2^-53, which keeps the product below the total.
    threshold = threshold * total[:, -1:]
    # The first column whose running total exceeds it; one of probability 0 adds nothing.
    return torch.searchsorted(total, threshold, right=True).squeeze(1)
