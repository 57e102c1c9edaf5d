"""Picks of good molecules that keep a distance from each other, in three ways.

All three take candidates from the best score down and keep the same promises: any two picks lie at
least a distance apart, no group exceeds its cap, and the same input gives the same picks. They
differ in what comes next among the candidates that may still be picked.

* ``greedy``: the best score.
* ``max_min``: the one farthest from those picked.
* ``log_det``: the one that adds most to the log-determinant of a kernel of quality and similarity.

The last two weigh scores little or not at all, so they choose from a shortlist: the best
:data:`SHORTLIST_PER_PICK` candidates for each one wanted, at most :data:`MAX_SHORTLIST`. When no
one on it may be picked any more, the next shortlist takes the best of the rest that may.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from molgfn.chem.similarity import similarity_to, tanimoto_distance, tanimoto_similarity
from molgfn.config.choices import SelectionMethod

#: Length of the shortlist for each member wanted.
SHORTLIST_PER_PICK = 10

#: Longest shortlist: bounds the memory of ``log_det``, one number for each pick and candidate.
MAX_SHORTLIST = 20_000

#: Log-quality of ``log_det`` for a score one mean deviation above the median. Of 3000 molecules of
#: the shipped policy, 200 picked and no least distance, 1/8 gives up 15 % of the mean score that
#: ``max_min`` gives up, for 59 % of its gain in log det of similarity. Measure your own table with
#: ``scripts/bench/selection.py``.
QUALITY_WEIGHT = 1 / 8

#: Candidates compared at a time.
_BLOCK = 1024

#: Share of a candidate's own that those picked leave open; a smaller one is rounding.
_NO_SHARE = 1e-9

#: Gains this near to each other are equal: rounding must not decide which is first.
_EQUAL_GAIN = 1e-9


@dataclass(frozen=True)
class Candidates:
    """Some candidates, from the best score down.

    Attributes:
        index: What the caller calls each, shape ``(m,)``.
        fingerprints: Fingerprints, shape ``(m, 32)``.
        scores: Finite scores, shape ``(m,)``, higher is better.
    """

    index: NDArray[np.intp]
    fingerprints: NDArray[np.uint64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows: slice | NDArray[Any]) -> Candidates:
        return Candidates(self.index[rows], self.fingerprints[rows], self.scores[rows])


@dataclass(frozen=True)
class DiverseSubset:
    """What was picked.

    Attributes:
        picked: Index of each member, in the order of picking.
        n_over_cap: Candidates far enough from those picked then, but of a group with its share.
    """

    picked: list[int]
    n_over_cap: int


def select_diverse(
    fingerprints: NDArray[np.uint64],
    scores: NDArray[np.float64],
    k: int,
    min_distance: float,
    *,
    method: SelectionMethod = "greedy",
    groups: Sequence[str] | None = None,
    max_per_group: int | None = None,
) -> list[int]:
    r"""Pick good members that keep a distance from each other.

    The first member picked has the best score. Which one follows is the method's: see the module
    for the shortlist of ``max_min`` and ``log_det``, and :func:`select_from_blocks`.

    Args:
        fingerprints: Fingerprints, shape ``(n, 32)``.
        scores: Scores, shape ``(n,)``, higher is better, any unit and sign; members without a
            finite one are left out.
        k: Most members to pick.
        min_distance: Every two members picked lie at least this far apart, 0 to 1.
        method: How to pick.
        groups: Label of each member, such as its scaffold; the members with an empty label are no
            group and have no cap. Labels are looked up one by one, only where they matter.
        max_per_group: Most members to pick with the same label; default: no cap.

    Returns:
        Indices of the members picked, in the order of picking, of equal ones the earlier first;
        fewer than ``k`` when no further member may be picked.

    Raises:
        ValueError: The number of scores or groups differs from that of the fingerprints, a cap
            comes without groups or is less than 1, or there is no such method.
    """
    n = len(fingerprints)
    if scores.shape != (n,):
        raise ValueError(f"{n} fingerprints, but scores of shape {scores.shape}")
    if groups is not None and len(groups) != n:
        raise ValueError(f"{n} fingerprints, but {len(groups)} groups")
    order = np.argsort(-scores, kind="stable")
    order = order[np.isfinite(scores[order])]
    blocks = (order[start : start + _BLOCK] for start in range(0, len(order), _BLOCK))
    return select_from_blocks(
        (Candidates(rows, fingerprints[rows], scores[rows]) for rows in blocks),
        k,
        min_distance,
        method=method,
        group_of=None if groups is None else groups.__getitem__,
        max_per_group=max_per_group,
    ).picked


def select_from_blocks(
    blocks: Iterable[Candidates],
    k: int,
    min_distance: float,
    *,
    method: SelectionMethod = "greedy",
    group_of: Callable[[int], str] | None = None,
    max_per_group: int | None = None,
) -> DiverseSubset:
    """Pick as :func:`select_diverse` does from candidates that are made only when needed.

    Args:
        blocks: Candidates from the best score down, in blocks of any length; the next one is asked
            for only when those before do not suffice.
        k: Most members to pick.
        min_distance: Every two members picked lie at least this far apart, 0 to 1.
        method: How to pick.
        group_of: Label of a candidate from its index, asked for only before it would be picked.
        max_per_group: Most members to pick with the same label; default: no cap.

    Returns:
        What was picked; it depends on the order of the candidates, not on how they are blocked.

    Raises:
        ValueError: A cap comes without labels or is less than 1, or there is no such method.
    """
    if method not in _WAYS:
        raise ValueError(f"method must be one of {', '.join(_WAYS)}, got {method!r}")
    if max_per_group is not None and (group_of is None or max_per_group < 1):
        raise ValueError(f"a cap needs groups and is at least 1, got {max_per_group}")
    way = _WAYS[method](k)
    waiting = _Waiting(blocks, min_distance)
    picked: list[int] = []
    fingerprints: list[NDArray[np.uint64]] = []
    in_group: Counter[str] = Counter()
    n_over_cap = 0
    while len(picked) < k:
        shortlist = waiting.take(way.at_least, way.at_most, fingerprints)
        if not len(shortlist):
            break
        way.admit(shortlist, fingerprints)
        is_open = np.ones(len(shortlist), dtype=bool)
        while len(picked) < k and is_open.any():
            position = way.choose(np.flatnonzero(is_open))
            is_open[position] = False
            index = int(shortlist.index[position])
            if group_of is not None and max_per_group is not None:
                label = group_of(index)
                if label and in_group[label] == max_per_group:
                    n_over_cap += 1
                    continue
                in_group[label] += 1
            picked.append(index)
            fingerprints.append(shortlist.fingerprints[position])
            similarity = similarity_to(shortlist.fingerprints, fingerprints[-1])
            is_open &= 1.0 - similarity >= min_distance
            way.add(position, similarity)
    return DiverseSubset(picked, n_over_cap)


class _Waiting:
    """Candidates not yet looked at."""

    def __init__(self, blocks: Iterable[Candidates], min_distance: float) -> None:
        self._blocks: Iterator[Candidates] = iter(blocks)
        self._min_distance = min_distance
        self._left: Candidates | None = None

    def take(self, at_least: int, at_most: int, picked: Sequence[NDArray[np.uint64]]) -> Candidates:
        """Take the next ones that keep the distance from all picked, fewer only at the end."""
        parts = [_NO_CANDIDATES]
        block, self._left = self._left, None
        while sum(map(len, parts)) < at_least:
            block = next(self._blocks, None) if block is None else block
            if block is None:
                break
            if picked and len(block):
                distances = tanimoto_distance(block.fingerprints, np.stack(picked))
                is_far = np.all(distances >= self._min_distance, axis=1)
                block = block[is_far]
            parts.append(block)
            block = None
        taken = Candidates(
            np.concatenate([p.index for p in parts]),
            np.concatenate([p.fingerprints for p in parts]),
            np.concatenate([p.scores for p in parts]),
        )
        if len(taken) > at_most:
            self._left = taken[at_most:]
        return taken[:at_most]


_NO_CANDIDATES = Candidates(np.zeros(0, np.intp), np.zeros((0, 32), np.uint64), np.zeros(0))


class _Way(ABC):
    """What comes next; one object makes one selection."""

    def __init__(self, at_least: int, at_most: int) -> None:
        self.at_least, self.at_most = at_least, at_most

    @abstractmethod
    def admit(self, shortlist: Candidates, picked: Sequence[NDArray[np.uint64]]) -> None:
        """Begin with a new shortlist, S candidates, when some are already picked."""

    @abstractmethod
    def choose(self, positions: NDArray[np.intp]) -> int:
        """Choose one of these positions on the shortlist, which come from the best score down."""

    @abstractmethod
    def add(self, position: int, similarity: NDArray[np.float64]) -> None:
        """Update after a pick, given everybody's similarity to it, ``(S,)``."""


