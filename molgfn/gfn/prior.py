"""A prior: the law of a policy, which is a factor of what another one is trained on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Generic

import torch
from torch import Tensor

from molgfn.gfn.condition import Condition
from molgfn.gfn.distinct import distinct_states
from molgfn.gfn.environment import Environment, S
from molgfn.gfn.likelihood import log_likelihood
from molgfn.gfn.policy import Policy
from molgfn.gfn.trajectories import Trajectories
from molgfn.machine.remembered import MemoryStore, Remembered, in_order

#: States whose log p0 is remembered.
CACHE_CAPACITY = 200_000


class Prior(Generic[S]):
    r"""p0, the law of a policy, and alpha, its exponent: the target is p0(x)^alpha R(x).

    In the balance equations P_F0, the forward policy of the prior, takes the place of P_B. The
    symmetry of states does not appear: the same actions stand on both sides (CONDITIONS.md,
    section 6). For alpha = 1 this is relative trajectory balance; else p0(x)^(alpha - 1), exact,
    is a factor of the reward:

    .. math:: Z \prod_t P_F = \prod_t P_{F0} \cdot p_0(x)^{\alpha - 1} R(x)

    Summed over all ways to x, p(x) is in proportion to p0(x)^alpha R(x). The power of the product
    alone, without the second factor, would sum p0(tau)^alpha over the ways, which is another law.

    References:
        Venkatraman et al. 2024, Amortizing intractable inference in diffusion models, which has
        alpha = 1. https://arxiv.org/abs/2405.20971
    """

    def __init__(
        self, env: Environment[S], policy: Policy[S], condition: Condition, weight: float
    ) -> None:
        """Hold a policy that does not change from now on.

        Args:
            env: Its environment, with the symmetry correction on.
            policy: The policy, giving equivalent actions the same probability.
            condition: The single condition under which its law is p0.
            weight: alpha.
        """
        self.weight = weight
        self._env, self._policy, self._condition = env, policy, condition
        self._decide = policy.prepare()
        self._known: Remembered[str, float] = Remembered(MemoryStore(CACHE_CAPACITY))

    @torch.no_grad()
    def log_pf(self, batch: Trajectories[S]) -> Tensor:
        """Log P_F0 of every transition, shape ``(T,)``, nats."""
        states, index, _ = distinct_states(batch.states, torch.zeros_like(batch.trajectory))
        distribution = self._decide(states, self._condition.repeat(len(states)))
        return distribution.log_prob(batch.actions, index)

    def log_p(self, states: S) -> Tensor:
        """Exact log p0 of terminal states, shape ``(B,)``, float64, nats, on the CPU."""
        keys = self._env.keys(states)
        place = {key: i for i, key in reversed(list(enumerate(keys)))}

        def compute(missing: Iterator[str]) -> Generator[tuple[str, float], None, None]:
            fresh = list(missing)
            index = torch.tensor([place[key] for key in fresh], dtype=torch.long)
            chosen = states[index.to(states.device)]
            found = log_likelihood(self._env, self._policy, chosen, self._condition)
            yield from zip(fresh, found.tolist(), strict=True)

        found = in_order(keys, self._known(keys, compute))
        return torch.tensor(list(found), dtype=torch.float64)

    def log_factor(self, states: S) -> Tensor:
        """Log p0(x)^alpha, what multiplies the reward, shape ``(B,)``, nats, on the CPU."""
        return self.weight * self.log_p(states)

    def log_rest(self, batch: Trajectories[S]) -> Tensor:
        """Log p0(x)^(alpha - 1), what P_F0 leaves of the factor, shape ``(B,)``, nats, CPU."""
        if self.weight == 1.0:
            return torch.zeros(len(batch), dtype=torch.float64)
        return (self.weight - 1) * self.log_p(batch.terminal)
