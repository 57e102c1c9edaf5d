"""The reward has one formula: factors in, log R out, for every condition."""

import math

import pytest
import torch

from molgfn.gfn.condition import Condition
from molgfn.gfn.target import Target


class Given(Target):
    """Nothing but what a target must have."""

    def log_parts(self, states):
        return states


class Ensemble(Given):
    member_power = 4.0


FLOOR = -300.0


def log_reward(parts, condition, base=None, target=None):
    target = Given() if target is None else target
    base = torch.zeros(len(parts)) if base is None else base
    return target.log_reward(parts, base, condition, FLOOR)


def test_one_objective_is_beta_times_its_log_to_the_last_bit():
    parts = -torch.rand(100, 1) * 9
    asked = Condition.at(torch.linspace(0, 4, 100))
    expected = (asked.log_beta.exp() * parts[:, 0]).clamp(min=FLOOR)
    assert log_reward(parts, asked).equal(expected)
    exact = parts.double()
    assert log_reward(exact, Condition.of(32.0, 100)).equal((32.0 * exact[:, 0]).clamp(min=FLOOR))


def test_floor_comes_before_the_base_and_a_failure_stays_missing():
    parts = torch.tensor([[-1.0], [-2.0], [math.nan], [-20.0]])
    found = log_reward(parts, Condition.of(32.0, 4), -torch.tensor([1.0, 2, 1, 4]).log())
    assert found[:2].tolist() == pytest.approx([-32, -64 - math.log(2)])
    assert found[2].isnan()
    assert float(found[3]) == pytest.approx(FLOOR - math.log(4))


def test_equal_weights_are_the_product_and_a_corner_is_one_objective():
    parts = torch.tensor([[-1.0, -2.0, -4.0]])
    assert log_reward(parts, Condition.of(2.0, weights=(5, 5, 5))).tolist() == pytest.approx([-14])
    assert log_reward(parts, Condition.of(2.0, weights=(0, 0, 1))).tolist() == pytest.approx([-24])


@pytest.mark.parametrize(
    ("parts", "asked", "multiplicity", "message"),
    [
        ((2, 1), Condition.of(1.0, 2, weights=(1, 1)), (2,), "2 weights for 1 objectives"),
        ((2, 3), Condition.of(1.0, 2), (2,), "1 weights for 3 objectives"),
        ((2, 5, 3), Condition.of(1.0, 2), (2,), "1 weights for 3 objectives"),
        ((2, 1), Condition.of(1.0), (2,), "do not match"),
        ((2, 1), Condition.of(1.0, 2), (2, 1), "do not match"),
        ((2, 1), Condition.of(1.0, 2), (1,), "do not match"),
    ],
)
def test_nothing_is_stretched_to_fit(parts, asked, multiplicity, message):
    with pytest.raises(ValueError, match=message):
        log_reward(-torch.ones(parts), asked, torch.zeros(multiplicity))


def test_members_sum_their_own_objectives_before_they_are_combined():
    torch.manual_seed(0)
    parts = -torch.rand(50, 3, 2, dtype=torch.float64) * 5
    asked = Condition.of(1.0, 50, weights=(1, 3))
    by_member = (parts * torch.tensor([0.5, 1.5])).sum(2)
    expected = (by_member * 4).exp().mean(1).log() / 4
    found = log_reward(parts, asked, target=Ensemble())
    torch.testing.assert_close(found, expected)
    # The control: members averaged objective by objective lose what goes together.
    averaged = (parts * 4).exp().mean(1).log() / 4
    assert not torch.allclose(log_reward(averaged, asked), expected, atol=0.01)


def test_a_stub_needs_parts_alone():
    stub = Given()
    batches = [torch.zeros(2, 1), torch.ones(1, 1)]
    assert [b.equal(f) for b, f in zip(batches, stub.log_parts_of(batches), strict=True)] == [1, 1]
    assert stub.objectives == ("Score",)
    assert stub.log_multiplicity(batches[0]).tolist() == [0, 0]
    assert stub.statistics() == stub.state_dict() == {}
    stub.load_state_dict({})
