"""From a trained policy to the batch that goes to the oracle: sample, filter, choose."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from molgfn.chem.diverse_subset import select_diverse
from molgfn.chem.molecule import Molecule, read_or_reason
from molgfn.chem.similarity import (
    leader_clusters,
    morgan_fingerprints,
    tanimoto_similarity,
)
from molgfn.config.reward_schema import AcquisitionConfig, RewardConfig
from molgfn.config.rounds_schema import RoundsConfig
from molgfn.gfn.condition import Condition
from molgfn.machine.progress import Progress, silent
from molgfn.molecules.sampler import Sampler
from molgfn.reward.reward import build_reward
from molgfn.reward.table import RewardTable
from molgfn.tables.columns import std_column
from molgfn.workflows.sample import draw_candidates

#: Molecules scored at a time.
_SCORED_AT_ONCE = 256
#: Tanimoto distance within which molecules of a batch belong to one cluster.
CLUSTER_DISTANCE = 0.7


@dataclass(frozen=True)
class Candidates:
    """Molecules to choose from, with their acquisition scores.

    Attributes:
        molecules: n standard molecules, none of them asked for before.
        table: Columns of :func:`propose_batch` up to the acquisition, one row for each.
        log_opinions: log Score under the acquisition, shape ``(M, n)``, nats; a row for each
            member of the ensemble with Thompson sampling, else one. NaN = failed.
    """

    molecules: list[Molecule]
    table: pd.DataFrame
    log_opinions: NDArray[np.float64]


def find_candidates(
    sampler: Sampler,
    rounds: RoundsConfig,
    *,
    condition: Condition,
    seed: int,
    known: Collection[str],
    refused: Callable[[Molecule], str],
    progress: Progress = silent,
    tell: Callable[[str], None] = lambda _: None,
) -> Candidates:
    """Sample molecules, leave out those that cannot or need not be measured, score the rest.

    Args:
        sampler: The round's policy; its configuration has the acquisition.
        rounds: How many to sample.
        condition: A single condition for the policy.
        seed: Seed of the draw.
        known: InChIKeys of molecules asked for before.
        refused: Why the oracle would refuse a molecule, ``""`` where it would not.
        progress: Told how far the work has come.
        tell: Called with a line for the user.
    """
    found: dict[str, Molecule] = {}
    with progress("sample", rounds.candidates) as advance:
        for batch in draw_candidates(
            sampler, rounds.candidates, condition=condition, seed=seed, tell=tell
        ):
            for sampled in batch:
                molecule = read_or_reason(sampled.molecule.smiles, keep_stereo=False)
                if isinstance(molecule, Molecule) and molecule.inchikey not in known:
                    found.setdefault(molecule.inchikey, molecule)
            advance(len(batch))
    molecules = [molecule for molecule in found.values() if not refused(molecule)]
    return score_candidates(molecules, sampler.config.reward, progress)


def score_candidates(
    molecules: list[Molecule], config: RewardConfig, progress: Progress = silent
) -> Candidates:
    """Score molecules with and without the acquisition.

    Args:
        molecules: Distinct molecules.
        config: The reward with the round's proxy and acquisition.
        progress: Told how far the work has come.
    """
    plain = build_reward(replace(config, acquisition=AcquisitionConfig()))
    acquired = build_reward(config)
    frames, opinions = (
        [_score_frame(plain([]), plain.value_column, [])],
        [acquired([]).log_opinions],
    )
    with progress("score", len(molecules)) as advance:
        for start in range(0, len(molecules), _SCORED_AT_ONCE):
            part = molecules[start : start + _SCORED_AT_ONCE]
            frames.append(_score_frame(plain(part), plain.value_column, part))
            opinions.append(acquired(part).log_opinions)
            advance(len(part))
    table = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    return Candidates(molecules, table, np.concatenate(opinions, axis=1))


def propose_batch(
    candidates: Candidates,
    rounds: RoundsConfig,
    k: int,
    earlier: Sequence[Molecule],
    describe: dict[str, Any],
    entry: Callable[[int], str],
) -> pd.DataFrame:
    """Choose a diverse batch, best acquisition first.

    Args:
        candidates: What to choose from.
        rounds: How to choose.
        k: Most molecules to choose.
        earlier: Molecules asked for before.
        describe: Columns that are the same in every row, such as the checkpoint.
        entry: Name of the ledger's entry for each place, from 1.

    Returns:
        At most k rows: SMILES, Score, prediction and its standard deviation, acquisition (log
        Score under it, nats), nearest_earlier with its similarity, cluster, ``describe``,
        ledger_entry, InChIKey, scaffold, then what else the reward measured.
    """
    fingerprints = morgan_fingerprints(candidates.molecules)
    priority, acquisition = rank(candidates.log_opinions)
    picked = select_diverse(
        fingerprints,
        priority,
        k,
        rounds.min_distance,
        method=rounds.selection,
        groups=[molecule.scaffold for molecule in candidates.molecules],
        max_per_group=rounds.max_per_scaffold,
    )
    table = candidates.table.iloc[picked].reset_index(drop=True)
    place = list(table.columns).index("InChIKey")
    nearest, similarity = _nearest(fingerprints[picked], earlier)
    further = {
        "acquisition": acquisition[picked],
        "nearest_earlier": nearest,
        "nearest_earlier_similarity": similarity,
        "cluster": leader_clusters(fingerprints[picked], CLUSTER_DISTANCE),
        **describe,
        "ledger_entry": [entry(number) for number in range(1, len(picked) + 1)],
    }
    for offset, (name, values) in enumerate(further.items()):
        table.insert(place + offset, name, values)
    return table


def rank(
    log_opinions: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Priorities of candidates.

    Args:
        log_opinions: log Score by each member, shape ``(M, n)``, NaN = failed.

    Returns:
        Priority, higher is earlier, and the acquisition it comes from, each of shape ``(n,)``.
        With several members they choose in turn, each its best of what is left, and the
        acquisition is that of the member that chose.
    """
    if len(log_opinions) == 1:
        return log_opinions[0], log_opinions[0]
    n_members, n = log_opinions.shape
    orders = [iter(np.argsort(-row, kind="stable").tolist()) for row in log_opinions]
    priority, acquisition = np.full(n, np.nan), np.full(n, np.nan)
    left = set(np.flatnonzero(np.isfinite(log_opinions).all(axis=0)).tolist())
    for turn in range(len(left)):
        member = turn % n_members
        chosen = next(i for i in orders[member] if i in left)
        left.remove(chosen)
        priority[chosen], acquisition[chosen] = -turn, log_opinions[member, chosen]
    return priority, acquisition


def _score_frame(
    rewards: RewardTable, value_column: str | None, molecules: Sequence[Molecule]
) -> pd.DataFrame:
    """Scores, predictions and what identifies a molecule, then what else was measured."""
    first = [] if value_column is None else [value_column, std_column(value_column)]
    columns: dict[str, Any] = {
        "SMILES": [molecule.smiles for molecule in molecules],
        "Score": rewards.score,
        **{name: rewards.columns[name] for name in first},
        "InChIKey": [molecule.inchikey for molecule in molecules],
        "scaffold": [molecule.scaffold for molecule in molecules],
    }
    return pd.DataFrame(columns | {k: v for k, v in rewards.columns.items() if k not in columns})


def _nearest(
    fingerprints: NDArray[np.uint64], earlier: Sequence[Molecule]
) -> tuple[list[str], NDArray[np.float64]]:
    if not len(fingerprints):
        return [], np.zeros(0)
    similarity = tanimoto_similarity(fingerprints, morgan_fingerprints(earlier))
    nearest = similarity.argmax(axis=1)
    return [earlier[i].smiles for i in nearest], similarity.max(axis=1)
