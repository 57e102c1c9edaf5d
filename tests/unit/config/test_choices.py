"""Names that a user may choose are those that something implements."""

from typing import get_args, get_type_hints

import pytest

from molgfn.chem.diverse_subset import _WAYS
from molgfn.config.choices import (
    AcquisitionKind,
    Direction,
    SelectionMethod,
    sign,
    training_objectives,
)
from molgfn.config.reward_schema import TRANSFORM_PARAMETERS, AcquisitionConfig
from molgfn.config.rounds_schema import RoundsConfig
from molgfn.config.schema import TrainConfig
from molgfn.errors import ConfigError
from molgfn.gfn.objectives import find_objective
from molgfn.reward.acquisition import ACQUISITIONS
from molgfn.reward.transforms import TRANSFORMS


@pytest.mark.parametrize(
    ("choices", "implemented"),
    [
        (get_args(AcquisitionKind), ACQUISITIONS),
        (get_args(SelectionMethod), _WAYS),
        (TRANSFORM_PARAMETERS, TRANSFORMS),
    ],
)
def test_every_choice_is_implemented_and_everything_implemented_can_be_chosen(choices, implemented):
    assert list(choices) == list(implemented)


def test_rounds_offer_the_acquisitions_of_the_reward():
    hints = get_type_hints(RoundsConfig), get_type_hints(AcquisitionConfig)
    assert hints[0]["acquisition"] == hints[1]["kind"]


def test_the_sign_of_a_direction_makes_higher_values_better():
    assert {direction: sign(direction) for direction in get_args(Direction)} == {
        "maximise": 1.0,
        "minimise": -1.0,
    }


def test_an_objective_is_a_module_of_its_own():
    names = training_objectives()
    assert {"vargrad", "trajectory_balance", "flow_matching"} <= set(names)
    assert all(callable(find_objective(name)) for name in names)
    with pytest.raises(ConfigError, match="train.objective must be one of .*did you mean vargrad"):
        TrainConfig(objective="vargard")
