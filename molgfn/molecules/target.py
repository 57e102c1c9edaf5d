"""The reward of fragment trees; every distinct one is scored once."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import islice, pairwise
from typing import Any

import torch
from torch import Tensor

from molgfn.chem.molecule import Molecule
from molgfn.config.reward_schema import RewardConfig
from molgfn.errors import MoleculeError
from molgfn.gfn.prior import Prior
from molgfn.gfn.target import Target
from molgfn.machine.document import Document
from molgfn.machine.remembered import Calls, MemoryStore, Remembered, in_order
from molgfn.molecules.decoding import Decoder
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.env.states import FragmentStates
from molgfn.molecules.prior import load_prior
from molgfn.molecules.scoring.chunk_queue import AHEAD, Chunk, ChunkQueue
from molgfn.molecules.scoring.chunk_score import ChunkScore
from molgfn.molecules.scoring.modes import Modes
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

#: No logarithm of an objective comes near.
_TOO_LARGE = 1e300

#: Objectives of states by canonical key, flattened as in :class:`Scored`.
_Found = dict[str, tuple[float, ...]]


def build_target(
    config: RewardConfig, env: FragmentEnv, reward: Reward | None = None
) -> MoleculeTarget:
    """Build the target that a policy is trained on; the reward, too, where there is none yet."""
    reward = build_reward(config, with_similarity=False) if reward is None else reward
    return MoleculeTarget(
        env,
        reward,
        divide_by_multiplicity=config.divide_by_multiplicity,
        prior=load_prior(config.prior, env),
    )


class MoleculeTarget(Target[FragmentStates]):
    """Objectives of the states of a fragment environment, with a cache by canonical key."""

    def __init__(
        self,
        env: FragmentEnv,
        reward: Reward,
        *,
        divide_by_multiplicity: bool = False,
        prior: Prior[FragmentStates] | None = None,
    ) -> None:
        """Start with an empty cache.

        Args:
            env: The environment of the states.
            reward: Scores molecules.
            divide_by_multiplicity: Whether the trees of a molecule share its reward.
            prior: Law of states that multiplies the reward.
        """
        self.prior = prior
        self._env = env
        self._reward = reward
        self.objectives = tuple(each.name for each in reward.objectives)
        self.member_power = reward.member_power
        self._decode = Decoder(env) if divide_by_multiplicity else None
        self._multiplicity: Remembered[str, float] = Remembered(MemoryStore(CACHE_CAPACITY))
        self._remember(())
        self._queue = ChunkQueue(ChunkScore(env, reward))
        self._modes = Modes()
        self._last: tuple[FragmentStates, dict[str, int], _Found] | None = None

    def _remember(self, known: Iterable[tuple[str, tuple[float, ...]]]) -> None:
        """Begin with the objectives of some states."""
        self._store: MemoryStore[str, tuple[float, ...]] = MemoryStore(CACHE_CAPACITY, known)
        self._remembered = Remembered(self._store)

    @property
    def calls(self) -> Calls:
        """How many distinct states were scored, and how many were known."""
        return self._remembered.calls

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
        found: _Found = {}
        self._last = states, place, found
        coming = self._remembered(place, partial(self._score, states, place))
        rest = iter(keys)
        for batch in batches:
            own = list(islice(rest, len(batch)))
            while not found.keys() >= set(own):
                key, parts = next(coming)
                found[key] = parts
            yield self._tensor([found[key] for key in own])

    def _score(
        self, states: FragmentStates, place: Mapping[str, int], missing: Iterator[str]
    ) -> Generator[tuple[str, tuple[float, ...]], None, None]:
        """Score states by their place in a batch, chunk by chunk."""
        chunks = self._cut(states, {key: place[key] for key in missing})
        self._queue.begin([chunk for _, chunk in chunks])
        for keys, chunk in chunks:
            yield from zip(keys, self._finish(chunk), strict=True)

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

    def _finish(self, chunk: Chunk) -> list[tuple[float, ...]]:
        """Wait for the objectives of a chunk, and count its modes."""
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
        return parts

    def log_multiplicity(self, states: FragmentStates) -> Tensor:
        """Count the trees of every molecule that the environment can build.

        Returns:
            Natural logarithm, 0 where trees do not share rewards, NaN where they are too many to
            count, shape ``(B,)``, on the CPU.
        """
        decode = self._decode
        if decode is None:
            return torch.zeros(len(states))
        keys = self._env.keys(states)
        place = {key: i for i, key in enumerate(keys)}

        def count(missing: Iterator[str]) -> Generator[tuple[str, float], None, None]:
            fresh = list(missing)
            if fresh:
                index = torch.tensor([place[key] for key in fresh], device=states.device)
                counts = [len(each.trees) for each in decode(self._env.molecules(states[index]))]
                yield from zip(fresh, (math.log(n) if n else math.nan for n in counts), strict=True)

        return torch.tensor(list(in_order(keys, self._multiplicity(keys, count))))

    def statistics(self) -> dict[str, float]:
        """Count distinct states scored and modes found.

        Returns:
            ``distinct`` and ``modes``.
        """
        return {"distinct": self.calls.computed, "modes": len(self._modes)}

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
            "keys": [key for key, _ in self._store.items()],
            "log_parts": [
                [None if math.isnan(x) else x for x in parts] for _, parts in self._store.items()
            ],
            "n_distinct": self.calls.computed,
            "modes": self._modes.smiles,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Undo :meth:`state_dict`; older versions kept the score alone.

        Raises:
            CheckpointError: A value is missing or of another type, or counts differ.
        """
        saved = state if isinstance(state, Document) else Document(state, "the score", "save anew")
        keys, modes = saved.texts("keys"), saved.texts("modes")
        if "log_parts" in saved:
            name, parts = "log_parts", [_parts(each) for each in saved.items_of("log_parts")]
        else:
            name, parts = "log_scores", [_parts([x]) for x in saved.items_of("log_scores")]
        n_parts = len(parts[0]) if parts and parts[0] is not None else 0
        fits = len(parts) == len(keys) and n_parts % len(self.objectives) == 0
        known = [each for each in parts if each is not None and len(each) == n_parts]
        if not fits or len(known) != len(parts) or (parts and not n_parts):
            raise saved.fault(name, f"is not a list of {len(self.objectives)} numbers for each key")
        self._remember(zip(keys, known, strict=True))
        self._remembered.calls = Calls(computed=saved.whole("n_distinct"))
        try:
            self._modes = Modes(modes)
        except MoleculeError as error:
            raise saved.fault("modes", f"holds what is no molecule ({error})") from error


def _parts(values: Any) -> tuple[float, ...] | None:
    """Logarithms of the objectives of a state, null where one failed; None for anything else."""
    if not isinstance(values, list):
        return None
    # The logarithm of a Score of 0 is minus infinity.
    if not all(x is None or (type(x) in (int, float) and x < _TOO_LARGE) for x in values):
        return None
    return tuple(math.nan if x is None else float(x) for x in values)