class _Greedy(_Way):
    """The best score."""

    def __init__(self, k: int) -> None:
        # The order of scores holds within any shortlist, so it is what comes with the next block.
        super().__init__(1, sys.maxsize)

    def admit(self, shortlist: Candidates, picked: Sequence[NDArray[np.uint64]]) -> None:
        pass

    def choose(self, positions: NDArray[np.intp]) -> int:
        return int(positions[0])

    def add(self, position: int, similarity: NDArray[np.float64]) -> None:
        pass


class _MaxMin(_Way):
    """The one whose nearest picked one is farthest; of equal ones the better score."""

    def __init__(self, k: int) -> None:
        super().__init__(_shortlist_length(k), _shortlist_length(k))

    def admit(self, shortlist: Candidates, picked: Sequence[NDArray[np.uint64]]) -> None:
        self._nearest = np.zeros(len(shortlist))
        for fingerprint in picked:
            self._see(similarity_to(shortlist.fingerprints, fingerprint))

    def choose(self, positions: NDArray[np.intp]) -> int:
        return int(positions[np.argmin(self._nearest[positions])])

    def add(self, position: int, similarity: NDArray[np.float64]) -> None:
        self._see(similarity)

    def _see(self, similarity: NDArray[np.float64]) -> None:
        np.maximum(self._nearest, similarity, out=self._nearest)


