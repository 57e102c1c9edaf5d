"""Policies by counts: what a prior must beat."""

from __future__ import annotations

import torch
from torch import Tensor

from molgfn.gfn.condition import Condition
from molgfn.gfn.policy import Policy
from molgfn.molecules.env.fragment_env import STOP, FragmentEnv
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.policy.distribution import ActionDistribution

#: Added to every count, so that nothing is impossible.
PSEUDO_COUNT = 0.5


class CountedPolicy(Policy[FragmentStates]):
    """Stops by the number of fragments, and adds fragments as often as they were counted.

    A *unigram* counts what is added; a *bigram* what is added to which fragment. All legal sites
    of a state are as likely as each other.
    """

    def __init__(self, env: FragmentEnv, stops: Tensor, entries: Tensor) -> None:
        """Hold the counts.

        Args:
            env: The environment.
            stops: How often trajectories stopped and went on at each number of fragments, shape
                ``(N + 1, 2)``.
            entries: How often each entry was added to each fragment, the last row counting first
                fragments, shape ``(F + 1, C)``.
        """
        self._env = env
        self._log_stop = (stops + PSEUDO_COUNT).log().log_softmax(1)
        self._log_entry = (entries + PSEUDO_COUNT).log()

    def __call__(self, states: FragmentStates, condition: Condition) -> ActionDistribution:
        """Give every legal row the same share of what does not stop."""
        env = self._env
        sizes = env.sizes(states)
        legal = env.legal_row_mask(states, sizes)
        n_rows = legal[:, :-1].sum(1, keepdim=True).clamp(min=1)
        log_stop, log_go = self._log_stop[states.n_fragments].T[:, :, None]
        logits = torch.cat([(log_go - n_rows.log()).expand(-1, legal.shape[1] - 1), log_stop], 1)

        def entry_logits(index: Tensor, rows: Tensor) -> Tensor:
            # The empty tree has -1 here, which is the last row of the counts.
            owner = states.fragment[index, rows // env.tensors.n_sites]
            mask = env.log_entry_mask(sizes.row_type[index, rows], sizes.fitting[index])
            return mask + self._log_entry[owner]

        return ActionDistribution(logits + legal.log(), entry_logits, env.lockstep)


def count_actions(
    env: FragmentEnv, states: FragmentStates, actions: Tensor
) -> tuple[Tensor, Tensor]:
    """Count the actions of trajectories.

    Returns:
        Counts of stops and of entries, as :class:`CountedPolicy` takes them.
    """
    rows, entries = actions.unbind(1)
    stops = rows == STOP
    by_size = torch.zeros(env.limits.max_fragments + 1, 2)
    by_size.index_put_(
        (states.n_fragments, (~stops).long()), torch.ones(len(rows)), accumulate=True
    )
    by_fragment = torch.zeros(env.tensors.n_fragments + 1, env.n_entry_columns)
    moving = (~stops).nonzero().squeeze(1)
    owner = states.fragment[moving, rows[moving] // env.tensors.n_sites]
    owner = torch.where(owner < 0, env.tensors.n_fragments, owner)
    by_fragment.index_put_((owner, entries[moving]), torch.ones(len(moving)), accumulate=True)
    return by_size, by_fragment
