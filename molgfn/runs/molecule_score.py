"""Scores states by assembling them; every distinct state is scored once."""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from rdkit.DataStructs import BulkTanimotoSimilarity, ExplicitBitVect
from torch import Tensor

from molgfn.chem.molecule import Molecule, read_molecule
from molgfn.chem.similarity import fingerprint
from molgfn.config.reward_schema import RewardConfig
from molgfn.env.decoding import Decoder
from molgfn.env.fragment_env import FragmentEnv
from molgfn.env.states import FragmentStates
from molgfn.reward.guard import best_predictions
from molgfn.reward.reward import Reward, build_reward

#: States whose score is remembered; about 150 bytes each.
CACHE_CAPACITY = 200_000
#: A mode is a molecule of at least this Score...
MODE_SCORE = 0.5
#: ... whose Tanimoto similarity to every earlier mode is below this (Bengio et al. 2021).
MODE_SIMILARITY = 0.7
#: Modes are counted up to here; comparing with ever more of them would slow a long run down.
MAX_MODES = 5_000
#: On so many of the best molecules of a batch the proxy is compared with its control.
N_WATCHED = 16


def build_score(config: RewardConfig, env: FragmentEnv) -> MoleculeScore:
    """Build the score that a policy is trained on.

    Args:
        config: The reward.
        env: The environment of the states.

    Returns:
        The score, with an empty cache.
    """
    divide = config.divide_by_multiplicity
    reward = build_reward(config, with_similarity=False)
    return MoleculeScore(env, reward, divide_by_multiplicity=divide)


class MoleculeScore:
    """The score of states of a fragment environment, with a cache by canonical key."""

    def __init__(
        self, env: FragmentEnv, reward: Reward, *, divide_by_multiplicity: bool = False
    ) -> None:
        """Start with an empty cache.

        Args:
            env: The environment of the states.
            reward: Scores molecules.
            divide_by_multiplicity: Whether the trees of a molecule share its reward.
        """
        self._env = env
        self._reward = reward
        self._decode = Decoder(env) if divide_by_multiplicity else None
        self._multiplicity: OrderedDict[str, float] = OrderedDict()
        self._cache: OrderedDict[str, float] = OrderedDict()
        self._n_distinct = 0
        self._modes: list[str] = []
        self._mode_fingerprints: list[ExplicitBitVect] = []
        self._last: tuple[FragmentStates, list[str], list[float]] | None = None

    def __call__(self, states: FragmentStates) -> Tensor:
        """Score terminal states.

        Args:
            states: B terminal states.

        Returns:
            log Score, at most 0, NaN where the score failed or where the trees that share it are
            too many to count, shape ``(B,)``, nats, on the CPU.
        """
        keys = self._env.keys(states)
        fresh = {key: i for i, key in enumerate(keys) if key not in self._cache}
        found = {key: self._cache[key] for key in keys if key in self._cache}
        if fresh:
            index = torch.tensor(list(fresh.values()), device=states.device)
            molecules = self._env.molecules(states[index])
            log_scores = [float(x) for x in self._reward(molecules).log_score]
            if self._decode is not None:
                shared = self._count_trees(list(fresh), molecules)
                log_scores = [
                    math.nan if math.isnan(log_n) else x
                    for x, log_n in zip(log_scores, shared, strict=True)
                ]
            found.update(zip(fresh, log_scores, strict=True))
            self._n_distinct += len(fresh)
            self._count_modes(molecules, log_scores)
        for key in fresh:
            self._cache[key] = found[key]
        while len(self._cache) > CACHE_CAPACITY:
            self._cache.popitem(last=False)
        log_scores = [found[key] for key in keys]
        self._last = states, keys, log_scores
        return torch.tensor(log_scores)

    def log_multiplicity(self, states: FragmentStates) -> Tensor:
        """Count the trees of every molecule that the environment can build.

        Args:
            states: B terminal states.

        Returns:
            Natural logarithm, 0 where trees do not share rewards, NaN where they are too many to
            count, shape ``(B,)``, on the CPU.
        """
        if self._decode is None:
            return torch.zeros(len(states))
        keys = self._env.keys(states)
        found = {key: self._multiplicity[key] for key in keys if key in self._multiplicity}
        fresh = {key: i for i, key in enumerate(keys) if key not in found}
        if fresh:
            index = torch.tensor(list(fresh.values()), device=states.device)
            molecules = self._env.molecules(states[index])
            found.update(zip(fresh, self._count_trees(list(fresh), molecules), strict=True))
        return torch.tensor([found[key] for key in keys])

    def _count_trees(self, keys: list[str], molecules: list[Molecule]) -> list[float]:
        """Log of the number of trees, remembered by key; it is never saved: it can be redone."""
        if self._decode is None:
            return [0.0] * len(keys)
        counts = [len(decoded.trees) for decoded in self._decode(molecules)]
        log_counts = [math.log(n) if n else math.nan for n in counts]
        self._multiplicity.update(zip(keys, log_counts, strict=True))
        while len(self._multiplicity) > CACHE_CAPACITY:
            self._multiplicity.popitem(last=False)
        return log_counts

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

    def divergence(self) -> dict[str, float]:
        """Compare the proxy with its control on the best molecules that were scored last.

        Returns:
            :func:`~molgfn.reward.guard.best_predictions` of them; empty without a control.
        """
        proxy = self._reward.proxy
        if proxy is None or proxy.control is None:
            return {}
        return best_predictions(proxy, self._best_of_last(N_WATCHED))

    def _best_of_last(self, n: int) -> list[Molecule]:
        """Distinct molecules of the n best states of the last batch, the best first."""
        if self._last is None:
            return []
        states, keys, log_scores = self._last
        place = {key: i for i, key in enumerate(keys)}
        scored = [i for i in place.values() if not math.isnan(log_scores[i])]
        best = sorted(scored, key=lambda i: -log_scores[i])[:n]
        if not best:
            return []
        index = torch.tensor(best, device=states.device)
        return list(dict.fromkeys(self._env.molecules(states[index])))

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
