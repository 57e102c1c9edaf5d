"""Scores states by assembling them; every distinct state is scored once."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice, pairwise
from typing import Any

import torch
from torch import Tensor

from molgfn.chem.molecule import Molecule
from molgfn.config.reward_schema import RewardConfig
from molgfn.molecules.decoding import Decoder
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.target.chunk_queue import AHEAD, Chunk, ChunkQueue
from molgfn.molecules.target.chunk_score import ChunkScore
from molgfn.molecules.target.modes import Modes
from molgfn.reward.guard import best_predictions
from molgfn.reward.reward import Reward, build_reward

#: States whose score is remembered; about 150 bytes each.
CACHE_CAPACITY = 200_000
#: States that go to a worker together: two chunks for each worker where the sizes allow it;
#: without workers a batch is scored in one piece, as each chunk costs as much as ten molecules
#: more. The first one is cut in two, as nothing can be learned before: while a worker scores one
#: half, the training scores the other. No score depends on which states it was computed with, not
#: in its last bit.
MIN_CHUNK_SIZE, MAX_CHUNK_SIZE = 16, 64
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
        self._queue = ChunkQueue(ChunkScore(env, reward))
        self._n_distinct = 0
        self._modes = Modes()
        self._last: tuple[FragmentStates, dict[str, int], dict[str, float]] | None = None

    def workers(
        self, n_workers: int, order: dict[str, Any], tell: Callable[[str], None]
    ) -> AbstractContextManager[None]:
        """Have worker processes score; see :meth:`ChunkQueue.workers`."""
        return self._queue.workers(n_workers, order, tell)

    def __call__(self, states: FragmentStates) -> Tensor:
        """Score terminal states.

        Args:
            states: B terminal states.

        Returns:
            log Score, at most 0, NaN where the score failed or where the trees that share it are
            too many to count, shape ``(B,)``, nats, on the CPU.
        """
        (log_score,) = self.in_parts([states])
        return log_score

    def in_parts(self, parts: Sequence[FragmentStates]) -> Iterator[Tensor]:
        """Score parts of a batch: workers begin with all, and each is waited for by itself.

        Args:
            parts: Batches of terminal states.

        Yields:
            What :meth:`__call__` returns of each part.
        """
        states = FragmentStates.cat(parts)
        keys = self._env.keys(states)
        place: dict[str, int] = {}
        for i, key in enumerate(keys):
            place.setdefault(key, i)
        found = {key: self._cache[key] for key in place if key in self._cache}
        self._last = states, place, found
        chunks = self._cut(states, {key: i for key, i in place.items() if key not in found})
        self._queue.begin([chunk for _, chunk in chunks])
        begun, rest = iter(chunks), iter(keys)
        for part in parts:
            own = list(islice(rest, len(part)))
            while not found.keys() >= set(own):
                found.update(self._finish(*next(begun)))
            yield torch.tensor([found[key] for key in own])

    def _cut(self, states: FragmentStates, fresh: dict[str, int]) -> list[tuple[list[str], Chunk]]:
        """Cut the states of some keys, by their place in a batch, into chunks."""
        keys, index = list(fresh), torch.tensor(list(fresh.values()), dtype=torch.long)
        packed = states[index.to(states.device)].to_tensor().cpu()
        with_modes = not self._modes.is_full
        n = len(keys)
        edges = {0, n}
        if self._queue.n_workers:
            size = math.ceil(n / (AHEAD * self._queue.n_workers))
            size = min(max(size, MIN_CHUNK_SIZE), MAX_CHUNK_SIZE)
            edges |= {min(size // 2, n), *range(size, n, size)}
        spans = [slice(*edge) for edge in pairwise(sorted(edges))]
        return [(keys[span], Chunk(packed[span], with_modes)) for span in spans]

    def _finish(self, keys: list[str], chunk: Chunk) -> dict[str, float]:
        """Wait for the log scores of a chunk, and remember them."""
        scored = self._queue.finish(chunk)
        log_scores = [each.log_score for each in scored]
        if self._decode is not None:
            log_n = self.log_multiplicity(FragmentStates.from_tensor(chunk.packed)).tolist()
            log_scores = [
                math.nan if math.isnan(n) else x for x, n in zip(log_scores, log_n, strict=True)
            ]
        for each, log_score in zip(scored, log_scores, strict=True):
            if each.candidate is not None and not math.isnan(log_score):
                self._modes.consider(each.candidate)
        found = dict(zip(keys, log_scores, strict=True))
        self._n_distinct += len(found)
        self._cache.update(found)
        while len(self._cache) > CACHE_CAPACITY:
            self._cache.popitem(last=False)
        return found

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
        states, place, found = self._last
        scored = [key for key in place if not math.isnan(found[key])]
        best = [place[key] for key in sorted(scored, key=lambda key: -found[key])[:n]]
        if not best:
            return []
        index = torch.tensor(best, device=states.device)
        return list(dict.fromkeys(self._env.molecules(states[index])))

    def state_dict(self) -> dict[str, object]:
        """Return the cache and counts as plain JSON values; a failed score is null.

        With the cache a resumed training scores no molecule again, and counts as if never stopped.
        """
        scores = [None if math.isnan(x) else x for x in self._cache.values()]
        return {
            "keys": list(self._cache),
            "log_scores": scores,
            "n_distinct": self._n_distinct,
            "modes": self._modes.smiles,
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
        self._modes = Modes(modes)
