import pytest

from molgfn.config.reward_schema import FactorConfig, RewardConfig
from molgfn.errors import ConfigError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"transform": "sigmod"}, "unknown transform 'sigmod'.*did you mean sigmoid"),
        ({"transform": "identity", "direction": "up"}, "unknown direction 'up'"),
        ({"transform": "window", "direction": "minimise"}, "a window has no direction"),
        ({"transform": "sigmoid", "low": 1.0}, "needs low, high; high is missing"),
        ({"transform": "sigmoid", "low": 2.0, "high": 1.0}, "low must be below high"),
        ({"transform": "identity", "low": 2.0}, "takes no parameter; remove low"),
        (
            {"transform": "decay", "limit": 1.0, "softness": 0.0},
            "softness must be at least 1e-09, got 0.0",
        ),
        ({"transform": "identity", "weight": 0.0}, "weight must be at least 1e-09"),
        ({"transform": "identity", "weight": float("nan")}, "weight must be a number, got nan"),
        ({"transform": "identity", "timeout_s": -1.0}, "timeout_s must be at least 0.001"),
        (
            {"transform": "sigmoid", "low": 1.0, "high": float("inf")},
            "high must be at most 1000000000000, got inf",
        ),
    ],
)
def test_a_wrong_factor_is_refused_by_name(arguments, message):
    with pytest.raises(ConfigError, match=f"factor 'drug': .*{message}"):
        FactorConfig("QED", name="drug", **arguments)


@pytest.mark.parametrize("scorer", ["", " ", "command:", "command: "])
def test_a_factor_needs_a_scorer(scorer):
    with pytest.raises(ConfigError, match="a scorer is missing"):
        FactorConfig(scorer, "identity")


def test_a_reward_needs_factors_of_distinct_names():
    with pytest.raises(ConfigError, match="factors is empty"):
        RewardConfig(factors=())
    with pytest.raises(ConfigError, match="two factors are called 'QED'"):
        RewardConfig(factors=(FactorConfig("QED", "identity"), FactorConfig("QED", "identity")))


@pytest.mark.parametrize("floor", [0.0, 1.0, -1.0])
def test_the_floor_lies_between_0_and_1(floor):
    with pytest.raises(ConfigError, match=r"reward\.floor must be (at least 1e-300|below 1), got"):
        RewardConfig(floor=floor)
