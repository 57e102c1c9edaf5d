"""Fits and estimates by hand, and every warning with numbers that cause it and that do not."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from molgfn.gfn.condition import Condition
from molgfn.gfn.metrics import Partition
from molgfn.gfn.weighed import Weighed
from molgfn.molecules.weighing import weigh
from molgfn.report.likelihood_fit import (
    estimate_partition,
    fit_measures,
    partition_measures,
    warn_of_collapse,
    warn_of_misfit,
    warn_of_repeats,
    warn_of_weights,
)


def weighed(log_p, log_reward, prefix="x"):
    keys = tuple(f"{prefix}{i}" for i in range(len(log_p)))
    return Weighed(keys, np.array(log_p, dtype=float), np.array(log_reward, dtype=float))


def estimate(log_z=0.0, effective_samples=1000.0):
    return Partition(log_z, log_z, log_z, 5.0, effective_samples)


def one_line(lines, *parts):
    (line,) = lines
    assert line.startswith("warning: ")
    assert "\n" not in line
    for part in parts:
        assert part in line


def test_held_out_states_are_distinct_scored_and_unseen():
    drawn = Weighed(("c", "a", "b", "a", "d"), np.arange(5.0), np.array([1, 2, np.nan, 2, 4.0]))
    kept = drawn.unseen({"d", "z"})
    assert kept.keys == ("c", "a")
    assert kept.log_p.tolist() == [0, 1]
    assert kept.log_reward.tolist() == [1, 2]
    assert len(drawn.unseen(drawn.keys)) == 0


def test_sets_are_joined():
    both = Weighed.cat([weighed([1, 2], [3, 4]), weighed([5], [6])])
    assert both.keys == ("x0", "x1", "x0")
    assert (both.log_p.tolist(), both.log_reward.tolist()) == ([1, 2, 5], [3, 4, 6])
    assert len(Weighed.cat([])) == 0


def test_a_perfect_sampler_fits_perfectly():
    log_reward = [-3.0, -1.0, -2.0, -7.0]
    measures = fit_measures(weighed([x - 4.0 for x in log_reward], log_reward))
    assert list(measures) == [
        "held-out molecules",
        "slope of log p against log R",
        "Pearson of log p with log R",
        "Spearman of log p with log R",
        "rmse of log p - log R",
    ]
    assert list(measures.values()) == pytest.approx([4, 1, 1, 1, 0])


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_states_have_no_fit(n):
    count, *rest = fit_measures(weighed([-1.0, -2.0][:n], [-1.0, -2.0][:n])).values()
    assert count == n
    assert all(math.isnan(x) for x in rest)


def test_log_z_is_over_what_could_be_scored():
    """p is a half, a quarter, a quarter; the last one has no score; R is 2 and 1."""
    log_p = np.log([0.5, 0.5, 0.25, 0.25])
    found = estimate_partition(Weighed(("a", "a", "b", "c"), log_p, np.log([2, 2, 1, math.nan])))
    assert found is not None
    # Among the scored draws p is 2/3 and 1/3, in exact proportion to R.
    assert found.log_z == pytest.approx(math.log(3))
    assert found.lower == pytest.approx(math.log(3))
    assert found.upper == pytest.approx(math.log(3))
    assert found.effective_samples == pytest.approx(3)
    assert partition_measures(found) == {
        "log Z": found.log_z,
        "log Z lower bound (ELBO)": found.lower,
        "log Z upper bound (EUBO)": found.upper,
        "entropy of the sampler, nats": found.entropy,
        "effective sample size": found.effective_samples,
    }


def test_without_a_score_nothing_is_known_of_log_z():
    draws = weighed([-1.0, -2.0], [math.nan, math.nan])
    assert estimate_partition(draws) is None
    assert partition_measures(None) == {}
    one_line(warn_of_weights(draws, None), "no draw of the policy could be scored")
    assert warn_of_collapse(draws, weighed([], []), set(), None) == []


def test_repeats_are_warned_of():
    assert warn_of_repeats(0.5) == []
    one_line(warn_of_repeats(0.31), "only 0.31", "limit 0.5", "lower --beta")


@pytest.mark.parametrize(
    ("slope", "n", "what"),
    [(0.7, 10, "flatter"), (1.3, 10, "steeper"), (0.8, 10, ""), (1.2, 10, ""), (0.1, 9, ""),
     (math.nan, 50, "")],
)  # fmt: skip
def test_a_wrong_slope_is_warned_of(slope, n, what):
    measures = {"held-out molecules": float(n), "slope of log p against log R": slope}
    lines = warn_of_misfit(measures)
    if what:
        one_line(lines, f"is {slope:.2f} over 10", "0.8 to 1.2", what, "train.steps")
    else:
        assert lines == []


def test_a_small_effective_sample_size_is_warned_of():
    draws = weighed([-5.0] * 99, [-5.0] * 99)
    one_line(
        warn_of_weights(draws, estimate(effective_samples=99)),
        "is 99 of 99 draws", "limit 100", "log Z and its upper bound are rough", "--n",
    )  # fmt: skip
    assert warn_of_weights(draws, estimate(effective_samples=100)) == []


def test_weight_on_few_draws_is_warned_of():
    """Two of 200 draws weigh e^6 or e^4.5 each, the others 1 each: 0.80 or 0.48 of all."""
    heavy, light = (weighed([0.0] * 200, [top, top, *([0.0] * 198)]) for top in (6.0, 4.5))
    one_line(
        warn_of_weights(heavy, estimate()),
        "2 of 200 draws carry 0.80", "limit 0.5", "misses much of the target",
    )  # fmt: skip
    assert warn_of_weights(light, estimate()) == []


def test_below_100_draws_there_is_no_top_percent():
    assert warn_of_weights(weighed([0.0] * 99, [50.0, *([0.0] * 98)]), estimate()) == []


#: The policy's own draws: log R of -4 to 0, the lower quartile is -3.
DRAWS = weighed([-6, -6, -6, -6, -6], [-4, -3, -2, -1, 0], "own")


def test_good_molecules_left_out_are_mode_collapse():
    missed = weighed([-14.0] * 10, [-3.0] * 10)
    lines = warn_of_collapse(DRAWS, missed, set(), estimate(log_z=5.0))
    one_line(lines, "mode collapse", "-6.0 nats", "limit -5", "over 10 good", "train longer")


@pytest.mark.parametrize(
    ("others", "seen"),
    [
        (weighed([-13.0] * 10, [-3.0] * 10), set()),  # at the limit
        (weighed([-14.0] * 9, [-3.0] * 9), set()),  # too few to tell
        (weighed([-14.0] * 10, [-3.1] * 10), set()),  # not good
        (weighed([-14.0] * 10, [-3.0] * 10), {"x0"}),  # one of them not held out
        (weighed([-14.0] * 10, [math.nan] * 10), set()),  # not scored
    ],
)
def test_what_is_no_mode_collapse(others, seen):
    assert warn_of_collapse(DRAWS, others, seen, estimate(log_z=5.0)) == []


def test_what_the_policy_proposed_is_not_missed():
    draws = weighed([-14.0] * 20, [-3.0] * 20)
    assert warn_of_collapse(draws, draws, set(), estimate(log_z=5.0)) == []


class NumberStates:
    """States that are numbers."""

    device = torch.device("cpu")

    def __init__(self, values):
        self.values = torch.as_tensor(values)

    def __len__(self):
        return len(self.values)

    def __getitem__(self, index):
        return NumberStates(self.values[index])


def test_every_distinct_state_goes_through_the_policy_once(monkeypatch):
    asked = []

    def log_p(_env, _policy, states, condition):
        assert float(condition.beta) == 8
        asked.append(states.values.tolist())
        return -states.values.double()

    monkeypatch.setattr("molgfn.molecules.weighing.log_likelihood", log_p)
    monkeypatch.setattr("molgfn.molecules.weighing.TERMINAL_CHUNK", 2)
    joined = SimpleNamespace(
        cat=lambda parts: NumberStates(torch.cat([part.values for part in parts]))
    )
    monkeypatch.setattr("molgfn.molecules.weighing.FragmentStates", joined)
    env = SimpleNamespace(keys=lambda states: [str(x) for x in states.values.tolist()])
    sampler = SimpleNamespace(env=env, policy=None)
    states = {"a": NumberStates([3, 1, 3]), "b": NumberStates([1, 7]), "c": NumberStates([])}
    target = {"a": np.array([0.3, 0.1, 0.3]), "b": np.array([0.1, 0.7]), "c": np.zeros(0)}
    found = weigh(sampler, states, target, condition=Condition.of(8))
    assert asked == [[3, 1], [7]]
    assert found["a"].keys == ("3", "1", "3")
    assert found["a"].log_p.tolist() == [-3, -1, -3]
    assert found["b"].log_p.tolist() == [-1, -7]
    assert found["b"].log_reward.tolist() == [0.1, 0.7]
    assert len(found["c"]) == len(found["c"].log_p) == 0
