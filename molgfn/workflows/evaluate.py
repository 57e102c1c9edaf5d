"""How good a policy's molecules are, beside random legal trajectories and a user's own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from molgfn.chem.molecule import Molecule
from molgfn.chem.similarity import mean_pairwise_similarity, morgan_fingerprints, n_circles
from molgfn.gfn.condition import Condition
from molgfn.gfn.weighed import Weighed
from molgfn.machine.device import seeded
from molgfn.machine.progress import Progress, silent
from molgfn.molecules.buildable import find_buildable
from molgfn.molecules.policy.uniform import UniformPolicy
from molgfn.molecules.rejection import ControlledLaw
from molgfn.molecules.sampler import Sampler
from molgfn.molecules.target import build_target
from molgfn.molecules.weighing import weigh
from molgfn.report.exploitation import Divergence, exploitation_notes, find_divergence, watch
from molgfn.report.likelihood_fit import (
    estimate_partition,
    fit_measures,
    partition_measures,
    warn_of_collapse,
    warn_of_misfit,
    warn_of_repeats,
    warn_of_weights,
)
from molgfn.reward.proxy.evaluation import spearman
from molgfn.reward.proxy.proxy import Proxy
from molgfn.reward.reward import Reward, build_reward
from molgfn.tables.reader import Table
from molgfn.workflows.score import CHUNK_ROWS

#: Distance of the #Circles diversity measure.
CIRCLE_DISTANCE = 0.7
#: The policy is asked for this many times more draws than wanted: rejection control leaves at least
#: half of those with a score.
DRAWN_FOR_ONE = 2


@dataclass(frozen=True)
class Evaluation:
    """How good a policy is.

    Attributes:
        table: One row per measure, named by the index; columns ``random``, ``trained``, with
            molecules of the user ``file``, ``all``, and ``policy``: the policy without rejection
            control. A cell that has no meaning is NaN.
        notes: Lines for the user: what was left out, and warnings.
        divergence: How proxy and control went in the training; ``None`` without a proxy.
    """

    table: pd.DataFrame
    notes: list[str]
    divergence: Divergence | None


def evaluate_sampler(
    sampler: Sampler,
    n: int,
    *,
    condition: Condition,
    seed: int,
    given: Table | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Draw n trajectories from random legal actions and from the sampler, and measure both.

    The sampler is the policy with rejection control, and log p is that of both together; the
    policy alone is measured beside it.

    Args:
        sampler: The trained policy.
        n: Trajectories of each; repeats are kept, so that they count against the policy.
        condition: A single condition for the policy.
        seed: Seed of both draws.
        given: Molecules of the user, measured beside them.
        progress: Told how far the work has come.

    Returns:
        The measures: :func:`describe` of each set of molecules, then how well log p fits log R
        on held-out states of each set and of all, then log Z as estimated by the sampler's draws
        and by the policy's.
    """
    notes = []
    reward = build_reward(sampler.config.reward)
    uniform = replace(sampler, policy=UniformPolicy(sampler.env))
    states = {}
    for name, source, n_drawn in (
        ("random", uniform, n),
        ("trained", sampler, DRAWN_FOR_ONE * n),
    ):
        generator = seeded(seed, source.env.device)
        with progress(f"draw {name}", n_drawn) as advance:
            states[name] = source.draw_states(
                n_drawn, condition, generator=generator, on_drawn=advance
            )
    chosen = {"random": list(range(n))}
    if given is not None:
        buildable = find_buildable(given, sampler.env, progress=progress)
        notes += buildable.notes(given.source, len(given))
        states["file"], chosen["file"] = buildable.states, list(buildable.first)
    molecules = {name: sampler.env.molecules(part) for name, part in states.items()}
    scores = score_molecules([m for part in molecules.values() for m in part], reward, progress)
    seen = sampler.trained_on()
    if seen is None:
        seen = frozenset()
        notes.append(
            f"note: {sampler.source} holds no record of the molecules it was trained on; "
            "all count as held out"
        )

    target = build_target(sampler.config.reward, sampler.env, reward)
    log_target = {
        name: target.log_reward(
            torch.from_numpy(scores.log_parts[scores.rows(molecules[name])]),
            target.log_base(part),
            condition.to("cpu").repeat(len(part)),
            sampler.config.train.log_reward_floor,
        ).numpy()
        for name, part in states.items()
    }
    weighed = weigh(sampler, states, log_target, condition=condition, progress=progress)
    draws = weighed.pop("trained")
    law = ControlledLaw.of(draws)
    stays = np.random.default_rng(seed).random(len(draws)) < np.exp(law.log_chance(draws))
    chosen["trained"] = np.flatnonzero(stays)[:n].tolist()
    policy, others = draws.take(range(n)), Weighed.cat(list(weighed.values()))
    weighed["trained"] = draws.take(chosen["trained"])
    controlled = {name: law(weighed[name]) for name in states}
    estimate = estimate_partition(policy)
    columns = {
        name: describe([molecules[name][i] for i in chosen[name]], scores)
        | fit_measures(controlled[name].unseen(seen))
        for name in states
    }
    columns["trained"] |= partition_measures(estimate_partition(controlled["trained"]))
    columns["trained"]["share of draws that stay"] = math.exp(law.log_share)
    columns["all"] = fit_measures(Weighed.cat(list(controlled.values())).unseen(seen))
    columns["policy"] = (
        describe(molecules["trained"][:n], scores)
        | fit_measures(policy.unseen(seen))
        | partition_measures(estimate)
    )
    divergence = find_divergence(sampler, reward.proxy)
    notes += [
        *exploitation_notes(sampler, reward.proxy, columns, divergence),
        *warn_of_repeats(columns["policy"]["distinct fraction"]),
        *warn_of_misfit(fit_measures(Weighed.cat([others, policy]).unseen(seen))),
        *warn_of_weights(policy, estimate),
        *warn_of_collapse(policy, others, seen, estimate),
    ]
    measures = list(dict.fromkeys(m for column in columns.values() for m in column))
    return Evaluation(pd.DataFrame(columns, index=measures), notes, divergence)


