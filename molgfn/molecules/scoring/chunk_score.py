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
from molgfn.molecules.scoring.modes import Candidate
from molgfn.molecules.scoring.tree_batch import TreeBatch
from molgfn.molecules.scoring.tree_features import TreeFeaturiser
from molgfn.reward.reward import Reward


@dataclass(frozen=True, slots=True)
class Scored:
    """What is known of a state once it is scored.

    Attributes:
        log_parts: Log of its objectives, by each member of an ensemble where there are several,
            flattened; all NaN where the score failed.
        candidate: Its molecule where that may be a mode; None where modes are not asked for.
    """

    log_parts: tuple[float, ...]
    candidate: Candidate | None

    def to_json(self) -> list[Any]:
        """Make JSON values; a number comes back to the last bit, NaN is null."""
        parts = [None if math.isnan(part) else part for part in self.log_parts]
        if self.candidate is None:
            return [parts]
        return [parts, self.candidate.smiles, self.candidate.bits.ToBase64()]

    @classmethod
    def from_json(cls, values: list[Any]) -> Scored:
        """Undo :meth:`to_json`."""
        parts, *molecule = values
        candidate = None
        if molecule:
            smiles, base64 = molecule
            bits = ExplicitBitVect(N_BITS)
            bits.FromBase64(base64)
            candidate = Candidate(smiles, bits)
        return cls(tuple(math.nan if part is None else part for part in parts), candidate)


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
            with_modes: Whether candidates for modes are wanted.

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
        table = self.reward(molecules)
        parts = table.objective_parts.reshape(len(molecules), -1).tolist()
        return [
            Scored(tuple(own), Candidate.of(molecule, log_score) if with_modes else None)
            for molecule, own, log_score in zip(
                molecules, parts, table.log_score.tolist(), strict=True
            )
        ]
