"""Exact log p of sets of states under a sampler."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from molgfn.gfn.condition import Condition
from molgfn.gfn.likelihood import TERMINAL_CHUNK, log_likelihood
from molgfn.gfn.weighed import Array, Weighed
from molgfn.machine.progress import Progress, silent
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.sampler import Sampler


def weigh(
    sampler: Sampler,
    states: Mapping[str, FragmentStates],
    log_target: Mapping[str, Array],
    *,
    condition: Condition,
    progress: Progress = silent,
) -> dict[str, Weighed]:
    """Compute the exact log-likelihood of sets of states; a state in several is computed once.

    Args:
        sampler: The policy.
        states: Terminal states by name of the set, repeats allowed.
        log_target: log R of the same states, shape ``(n,)`` each.
        condition: A single condition for the policy.
        progress: Told of every state.

    Returns:
        The sets, in order.
    """
    keys = {name: sampler.env.keys(part) for name, part in states.items()}
    every = [key for part in keys.values() for key in part]
    number: dict[str, int] = {}
    chosen = []
    for i, key in enumerate(every):
        if key not in number:
            number[key] = len(number)
            chosen.append(i)
    joined = FragmentStates.cat(list(states.values()))
    index = torch.tensor(chosen, dtype=torch.long, device=joined.device)
    found = [np.zeros(0)]
    with progress("likelihood", len(chosen)) as advance:
        for part in index.split(TERMINAL_CHUNK):
            log_p = log_likelihood(sampler.env, sampler.policy, joined[part], condition)
            found.append(log_p.cpu().numpy())
            advance(len(part))
    values = np.concatenate(found)
    return {
        name: Weighed(
            tuple(part), values[np.array([number[k] for k in part], dtype=int)], log_target[name]
        )
        for name, part in keys.items()
    }
