import pytest

from molgfn.active.round_reward import check_round_reward, round_reward
from molgfn.config.loader import load_config
from molgfn.errors import ConfigError


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("reward.guard.kappa=1", "rounds.acquisition ucb|reward.guard.kappa"),
        (
            "reward.factors=[{scorer: proxy, transform: sigmoid, low: 5, high: 8, direction: "
            "maximise}, {scorer: 'no_such_module:score', transform: identity}]",
            "cannot import the scorer 'no_such_module:score'",
        ),
        (
            "reward.factors=[{scorer: proxy, transform: sigmoid, low: 5, high: 8, direction: "
            "maximise}, {scorer: QEDD, transform: identity}]",
            "unknown scorer 'QEDD'",
        ),
    ],
)
def test_a_reward_that_no_round_could_build_is_refused(setting, message):
    with pytest.raises(ConfigError, match=message):
        check_round_reward(load_config(None, [setting]))


def test_a_guard_is_fine_with_the_acquisition_that_seeks_no_uncertainty():
    config = load_config(None, ["reward.guard.kappa=1", "rounds.acquisition=greedy"])
    check_round_reward(config)
    reward = round_reward(config, "somewhere", 1.5)
    assert (reward.proxy, reward.acquisition.kind) == ("somewhere", "greedy")
    assert reward.acquisition.power == config.train.beta_max