@dataclass(frozen=True)
class MoleculeScores:
    """Scores of distinct molecules.

    Attributes:
        row: Row of every molecule in the arrays.
        log_score: Natural logarithm of the Score, shape ``(n,)``, NaN = failed.
        log_parts: Those of the objectives, as a target has them, shape ``(n, ...)``.
        value_column: Name of the predicted value; ``None`` without a proxy.
        value: Predicted values, shape ``(n,)``; empty without a proxy.
        proxy: The proxy, if there is one.
    """

    row: Mapping[Molecule, int]
    log_score: NDArray[np.float64]
    log_parts: NDArray[np.float64]
    value_column: str | None
    value: NDArray[np.float64]
    proxy: Proxy | None

    def rows(self, molecules: Sequence[Molecule]) -> NDArray[np.int64]:
        """Find molecules in the arrays.

        Returns:
            Their rows, shape ``(m,)``.
        """
        return np.array([self.row[m] for m in molecules], dtype=np.int64)


def score_molecules(
    molecules: Sequence[Molecule], reward: Reward, progress: Progress = silent
) -> MoleculeScores:
    """Score every distinct molecule once.

    Args:
        molecules: Molecules, repeats allowed.
        reward: Scores them.
        progress: Told of every distinct molecule.
    """
    distinct = list(dict.fromkeys(molecules))
    log_score, value = [np.zeros(0)], [np.zeros(0)]
    log_parts = []
    with progress("score", len(distinct)) as advance:
        for start in range(0, len(distinct), CHUNK_ROWS):
            part = distinct[start : start + CHUNK_ROWS]
            table = reward(part)
            log_score.append(table.log_score)
            log_parts.append(table.objective_parts)
            if reward.value_column is not None:
                value.append(table.columns[reward.value_column])
            advance(len(part))
    return MoleculeScores(
        {molecule: i for i, molecule in enumerate(distinct)},
        np.concatenate(log_score),
        np.concatenate(log_parts) if log_parts else np.zeros((0, 1)),
        reward.value_column,
        np.concatenate(value),
        reward.proxy,
    )


def describe(molecules: list[Molecule], scores: MoleculeScores) -> dict[str, float]:
    """Describe a set of molecules in the measures of the field.

    Returns:
        Value by name of the measure; means are over distinct molecules that could be scored, NaN
        where there are none. With a control, proxy and control are compared.
    """
    distinct = list(dict.fromkeys(molecules))
    rows = scores.rows(distinct)
    all_scores = np.exp(scores.log_score[rows])
    scored = np.flatnonzero(~np.isnan(all_scores))
    score = all_scores[scored]
    chosen = [distinct[i] for i in scored]
    sizes = np.array([molecule.n_heavy_atoms for molecule in chosen], dtype=np.float64)
    fingerprints = morgan_fingerprints(chosen)
    descending = np.argsort(-score)
    measures = {
        "molecules": float(len(molecules)),
        "distinct fraction": len(distinct) / len(molecules) if molecules else math.nan,
        "failed to score": float(len(distinct) - len(scored)),
        "Score mean": _mean(score),
        "Score top-10": _top_mean(score, 10),
        "Score top-100": _top_mean(score, 100),
    }
    if scores.value_column is not None:
        value = scores.value[rows][scored]
        measures |= {
            f"{scores.value_column} mean": _mean(value),
            f"{scores.value_column} top-10 by Score": _mean(value[descending[:10]]),
            f"{scores.value_column} top-100 by Score": _mean(value[descending[:100]]),
        }
        measures |= watch(scores.proxy, chosen, [chosen[i] for i in descending[:100]])
    return measures | {
        "heavy atoms mean": _mean(sizes),
        "Spearman of Score with heavy atoms": spearman(score, sizes) if len(score) else math.nan,
        "mean pairwise Tanimoto similarity": _similarity(fingerprints),
        "mean pairwise similarity of top-100": _similarity(fingerprints[descending[:100]]),
        f"#Circles at distance {CIRCLE_DISTANCE}": float(n_circles(fingerprints, CIRCLE_DISTANCE)),
    }


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else math.nan


def _top_mean(values: NDArray[np.float64], k: int) -> float:
    return _mean(np.sort(values)[::-1][:k])


def _similarity(fingerprints: NDArray[np.uint64]) -> float:
    return mean_pairwise_similarity(fingerprints) if len(fingerprints) > 1 else math.nan
