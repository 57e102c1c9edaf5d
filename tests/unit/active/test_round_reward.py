import pytest

from molgfn.active.round_reward import check_round_reward, round_reward
from molgfn.config.loader import load_config
from molgfn.errors import ConfigError, MolgfnError

READS = "{scorer: proxy, transform: sigmoid, low: 5, high: 8, direction: maximise}"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["reward.guard.kappa=1"], "reward.guard.kappa makes the reward wary"),
        (
            [f"reward.factors=[{READS}, {{scorer: 'no_such_module:score', transform: identity}}]"],
            "cannot import the scorer 'no_such_module:score'",
        ),
        (
            [f"reward.factors=[{READS}, {{scorer: QEDD, transform: identity}}]"],
            "unknown scorer 'QEDD'",
        ),
        (
            [
                f"reward.factors=[{READS}, {{scorer: MW, transform: size_corrected, low: 0, "
                "high: 1}]"
            ],
            "size_corrected compares with the proxy's training set",
        ),
        (
            [
                "rounds.acquisition=log_ei",
                f"reward.factors=[{READS}, {{scorer: proxy, transform: sigmoid, low: 5, high: 8, "
                "direction: minimise, name: other}]",
            ],
            "in one direction, got two directions",
        ),
    ],
)
def test_a_reward_that_no_round_could_build_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        check_round_reward(load_config(None, settings))


def test_a_program_that_is_not_there_is_found_out():
    factor = "{scorer: 'command: ./no_such_program', transform: identity, name: absent}"
    config = load_config(None, [f"reward.factors=[{READS}, {factor}]"])
    with pytest.raises(MolgfnError, match="no_such_program"):
        check_round_reward(config)


def test_a_guard_is_fine_with_the_acquisition_that_seeks_no_uncertainty():
    config = load_config(None, ["reward.guard.kappa=1", "rounds.acquisition=greedy"])
    check_round_reward(config)
    reward = round_reward(config, "somewhere", 1.5)
    assert (reward.proxy, reward.acquisition.kind) == ("somewhere", "greedy")
    assert reward.acquisition.power == config.train.beta_max
