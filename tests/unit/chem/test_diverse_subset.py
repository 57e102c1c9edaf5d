from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from molgfn.chem import diverse_subset
from molgfn.chem.diverse_subset import (
    QUALITY_WEIGHT,
    Candidates,
    select_diverse,
    select_from_blocks,
)
from molgfn.chem.similarity import tanimoto_distance, tanimoto_similarity

METHODS = ["greedy", "max_min", "log_det"]


def packed(*bits):
    """Fingerprints with the given bits set, one set of numbers for each."""
    dense = np.zeros((len(bits), 2048), dtype=np.uint8)
    for row, on in zip(dense, bits, strict=True):
        row[list(on)] = 1
    return np.packbits(dense, axis=1).view(np.uint64)


@st.composite
def pools(draw, unique=False):
    """Fingerprints that are often alike, scores that are often equal, missing or negative."""
    bits = draw(
        st.lists(
            st.frozensets(st.integers(0, 7), min_size=1), min_size=1, max_size=14, unique=unique
        )
    )
    n = len(bits)
    score = (
        st.floats(-20, 20)
        | st.sampled_from([0.0, -1.0])
        | (st.nothing() if unique else st.just(np.nan))
    )
    scores = np.array(draw(st.lists(score, min_size=n, max_size=n)))
    groups = draw(st.lists(st.sampled_from(["", "a", "b"]), min_size=n, max_size=n))
    return packed(*bits), scores, groups


def may_follow(picked, distance, scores, min_distance, groups, cap):
    """Members that keep every promise with those picked, by definition, the best score first."""
    in_group = Counter(groups[i] for i in picked)
    return [
        i
        for i in sorted(np.flatnonzero(~np.isnan(scores)), key=lambda i: (-scores[i], i))
        if i not in picked
        and all(distance[i, j] >= min_distance for j in picked)
        and (cap is None or not groups[i] or in_group[groups[i]] < cap)
    ]


@pytest.mark.parametrize("method", METHODS)
@given(
    pool=pools(),
    k=st.integers(0, 14),
    min_distance=st.floats(0, 1),
    cap=st.none() | st.integers(1, 3),
)
def test_every_method_keeps_all_promises(method, pool, k, min_distance, cap):
    fingerprints, scores, groups = pool
    options = {"method": method, "groups": groups, "max_per_group": cap}
    picked = select_diverse(fingerprints, scores, k, min_distance, **options)
    distance = tanimoto_distance(fingerprints, fingerprints)
    assert len(picked) == len(set(picked)) <= k
    for number, member in enumerate(picked):
        rest = (distance, scores, min_distance, groups, cap)
        assert member in may_follow(picked[:number], *rest)
    if len(picked) < k:  # for want of others, however short the shortlist was
        assert may_follow(picked, *rest) == [] if picked else np.isnan(scores).all()
    if picked:
        assert picked[0] == np.nanargmax(scores)
    assert select_diverse(fingerprints, scores, k, min_distance, **options) == picked


@given(
    pool=pools(),
    k=st.integers(1, 14),
    min_distance=st.floats(0, 1),
    cap=st.none() | st.integers(1, 3),
)
def test_greedy_and_max_min_are_their_definitions(pool, k, min_distance, cap):
    fingerprints, scores, groups = pool
    distance = tanimoto_distance(fingerprints, fingerprints)
    greedy, max_min = [], []
    for _ in range(k):
        more = may_follow(greedy, distance, scores, min_distance, groups, cap)
        greedy += more[:1]
        more = may_follow(max_min, distance, scores, min_distance, groups, cap)
        if more:
            least = [min(distance[i, max_min], default=1.0) for i in more]
            max_min.append(more[least.index(max(least))])
    more = {"groups": groups, "max_per_group": cap}
    assert select_diverse(fingerprints, scores, k, min_distance, **more) == greedy
    if len(scores) <= 10 * k:  # all are on the shortlist
        result = select_diverse(fingerprints, scores, k, min_distance, method="max_min", **more)
        assert result == max_min


