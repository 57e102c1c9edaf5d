import pytest
import torch

from molgfn.gfn.objectives.trajectory_balance import trajectory_balance
from molgfn.gfn.objectives.vargrad import vargrad
from molgfn.gfn.segments import group_mean


def test_trajectory_balance_by_hand():
    residual = trajectory_balance(
        torch.tensor([-2.0, -1.0]),
        torch.tensor([-0.5, -1.5]),
        torch.tensor([-3.0, 1.0]),
        torch.tensor([0.5, 0.5]),
    )
    # 0.5 - 2 + 3 + 0.5 and 0.5 - 1 - 1 + 1.5
    assert residual.tolist() == [2.0, 0.0]


def test_vargrad_is_trajectory_balance_with_the_groups_own_log_z():
    log_pf = torch.tensor([-2.0, -1.0, -4.0])
    log_pb = torch.tensor([-0.5, -1.5, -1.0])
    log_reward = torch.tensor([-3.0, 1.0, -2.0])
    group = torch.tensor([0, 0, 1])
    # zeta = -1.5, 0.5, 1.0; group means -0.5 and 1.0
    log_z = torch.tensor([-0.5, -0.5, 1.0])
    residual = vargrad(log_pf, log_pb, log_reward, group, torch.ones(3))
    assert residual.tolist() == [1.0, -1.0, 0.0]
    assert torch.equal(residual, trajectory_balance(log_pf, log_pb, log_reward, log_z))


def test_the_group_mean_is_held_constant():
    log_pf = torch.tensor([-2.0, -1.0], requires_grad=True)
    group = torch.zeros(2, dtype=torch.long)
    vargrad(log_pf, torch.zeros(2), torch.zeros(2), group, torch.ones(2)).sum().backward()
    assert log_pf.grad.tolist() == [1.0, 1.0]


def test_the_log_z_of_a_group_is_its_weighted_mean():
    log_pf = torch.tensor([-2.0, -1.0])
    # zeta = 2 and 1; weights 3 to 1 give log Z = 1.75
    weight = torch.tensor([3.0, 1.0])
    group = torch.zeros(2, dtype=torch.long)
    residual = vargrad(log_pf, torch.zeros(2), torch.zeros(2), group, weight)
    assert residual.tolist() == [-0.25, 0.75]


def test_group_mean_of_an_empty_group_is_zero():
    assert group_mean(torch.tensor([3.0, 5.0]), torch.tensor([0, 2])).tolist() == [3.0, 0.0, 5.0]


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"one shape \(B,\).*'log_z': \(1,\)"):
        trajectory_balance(torch.zeros(2), torch.zeros(2), torch.zeros(2), torch.zeros(1))
