import math

import pytest

from molgfn.config.loader import dump_config, load_config
from molgfn.config.rounds_schema import OracleConfig, RoundsConfig
from molgfn.errors import ConfigError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rounds": -1}, "rounds.rounds must be at least 0, got -1"),
        ({"batch_size": 0}, "rounds.batch_size must be at least 1"),
        ({"initial_size": 0}, "rounds.initial_size must be at least 1"),
        ({"budget": -1}, "rounds.budget must be at least 0"),
        ({"exploration": math.nan}, "rounds.exploration must be a number, got nan"),
        ({"candidates": 10}, r"rounds.candidates must be at least rounds.batch_size \(200\)"),
        ({"beta": 0.0}, "rounds.beta must be at least 0.001"),
        ({"min_distance": 1.5}, "rounds.min_distance must be at most 1"),
        ({"max_per_scaffold": 0}, "rounds.max_per_scaffold must be at least 1"),
        ({"warm_steps": 0}, "rounds.warm_steps must be at least 1"),
        ({"proxy_members": 1}, "rounds.proxy_members must be at least 2"),
        ({"proxy_epochs": 0}, "rounds.proxy_epochs must be at least 1"),
        ({"oracle": OracleConfig("lab", column="x")}, "rounds.initial is missing"),
    ],
)
def test_rounds_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        RoundsConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scorer": " "}, "rounds.oracle.scorer must not be empty"),
        ({"column": ""}, "rounds.oracle.column must not be empty"),
        ({"scorer": "lab"}, "rounds.oracle.column is missing"),
        ({"molecules_per_call": 0}, "molecules_per_call must be at least 1"),
        ({"timeout_s": math.inf}, "timeout_s must be at most 2000000, got inf"),
        ({"tries": 0}, "rounds.oracle.tries must be at least 1"),
    ],
)
def test_an_oracle_out_of_range_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        OracleConfig(**settings)


def test_the_beta_of_the_rounds_lies_where_the_policy_was_trained():
    with pytest.raises(ConfigError, match=r"rounds.beta must lie .* \(4 to 32\), got 64"):
        load_config(None, ["rounds.beta=64"])
    assert load_config(None, ["rounds.beta=64", "train.beta_max=64"]).rounds.beta == 64


def test_a_configuration_of_rounds_reads_back(tmp_path):
    config = load_config(
        None,
        [
            "rounds.budget=700",
            "rounds.oracle={scorer: lab, column: IC50, scale: log10, unit: uM}",
            "rounds.initial=known.csv",
            "rounds.acquisition=log_ei",
            "reward.acquisition={kind: ucb, exploration: 1.0}",
        ],
    )
    (tmp_path / "run.yaml").write_text(dump_config(config))
    assert load_config(tmp_path / "run.yaml") == config