@given(pool=pools(unique=True), k=st.integers(2, 6), min_distance=st.floats(0, 0.8))
def test_log_det_takes_what_adds_most_to_the_determinant(pool, k, min_distance):
    fingerprints, scores, groups = pool
    distance = tanimoto_distance(fingerprints, fingerprints)
    deviation = scores - np.median(scores)
    scale = np.abs(deviation).mean()
    assume(scale > 1e-6)
    quality = np.exp(QUALITY_WEIGHT * deviation / scale)
    kernel = quality[:, None] * tanimoto_similarity(fingerprints, fingerprints) * quality[None, :]
    picked = select_diverse(fingerprints, scores, k, min_distance, method="log_det")
    for number, member in enumerate(picked):
        before = picked[:number]
        log_det = {
            i: np.linalg.slogdet(kernel[np.ix_([*before, i], [*before, i])]).logabsdet
            for i in may_follow(before, distance, scores, min_distance, groups, None)
        }
        assert log_det[member] == pytest.approx(max(log_det.values()), abs=1e-6)


def test_greedy_by_hand():
    fingerprints = packed({0, 1}, {0}, {5}, {6}, {7})
    scores = np.array([0.5, 0.9, 0.1, np.nan, 0.1])
    assert select_diverse(fingerprints, scores, 9, 0.5) == [1, 0, 2, 4]
    assert select_diverse(fingerprints, scores, 9, 0.6) == [1, 2, 4]
    assert select_diverse(fingerprints, scores, 2, 0.6) == [1, 2]
    assert select_diverse(fingerprints[:0], scores[:0], 3, 0.5) == []
    assert select_diverse(fingerprints, np.full(5, np.nan), 3, 0.5) == []


def test_max_min_by_hand():
    # Distances from the first: 1/2, 1/3, 1, 1; the last two are 1/2 apart.
    fingerprints = packed({0, 1}, {0}, {0, 1, 2}, {5}, {5, 6})
    scores = np.array([-1.0, -2.0, -3.0, -5.0, -4.0])
    # After 0 and 4: 1 is 1/2 away, 2 is 1/3 away, 3 is 1/2 away; the better score of 1 and 3.
    assert select_diverse(fingerprints, scores, 5, 0.0, method="max_min") == [0, 4, 1, 3, 2]
    assert select_diverse(fingerprints, scores, 5, 0.6, method="max_min") == [0, 4]


def test_log_det_by_hand():
    # The best has a near twin (similarity 4/5), and one that shares nothing.
    fingerprints = packed({0, 1, 2, 3}, {0, 1, 2, 3, 4}, {9})
    # Deviations from the median 0: 2, 0, -1, their mean size 1. The gain of the twin is
    # log(1 - 16/25) = -1.02, that of the other -1/4 + log 1.
    assert select_diverse(fingerprints, np.array([2.0, 0.0, -1.0]), 2, 0.0, method="log_det") == [
        0,
        2,
    ]
    # Deviations 0.2, 0, -10, their mean size 3.4: -1.02 against -10/3.4/4 = -0.74 ...
    scores = np.array([0.2, 0.0, -10.0])
    assert select_diverse(fingerprints, scores, 2, 0.0, method="log_det") == [0, 2]
    # ... and a similarity of 1/2 costs only log(3/4) = -0.29.
    fingerprints = packed({0, 1}, {0}, {9})
    assert select_diverse(fingerprints, scores, 2, 0.0, method="log_det") == [0, 1]
    # Neither unit nor zero point matter, also for scores whose exponentials would not fit.
    assert select_diverse(fingerprints, 1e6 * scores - 1e7, 2, 0.0, method="log_det") == [0, 1]


@pytest.mark.parametrize("method", METHODS)
def test_equal_members_are_taken_in_order_where_nothing_forbids_it(method):
    fingerprints = packed({0, 1}, {0, 1}, {5}, {5})
    expected = [0, 1, 2, 3] if method == "greedy" else [0, 2, 1, 3]
    assert select_diverse(fingerprints, np.ones(4), 9, 0.0, method=method) == expected
    assert select_diverse(fingerprints, np.ones(4), 9, 0.1, method=method) == [0, 2]


