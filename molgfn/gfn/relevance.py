"""Weights of trajectories in the loss: by how probable their ends are or ought to be."""

from __future__ import annotations

import torch
from torch import Tensor

from molgfn.gfn.segments import group_max, group_mean


def relevance(log_p: Tensor, log_reward: Tensor, group: Tensor, half_weight_nats: float) -> Tensor:
    r"""Weigh trajectories by the larger of the reward of their end and its probability.

    .. math:: w_i = \frac{1}{1 + d_i / h}, \quad
              d_i = \max_j \log R_j - \max(\log R_i,\ \log Z + \log p_i)

    An end that is improbable under both matters little, however much the two differ; one that the
    policy draws too often matters as much as a good one. Any positive weights leave the optimum
    where it is.

    Args:
        log_p: log P_F - log P_B of every trajectory, an estimate of log p of its end, shape
            ``(B,)``, nats.
        log_reward: log R of its end, shape ``(B,)``, nats.
        group: Group of every trajectory, shape ``(B,)``.
        half_weight_nats: h, how many nats below the best of its group an end counts half.

    Returns:
        Weights in (0, 1], shape ``(B,)``.
    """
    best = group_max(log_reward, group)[group]
    # A first log Z, from the reward alone, shows which ends the policy draws too often.
    first = 1 / (1 + (best - log_reward) / half_weight_nats)
    log_z = group_mean(log_reward - log_p, group, first)[group]
    deficit = best - torch.maximum(log_reward, log_z + log_p)
    return 1 / (1 + deficit.clamp(min=0) / half_weight_nats)
