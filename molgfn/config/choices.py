"""Names that a user chooses from; what implements them registers under the same names."""

from __future__ import annotations

from typing import Literal

#: Which values are good.
Direction = Literal["maximise", "minimise"]
#: What factors that read the proxy make of its uncertainty (:mod:`molgfn.reward.acquisition`).
AcquisitionKind = Literal["greedy", "ucb", "log_ei", "thompson"]
#: How diverse molecules are chosen (:mod:`molgfn.chem.diverse_subset`).
SelectionMethod = Literal["greedy", "max_min", "log_det"]
#: What a policy is trained to balance (:mod:`molgfn.gfn.balance`).
TrainingObjective = Literal[
    "vargrad",
    "trajectory_balance",
    "sub_trajectory_balance",
    "detailed_balance",
    "flow_matching",
]


def sign(direction: Direction) -> float:
    """Factor that makes higher values the better ones: 1 or -1."""
    return 1.0 if direction == "maximise" else -1.0
