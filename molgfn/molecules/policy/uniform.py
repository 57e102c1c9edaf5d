"""Random legal trajectories, the floor under every comparison."""

from __future__ import annotations

import torch
from torch import Tensor

from molgfn.gfn.condition import Condition
from molgfn.gfn.policy import Policy
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.policy.distribution import ActionDistribution


class UniformPolicy(Policy[FragmentStates]):
    """Chooses uniformly among open sites and stop, then among the entries that fit."""

    def __init__(self, env: FragmentEnv) -> None:
        self._env = env

    def __call__(self, states: FragmentStates, condition: Condition) -> ActionDistribution:
        """Give every legal row, and every legal entry of a row, the same probability."""
        env = self._env
        sizes = env.sizes(states)

        def entry_logits(index: Tensor, rows: Tensor) -> Tensor:
            return env.log_entry_mask(sizes.row_type[index, rows], sizes.fitting[index])

        row_logits = torch.where(env.legal_row_mask(states, sizes), 0.0, -torch.inf)
        return ActionDistribution(row_logits, entry_logits, env.lockstep)