class _LogDet(_Way):
    r"""The one that adds most to log det L of those picked, L_ij = q_i q_j s_ij.

    With s the Tanimoto similarity this is greedy maximisation a posteriori of a determinantal point
    process. The quality of a candidate is

    .. math:: \log q_i = w (r_i - m) / \overline{|r - m|}

    with score r, the median m of the first shortlist and the mean deviation from it: neither unit
    nor zero point of the scores matter. w is :data:`QUALITY_WEIGHT`. The gain of a candidate is
    ``2 log q_i + log d_i^2``, where d_i^2, 0 to 1, is what is left of its own after projection on
    those picked: with d_i on its diagonal the Cholesky factor of s grows by a row for every pick.

    References:
        Chen et al. 2018, Fast greedy MAP inference for determinantal point process.
        https://arxiv.org/abs/1709.05135
    """

    def __init__(self, k: int) -> None:
        super().__init__(_shortlist_length(k), _shortlist_length(k))
        self._centre_and_scale: tuple[float, float] | None = None
        # Row of each pick in the Cholesky factor, without and with its diagonal.
        self._factor: list[NDArray[np.float64]] = []
        self._diagonal: list[float] = []

    def admit(self, shortlist: Candidates, picked: Sequence[NDArray[np.uint64]]) -> None:
        if self._centre_and_scale is None:
            centre = float(np.median(shortlist.scores))
            self._centre_and_scale = centre, float(np.abs(shortlist.scores - centre).mean())
        centre, scale = self._centre_and_scale
        self._log_q = np.zeros(len(shortlist))
        if scale > 0.0:
            self._log_q += QUALITY_WEIGHT * (shortlist.scores - centre) / scale
        self._share = np.ones(len(shortlist))
        self._columns = np.zeros((16, len(shortlist)))
        if picked:
            similarity = tanimoto_similarity(np.stack(picked), shortlist.fingerprints)
            for number, row in enumerate(similarity):
                self._project(number, row)

    def choose(self, positions: NDArray[np.intp]) -> int:
        share = self._share[positions]
        is_dependent = share < _NO_SHARE
        gain = 2.0 * self._log_q[positions] + np.log(np.where(is_dependent, 1.0, share))
        gain[is_dependent] = -np.inf
        return int(positions[np.flatnonzero(gain >= gain.max() - _EQUAL_GAIN)[0]])

    def add(self, position: int, similarity: NDArray[np.float64]) -> None:
        number = len(self._factor)
        self._factor.append(self._columns[:number, position].copy())
        share = float(self._share[position])
        self._diagonal.append(share**0.5 if share >= _NO_SHARE else 0.0)
        self._project(number, similarity)

    def _project(self, number: int, similarity: NDArray[np.float64]) -> None:
        """Take from every candidate's share what pick ``number`` accounts for."""
        if number == len(self._columns):
            self._columns = np.concatenate([self._columns, np.zeros_like(self._columns)])
        if self._diagonal[number] > 0.0:
            known = self._factor[number] @ self._columns[:number]  # (S,)
            self._columns[number] = (similarity - known) / self._diagonal[number]
            self._share -= self._columns[number] ** 2


def _shortlist_length(k: int) -> int:
    return min(SHORTLIST_PER_PICK * k, MAX_SHORTLIST)


_WAYS: dict[SelectionMethod, Callable[[int], _Way]] = {
    "greedy": _Greedy,
    "max_min": _MaxMin,
    "log_det": _LogDet,
}
