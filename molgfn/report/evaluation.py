"""How good a policy's molecules are, beside random legal trajectories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from molgfn.baselines.uniform import UniformPolicy
from molgfn.chem.molecule import Molecule
from molgfn.chem.similarity import mean_pairwise_similarity, morgan_fingerprints, n_circles
from molgfn.reward.proxy.evaluation import spearman
from molgfn.reward.reward import Reward, build_reward
from molgfn.runs.components import seeded
from molgfn.runs.sampler import Sampler

#: Distance of the #Circles diversity measure.
CIRCLE_DISTANCE = 0.7


def compare_with_random(sampler: Sampler, n: int, *, beta: float, seed: int) -> pd.DataFrame:
    """Draw n trajectories from random legal actions and from the policy, and describe both.

    Args:
        sampler: The trained policy.
        n: Trajectories of each; repeats are kept, so that they count against the policy.
        beta: Exponent of the reward the policy is asked for.
        seed: Seed of both draws.

    Returns:
        One row per measure, columns ``random`` and ``trained``.
    """
    reward = build_reward(sampler.config.reward)
    uniform = replace(sampler, policy=UniformPolicy(sampler.env))
    columns = {}
    for name, source in (("random", uniform), ("trained", sampler)):
        generator = seeded(seed, source.env.device)
        molecules = source.draw(n, beta, generator=generator)
        columns[name] = describe(molecules, reward)
    return pd.DataFrame(columns)


def describe(molecules: list[Molecule], reward: Reward) -> dict[str, float]:
    """Describe a set of molecules in the measures of the field.

    Args:
        molecules: At least two molecules, repeats allowed.
        reward: Scores them.

    Returns:
        Value by name of the measure; means are over distinct molecules that could be scored.
    """
    distinct = list(dict.fromkeys(molecules))
    table = reward(distinct)
    scored = np.flatnonzero(~np.isnan(table.score))
    score = table.score[scored]
    sizes = np.array([distinct[i].n_heavy_atoms for i in scored], dtype=np.float64)
    fingerprints = morgan_fingerprints([distinct[i] for i in scored])
    measures = {
        "molecules": float(len(molecules)),
        "distinct fraction": len(distinct) / len(molecules),
        "failed to score": float(len(distinct) - len(scored)),
        "Score mean": float(score.mean()),
        "Score top-10": _top_mean(score, 10),
        "Score top-100": _top_mean(score, 100),
    }
    if reward.value_column is not None:
        value = table.columns[reward.value_column][scored]
        measures |= {
            f"{reward.value_column} mean": float(value.mean()),
            f"{reward.value_column} top-10 by Score": float(value[np.argsort(-score)[:10]].mean()),
            f"{reward.value_column} top-100 by Score": float(
                value[np.argsort(-score)[:100]].mean()
            ),
        }
    best = np.argsort(-score)[:100]
    return measures | {
        "heavy atoms mean": float(sizes.mean()),
        "Spearman of Score with heavy atoms": spearman(score, sizes),
        "mean pairwise Tanimoto similarity": mean_pairwise_similarity(fingerprints),
        "mean pairwise similarity of top-100": mean_pairwise_similarity(fingerprints[best]),
        f"#Circles at distance {CIRCLE_DISTANCE}": float(n_circles(fingerprints, CIRCLE_DISTANCE)),
    }


def _top_mean(values: NDArray[np.float64], k: int) -> float:
    return float(np.sort(values)[::-1][:k].mean())
