"""Names that a user may choose are those that something implements."""

from typing import get_args, get_type_hints

import pytest

from molgfn.chem.diverse_subset import _WAYS
from molgfn.config.choices import (
    AcquisitionKind,
    Direction,
    SelectionMethod,
    TrainingObjective,
    sign,
)
from molgfn.config.reward_schema import TRANSFORM_PARAMETERS, AcquisitionConfig
from molgfn.config.rounds_schema import RoundsConfig
from molgfn.gfn.balance import OBJECTIVES
from molgfn.reward.acquisition import ACQUISITIONS
from molgfn.reward.transforms import TRANSFORMS


@pytest.mark.parametrize(
    ("choices", "implemented"),
    [
        (get_args(AcquisitionKind), ACQUISITIONS),
        (get_args(SelectionMethod), _WAYS),
        (get_args(TrainingObjective), OBJECTIVES),
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
