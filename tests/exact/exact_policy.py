"""The exact flow of a listed space as a policy that the trainer's code can ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from exact_flow import exact_log_flow, exact_log_pf, exact_log_stop
from torch import Tensor

from molgfn.config.schema import TrainConfig
from molgfn.gfn.balance import Residuals, evaluate
from molgfn.gfn.condition import Condition
from molgfn.gfn.objectives import find_objective
from molgfn.gfn.space import Space
from molgfn.gfn.trajectories import Trajectories


@dataclass
class TableDistribution:
    policy: TablePolicy
    states: Any
    log_flow: Tensor

    def sample(self, index: Tensor, generator: torch.Generator, epsilon: Tensor | None) -> Tensor:
        raise NotImplementedError

    def log_prob(self, actions: Tensor, index: Tensor | None = None) -> Tensor:
        states = self.states if index is None else self.states[index]
        following = self.policy.env.step(states, actions)
        parents, children = self.policy.numbers(states), self.policy.numbers(following)
        # A parent found by a backward step is numbered unlike its representative, so an action
        # is looked up by the edge it takes, which its last number (the entry) completes.
        found = [
            self.policy.log_stop[parent]
            if stopped
            else self.policy.log_pf[parent, child, int(action[-1])]
            for parent, child, action, stopped in zip(
                parents, children, actions, following.stopped.tolist(), strict=True
            )
        ]
        return torch.tensor(found, dtype=torch.float64)


class TablePolicy:
    """P_F and F of the exact flow of one reward."""

    def __init__(
        self,
        env: Any,
        space: Space[Any],
        numbers: Callable[[Any], list[int]],
        log_reward: Tensor,
    ) -> None:
        self.env, self.numbers = env, numbers
        log_flow = exact_log_flow(space, log_reward)
        self.log_z = log_flow[0]
        # The policy of the package learns flows up to the symmetry potential, relative to Z.
        self.log_flow = log_flow + space.log_symmetry - self.log_z
        child = space.edge_child[space.action_edge].tolist()
        entry = space.actions[:, -1].tolist()
        edges = zip(space.action_state.tolist(), child, entry, strict=True)
        self.log_pf = dict(zip(edges, exact_log_pf(space, log_flow).tolist(), strict=True))
        stops = exact_log_stop(space, log_flow, log_reward).tolist()
        self.log_stop = dict(zip(space.terminal.tolist(), stops, strict=True))

    def __call__(self, states: Any, condition: Condition) -> TableDistribution:
        return TableDistribution(self, states, self.log_flow[torch.tensor(self.numbers(states))])


def absolute_residuals(
    objective: str, env: Any, policy: TablePolicy, batch: Trajectories[Any], log_reward: Tensor
) -> Tensor:
    """Residuals that count, along trajectories whose log-rewards are known."""
    n = len(batch)
    evaluated = evaluate(
        env,
        policy,
        batch,
        condition=Condition.of(1.0, n),
        group=torch.zeros(n, dtype=torch.long),
        log_reward=log_reward,
        log_z=policy.log_z.expand(n),
    )
    found: Residuals = find_objective(objective)(evaluated, TrainConfig(objective=objective))
    assert (found.weight > 0).sum() >= n
    return found.value[found.weight > 0].abs()