@pytest.mark.parametrize("method", METHODS)
def test_a_group_gives_no_more_than_its_share_and_no_label_is_no_group(method):
    fingerprints = packed(*({i} for i in range(6)))
    scores = np.arange(6.0)[::-1]
    groups = ["a", "a", "", "", "", "b"]
    options = {"method": method, "groups": groups}
    assert select_diverse(fingerprints, scores, 6, 0.5, max_per_group=1, **options) == [
        0,
        2,
        3,
        4,
        5,
    ]
    assert select_diverse(fingerprints, scores, 6, 0.5, **options) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("method", ["max_min", "log_det"])
def test_the_next_best_follow_when_the_shortlist_is_used_up(method):
    # For 2 picks 20 are on the shortlist, all alike: the second pick comes from the next 20.
    fingerprints = packed(*[{0, 1}] * 30, *({10 + i} for i in range(30)))
    scores = -np.arange(60.0)
    assert select_diverse(fingerprints, scores, 2, 0.5, method=method) == [0, 30]
    assert select_diverse(fingerprints, scores, 2, 0.0, method=method)[1] < 20


@pytest.mark.parametrize("method", METHODS)
def test_a_long_selection_over_several_shortlists(method, monkeypatch):
    monkeypatch.setattr(diverse_subset, "MAX_SHORTLIST", 37)
    rng = np.random.default_rng(0)
    fingerprints = packed(*(set(rng.integers(0, 60, 12).tolist()) for _ in range(1500)))
    scores = rng.normal(size=1500)
    picked = select_diverse(fingerprints, scores, 200, 0.75, method=method)
    distance = tanimoto_distance(fingerprints, fingerprints)
    assert 40 < len(picked) < 200
    assert (distance[np.ix_(picked, picked)] + np.eye(len(picked)) >= 0.75).all()
    left = np.setdiff1d(np.arange(1500), picked)
    assert (distance[np.ix_(left, picked)].min(axis=1) < 0.75).all()
    if method == "greedy":
        assert all(scores[i] >= scores[j] for i, j in pairwise(picked))


@pytest.mark.parametrize("method", METHODS)
def test_blocks_do_not_matter_and_no_more_are_made_than_needed(method):
    rng = np.random.default_rng(1)
    fingerprints = packed(*(set(rng.integers(0, 60, 12).tolist()) for _ in range(400)))
    scores = np.sort(rng.normal(size=400))[::-1]
    made = []

    def blocks(size):
        for start in range(0, 400, size):
            made.append(start)
            rows = np.arange(start, min(start + size, 400))
            yield Candidates(rows, fingerprints[rows], scores[rows])

    expected = select_diverse(fingerprints, scores, 5, 0.7, method=method)
    for size in (1, 7, 400):
        assert select_from_blocks(blocks(size), 5, 0.7, method=method).picked == expected
    made.clear()
    select_from_blocks(blocks(10), 5, 0.7, method=method)
    assert max(made) <= 50


def test_groups_are_asked_for_only_before_a_pick():
    fingerprints = packed({0}, {0}, {1}, {2})
    block = Candidates(np.array([7, 8, 9, 11]), fingerprints, np.array([4.0, 3.0, 2.0, 1.0]))
    asked = []

    def group_of(index):
        asked.append(index)
        return "a" if index < 10 else "b"

    subset = select_from_blocks([block], 3, 0.5, group_of=group_of, max_per_group=1)
    assert (subset.picked, subset.n_over_cap, asked) == ([7, 11], 1, [7, 9, 11])


def test_calls_that_make_no_sense():
    fingerprints, scores = packed({0}, {1}), np.ones(2)
    with pytest.raises(ValueError, match="2 fingerprints, but scores of shape"):
        select_diverse(fingerprints, scores[:1], 2, 0.6)
    with pytest.raises(ValueError, match="2 fingerprints, but 1 groups"):
        select_diverse(fingerprints, scores, 2, 0.6, groups=["a"])
    with pytest.raises(ValueError, match="a cap needs groups"):
        select_diverse(fingerprints, scores, 2, 0.6, max_per_group=1)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        select_diverse(fingerprints, scores, 2, 0.6, groups=["a", "b"], max_per_group=0)
    with pytest.raises(ValueError, match="greedy, max_min, log_det, got 'best'"):
        select_diverse(fingerprints, scores, 2, 0.6, method="best")
