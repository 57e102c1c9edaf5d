"""Scores states by assembling them; every distinct state is scored once."""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from rdkit.DataStructs import BulkTanimotoSimilarity, ExplicitBitVect
from torch import Tensor

from molgfn.chem.molecule import Molecule, read_molecule
from molgfn.chem.similarity import fingerprint
from molgfn.env.fragment_env import FragmentEnv
from molgfn.env.states import FragmentStates
from molgfn.reward.reward import Reward

#: States whose score is remembered; about 150 bytes each.
CACHE_CAPACITY = 200_000
#: A mode is a molecule of at least this Score...
MODE_SCORE = 0.5
#: ... whose Tanimoto similarity to every earlier mode is below this (Bengio et al. 2021).
MODE_SIMILARITY = 0.7
#: Modes are counted up to here; comparing with ever more of them would slow a long run down.
MAX_MODES = 5_000


class MoleculeScore:
    """The score of states of a fragment environment, with a cache by canonical key."""

    def __init__(self, env: FragmentEnv, reward: Reward) -> None:
        """Start with an empty cache.

        Args:
            env: The environment of the states.
            reward: Scores molecules.
        """
        self._env = env
        self._reward = reward
        self._cache: OrderedDict[str, float] = OrderedDict()
        self._n_distinct = 0
        self._modes: list[str] = []
        self._mode_fingerprints: list[ExplicitBitVect] = []

    def __call__(self, states: FragmentStates) -> Tensor:
        """Score terminal states.

        Args:
            states: B terminal states.

        Returns:
            log Score, at most 0, NaN where the score failed, shape ``(B,)``, nats, on the CPU.
        """
        keys = self._env.keys(states)
        fresh = {key: i for i, key in enumerate(keys) if key not in self._cache}
        found = {key: self._cache[key] for key in keys if key in self._cache}
        if fresh:
            index = torch.tensor(list(fresh.values()), device=states.device)
            molecules = self._env.molecules(states[index])
            log_scores = [float(x) for x in self._reward(molecules).log_score]
            found.update(zip(fresh, log_scores, strict=True))
            self._n_distinct += len(fresh)
            self._count_modes(molecules, log_scores)
        for key in fresh:
            self._cache[key] = found[key]
        while len(self._cache) > CACHE_CAPACITY:
            self._cache.popitem(last=False)
        return torch.tensor([found[key] for key in keys])

    def log_multiplicity(self, states: FragmentStates) -> Tensor:
        """Count the trees of every molecule.

        Args:
            states: B terminal states.

        Returns:
            Natural logarithm, shape ``(B,)``, on the CPU.
        """
        return torch.zeros(len(states))

    def _count_modes(self, molecules: list[Molecule], log_scores: list[float]) -> None:
        for molecule, log_score in zip(molecules, log_scores, strict=True):
            if log_score >= math.log(MODE_SCORE) and len(self._modes) < MAX_MODES:
                bits = fingerprint(molecule.mol)
                near = BulkTanimotoSimilarity(bits, self._mode_fingerprints)
                if max(near, default=0.0) < MODE_SIMILARITY:
                    self._modes.append(molecule.smiles)
                    self._mode_fingerprints.append(bits)

    def statistics(self) -> dict[str, float]:
        """Count distinct states scored and modes found.

        Returns:
            ``distinct`` and ``modes``.
        """
        return {"distinct": self._n_distinct, "modes": len(self._modes)}

    def state_dict(self) -> dict[str, object]:
        """Return the cache and counts as plain JSON values; a failed score is null.

        The cache belongs to an exact resume: without it molecules would be scored again in
        batches of another composition, and the last bit of a score may depend on that.
        """
        scores = [None if math.isnan(x) else x for x in self._cache.values()]
        return {
            "keys": list(self._cache),
            "log_scores": scores,
            "n_distinct": self._n_distinct,
            "modes": self._modes,
        }

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Undo :meth:`state_dict`.

        Args:
            state: What it returned.
        """
        keys: list[str] = state["keys"]  # type: ignore[assignment]
        scores: list[float | None] = state["log_scores"]  # type: ignore[assignment]
        modes: list[str] = state["modes"]  # type: ignore[assignment]
        self._cache = OrderedDict(
            (key, math.nan if x is None else x) for key, x in zip(keys, scores, strict=True)
        )
        self._n_distinct = int(state["n_distinct"])  # type: ignore[call-overload]
        self._modes = list(modes)
        self._mode_fingerprints = [fingerprint(read_molecule(s).mol) for s in modes]
