"""The exact probability that a policy draws a molecule, summed over the trees that make it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from molgfn.chem.molecule import Molecule
from molgfn.fragments.tree import FragmentTree
from molgfn.gfn.condition import Condition
from molgfn.gfn.likelihood import log_likelihood
from molgfn.gfn.policy import Policy
from molgfn.gfn.segments import log_sum_by_group
from molgfn.molecules.decoding import Decoder
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.states import FragmentStates


@dataclass(frozen=True)
class Likelihoods:
    """Log-likelihoods of n molecules.

    Attributes:
        log_likelihood: log p of each, NaN where the policy cannot build it, shape ``(n,)``, nats.
        n_trees: Number of trees the policy can build it by, NaN where there are too many to
            count, shape ``(n,)``.
        reasons: Why a log-likelihood is missing, one line each; ``""`` where it is not.
    """

    log_likelihood: NDArray[np.float64]
    n_trees: NDArray[np.float64]
    reasons: tuple[str, ...]


class MoleculeLikelihood:
    r"""Log-likelihood of molecules under one policy.

    .. math:: \log p(\text{molecule}) = \log \sum_{\text{trees } x} p(x)

    Every p(x) is exact, see :func:`molgfn.gfn.likelihood.log_likelihood`. Over all molecules of
    the policy the probabilities sum to 1. Stereo is ignored: the policy draws flat molecules.
    """

    def __init__(
        self, env: FragmentEnv, policy: Policy[FragmentStates], condition: Condition
    ) -> None:
        """Prepare the parser.

        Args:
            env: The environment of the policy.
            policy: The policy.
            condition: A single condition for the policy.
        """
        self._env = env
        self._policy = policy
        self._condition = condition
        self._decode = Decoder(env)

    def __call__(self, molecules: Sequence[Molecule]) -> Likelihoods:
        """Compute the log-likelihood of every molecule.

        Args:
            molecules: Molecules, possibly none; their trees go through the policy together.

        Returns:
            One value per molecule, in order.
        """
        decoded = self._decode(molecules)
        return Likelihoods(
            self._log_p([each.trees for each in decoded]),
            np.array([len(each.trees) if each.counted else math.nan for each in decoded]),
            tuple(each.reason for each in decoded),
        )

    def _log_p(self, trees_of: Sequence[Sequence[FragmentTree]]) -> NDArray[np.float64]:
        env = self._env
        trees = [tree for trees in trees_of for tree in trees]
        if not trees:
            return np.full(len(trees_of), math.nan)
        states = FragmentStates.from_trees(trees, env.limits.max_fragments, env.device)
        by_tree = log_likelihood(env, self._policy, states, self._condition).cpu()
        n_trees = torch.tensor([len(trees) for trees in trees_of])
        owner = torch.arange(len(n_trees)).repeat_interleave(n_trees)
        total = log_sum_by_group(by_tree, owner, len(n_trees))
        total[n_trees == 0] = math.nan
        return np.asarray(total.numpy())
