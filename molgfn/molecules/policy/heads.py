"""The heads of the flow policy: from vectors of rows and states to logits of actions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Spread of vectors that are learned one by one; those that many actions share start at 1.
INITIAL_SPREAD = 0.3


class ActionHeads(nn.Module):
    """K heads side by side, so that one product of matrices serves all."""

    def __init__(self, hidden: int, n_entries: int, n_heads: int) -> None:
        super().__init__()
        wide = n_heads * hidden
        self.inner = nn.Linear(hidden, wide)
        self.row_logit = nn.Linear(hidden, n_heads)
        self.stop_inner = nn.Linear(hidden, wide)
        self.stop_logit = nn.Linear(hidden, n_heads)
        self.query = nn.Linear(hidden, wide)
        self.chemistry = nn.Linear(hidden, wide)
        self.entry = nn.Embedding(n_entries, wide)
        self.bias = nn.Parameter(torch.zeros(n_heads, n_entries))
        nn.init.normal_(self.entry.weight, std=INITIAL_SPREAD)

    def prepare(self, fragments: Tensor, owner: Tensor, n_columns: int) -> PreparedHeads:
        """Compute what depends on the weights alone.

        Args:
            fragments: Vectors of the fragments, shape ``(F, H)``.
            owner: Fragment of every entry, shape ``(E,)``.
            n_columns: C, columns of entries, at least E.
        """
        spare = n_columns - len(owner)
        vectors = self.entry.weight + self.chemistry(fragments).index_select(0, owner)
        vectors = vectors / math.sqrt(fragments.shape[1])
        return PreparedHeads(
            self,
            row_logit=torch.block_diag(*self.row_logit.weight),
            stop_logit=torch.block_diag(*self.stop_logit.weight),
            entries=functional.pad(vectors, (0, 0, 0, spare)),
            bias=functional.pad(self.bias, (0, spare)),
        )


@dataclass(frozen=True)
class PreparedHeads:
    """The heads of a policy, to be called while its weights stay as they are.

    Attributes:
        heads: Where the weights are.
        row_logit: From a row's hidden vectors to its logit by each head, shape ``(K, K H)``.
        stop_logit: The same for a state and stop.
        entries: Vectors of the entries, shape ``(C, K H)``.
        bias: Their biases by each head, shape ``(K, C)``.
    """

    heads: ActionHeads
    row_logit: Tensor
    stop_logit: Tensor
    entries: Tensor
    bias: Tensor

    def hidden(self, rows: Tensor) -> Tensor:
        """Compute hidden vectors (R, K H) of rows (R, H)."""
        found: Tensor = self.heads.inner(rows)
        return found.relu_()

    def row_logits(self, hidden: Tensor) -> Tensor:
        """Compute logits of rows by each head (R, K) from their hidden vectors (R, K H)."""
        return functional.linear(hidden, self.row_logit, self.heads.row_logit.bias)

    def stop_logits(self, states: Tensor) -> Tensor:
        """Compute logits of stop by each head (B, K) from vectors of states (B, H)."""
        hidden = self.heads.stop_inner(states).relu_()
        return functional.linear(hidden, self.stop_logit, self.heads.stop_logit.bias)

    def add_entry_logits_(self, to: Tensor, hidden: Tensor, weights: Tensor) -> Tensor:
        """Add the logits of all entries.

        Args:
            to: What they are added to, in place, shape ``(S, C)``.
            hidden: Hidden vectors of the chosen rows, shape ``(S, K H)``.
            weights: Share of each head in the logits, shape ``(S, K)``.

        Returns:
            ``to``.
        """
        n_heads = weights.shape[1]
        by_head = hidden.unflatten(1, (n_heads, -1)).transpose(0, 1)  # (K, S, H)
        matrices = self.heads.query.weight.unflatten(0, (n_heads, -1)).transpose(1, 2)
        biases = self.heads.query.bias.view(n_heads, 1, -1)
        queries = torch.baddbmm(biases, by_head, matrices).transpose(0, 1)  # (S, K, H)
        # One product for all heads: the weights of a state go to its queries.
        to.addmm_(weights, self.bias)
        return to.addmm_((queries * weights[:, :, None]).flatten(1), self.entries.T)
