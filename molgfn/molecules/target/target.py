"""The reward of fragment trees; every distinct one is scored once."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice, pairwise
from typing import Any

import torch
from torch import Tensor

from molgfn.chem.molecule import Molecule
from molgfn.config.reward_schema import RewardConfig
from molgfn.gfn.target import Target
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
#: The proxy is compared with its control on this many of the best molecules of a batch.
N_WATCHED = 16

#: Objectives of states by canonical key, flattened as in :class:`Scored`.
_Found = dict[str, tuple[float, ...]]


def build_target(config: RewardConfig, env: FragmentEnv) -> MoleculeTarget:
    """Build the target that a policy is trained on.

    Args:
        config: The reward.
        env: The environment of the states.

    Returns:
        The target, with an empty cache.
    """
    divide = config.divide_by_multiplicity
    reward = build_reward(config, with_similarity=False)
    return MoleculeTarget(env, reward, divide_by_multiplicity=divide)


class MoleculeTarget(Target[FragmentStates]):
    """Objectives of the states of a fragment environment, with a cache by canonical key."""

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
        self.objectives = tuple(each.name for each in reward.objectives)
        self.member_power = reward.member_power
        self._decode = Decoder(env) if divide_by_multiplicity else None
        self._multiplicity: OrderedDict[str, float] = OrderedDict()
        self._cache: OrderedDict[str, tuple[float, ...]] = OrderedDict()
        self._queue = ChunkQueue(ChunkScore(env, reward))
        self._n_distinct = 0
        self._modes = Modes()
        self._last: tuple[FragmentStates, dict[str, int], _Found] | None = None

    def workers(
        self, n_workers: int, order: dict[str, Any], tell: Callable[[str], None]
    ) -> AbstractContextManager[None]:
        """Have worker processes score; see :meth:`ChunkQueue.workers`."""
        return self._queue.workers(n_workers, order, tell)

    def log_parts(self, states: FragmentStates) -> Tensor:
        """Score terminal states.

        Returns:
            log of the objectives, ``(B, K)`` or by member ``(B, M, K)``, at most 0, NaN where a
            score failed or where the trees that share it are too many to count, nats, on the CPU.
        """
        (log_parts,) = self.log_parts_of([states])
        return log_parts

    def log_parts_of(self, batches: Sequence[FragmentStates]) -> Iterator[Tensor]:
        """Score batches: workers begin with all, and each is waited for by itself."""
        states = FragmentStates.cat(batches)
        keys = self._env.keys(states)
        place: dict[str, int] = {}
        for i, key in enumerate(keys):
            place.setdefault(key, i)
        found = {key: self._cache[key] for key in place if key in self._cache}
        self._last = states, place, found
        chunks = self._cut(states, {key: i for key, i in place.items() if key not in found})
        self._queue.begin([chunk for _, chunk in chunks])
        begun, rest = iter(chunks), iter(keys)
        for batch in batches:
            own = list(islice(rest, len(batch)))
            while not found.keys() >= set(own):
                found.update(self._finish(*next(begun)))
            yield self._tensor([found[key] for key in own])

    def _tensor(
        self, parts: Sequence[tuple[float, ...]], dtype: torch.dtype | None = None
    ) -> Tensor:
        """Parts as rows of objectives, by member where there are several of each."""
        flat = torch.tensor(parts, dtype=dtype).reshape(len(parts), -1)
        k = len(self.objectives)
        return flat if flat.shape[1] in (0, k) else flat.unflatten(1, (-1, k))

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

    def _finish(self, keys: list[str], chunk: Chunk) -> _Found:
        """Wait for the objectives of a chunk, and remember them."""
        scored = self._queue.finish(chunk)
        parts = [each.log_parts for each in scored]
        if self._decode is not None:
            log_n = self.log_multiplicity(FragmentStates.from_tensor(chunk.packed)).tolist()
            parts = [
                (math.nan,) * len(own) if math.isnan(n) else own
                for own, n in zip(parts, log_n, strict=True)
            ]
        for each, own in zip(scored, parts, strict=True):
            if each.candidate is not None and not math.isnan(own[0]):
                self._modes.consider(each.candidate)
        found = dict(zip(keys, parts, strict=True))
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
        score = self.log_score(self._tensor([found[key] for key in place], torch.float64))
        scores = dict(zip(place, score.tolist(), strict=True))
        scored = [key for key in place if not math.isnan(scores[key])]
        best = [place[key] for key in sorted(scored, key=lambda key: -scores[key])[:n]]
        if not best:
            return []
        index = torch.tensor(best, device=states.device)
        return list(dict.fromkeys(self._env.molecules(states[index])))

    def state_dict(self) -> dict[str, Any]:
        """The cache and counts as plain JSON values; NaN is null.

        With the cache a resumed training scores no molecule again, and counts as if never stopped.
        """
        return {
            "keys": list(self._cache),
            "log_parts": [
                [None if math.isnan(x) else x for x in parts] for parts in self._cache.values()
            ],
            "n_distinct": self._n_distinct,
            "modes": self._modes.smiles,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Undo :meth:`state_dict`; older versions kept the score alone."""
        values = state["log_parts"] if "log_parts" in state else [[x] for x in state["log_scores"]]
        parts = (tuple(math.nan if x is None else x for x in each) for each in values)
        self._cache = OrderedDict(zip(state["keys"], parts, strict=True))
        self._n_distinct = int(state["n_distinct"])
        self._modes = Modes(state["modes"])
