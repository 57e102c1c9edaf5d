import math

import torch

from molgfn.gfn.relevance import relevance

GROUP = torch.zeros(3, dtype=torch.long)


def test_the_best_counts_in_full_and_one_at_half_weight_half():
    # The policy agrees with the reward, log Z = 2.
    log_reward = torch.tensor([0.0, -10.0, -30.0])
    weight = relevance(log_reward - 2, log_reward, GROUP, 10.0)
    torch.testing.assert_close(weight, torch.tensor([1.0, 1 / 2, 1 / 4]))


def test_a_poor_end_that_the_policy_draws_often_counts_in_full():
    log_reward = torch.tensor([0.0, 0.0, -30.0])
    honest = relevance(torch.tensor([0.0, 0.0, -30.0]), log_reward, GROUP, 1e-3)
    fooled = relevance(torch.tensor([0.0, 0.0, 5.0]), log_reward, GROUP, 1e-3)
    assert honest[2] < 1e-3
    assert fooled[2] == 1


def test_groups_do_not_mix_and_without_a_half_weight_all_count_alike():
    log_reward = torch.tensor([0.0, -50.0])
    apart = relevance(torch.zeros(2), log_reward, torch.tensor([0, 1]), 10.0)
    alike = relevance(torch.zeros(2), log_reward, torch.tensor([0, 0]), math.inf)
    assert apart.tolist() == alike.tolist() == [1.0, 1.0]
