"""Scores a chunk of states, alike in the training process and in a worker."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rdkit.DataStructs import ExplicitBitVect
from torch import Tensor

from molgfn.chem.molecule import Molecule
from molgfn.chem.similarity import N_BITS
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.target.modes import Candidate
from molgfn.molecules.target.tree_batch import TreeBatch
from molgfn.molecules.target.tree_features import TreeFeaturiser
from molgfn.reward.reward import Reward


@dataclass(frozen=True, slots=True)
class Scored:
    """What is known of a state once it is scored.

    Attributes:
        log_score: Natural logarithm of its Score, NaN = failed.
        candidate: Its molecule where that may be a mode; None where modes are not asked for.
    """

    log_score: float
    candidate: Candidate | None

    def to_json(self) -> list[Any]:
        """Make JSON values; a number comes back to the last bit, a failed score is null."""
        score = None if math.isnan(self.log_score) else self.log_score
        if self.candidate is None:
            return [score]
        return [score, self.candidate.smiles, self.candidate.bits.ToBase64()]

    @classmethod
    def from_json(cls, values: list[Any]) -> Scored:
        """Undo :meth:`to_json`.

        Args:
            values: What it returned.

        Returns:
            The same.
        """
        score, *molecule = values
        candidate = None
        if molecule:
            smiles, base64 = molecule
            bits = ExplicitBitVect(N_BITS)
            bits.FromBase64(base64)
            candidate = Candidate(smiles, bits)
        return cls(math.nan if score is None else score, candidate)


@dataclass(frozen=True)
class ChunkScore:
    """Scores states, as molecules where the reward looks at more than their graphs.

    Attributes:
        env: The environment of the states.
        reward: Scores molecules.
    """

    env: FragmentEnv
    reward: Reward

    @cached_property
    def _featurise(self) -> TreeFeaturiser:
        return TreeFeaturiser(self.env.vocabulary)

    def __call__(self, packed: Tensor, *, with_modes: bool) -> list[Scored]:
        """Score states.

        Args:
            packed: B terminal states as :meth:`FragmentStates.to_tensor` packs them, on the CPU.
            with_modes: Whether to tell which molecules may be modes.

        Returns:
            One item each, in the order of the states.

        Raises:
            ScorerError: A scorer broke as a whole.
        """
        states = FragmentStates.from_tensor(packed)
        if self.reward.needs_molecules:
            molecules: Sequence[Molecule] = self.env.molecules(states)
        else:
            molecules = TreeBatch(states, self._featurise)
        log_scores = [float(x) for x in self.reward(molecules).log_score]
        return [
            Scored(log_score, Candidate.of(molecule, log_score) if with_modes else None)
            for molecule, log_score in zip(molecules, log_scores, strict=True)
        ]
