"""Candidates from a policy: streamed as they come, or scored and thinned to a diverse top-k."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from molgfn.chem.diverse_subset import select_diverse
from molgfn.chem.similarity import morgan_fingerprints
from molgfn.gfn.condition import Condition
from molgfn.machine.device import seeded
from molgfn.molecules.rejection import RejectionControl
from molgfn.molecules.sampler import Sampled, Sampler
from molgfn.report.scored import scored_frame
from molgfn.reward.reward import build_reward
from molgfn.reward.scorers import are_built_in
from molgfn.tables.columns import SAMPLE_COLUMNS

_NOT_REJECTED = (
    "note: draws that come more often than their reward asks for are not rejected, because your "
    "own scorer would have to score every draw"
)


def draw_candidates(
    sampler: Sampler,
    n: int,
    *,
    condition: Condition,
    seed: int = 0,
    rejection_control: bool | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[list[Sampled]]:
    """Draw n distinct molecules.

    Args:
        sampler: The policy; its own reward is what draws are held against.
        n: Molecules to draw.
        condition: What the policy is asked for, a single condition.
        seed: The same seed gives the same molecules.
        rejection_control: Whether draws that come more often than their reward asks for are
            rejected, see :mod:`molgfn.gfn.rejection`; ``None`` rejects them unless a scorer of the
            user's own would have to score every draw.
        tell: Called with a line for the user where ``None`` means that nothing is rejected.

    Returns:
        Batches of new molecules; fewer than n in all when the policy gives no more.
    """
    if rejection_control is None:
        rejection_control = are_built_in(sampler.config.reward.factors)
        if not rejection_control:
            tell(_NOT_REJECTED)
    generator = seeded(seed, sampler.env.device)
    keep = RejectionControl(sampler, condition, generator=generator) if rejection_control else None
    return sampler.sample(n, condition, generator=generator, keep=keep)


def candidate_table(
    batches: Iterator[list[Sampled]],
    sampler: Sampler,
    *,
    score: bool = False,
    top_k: int | None = None,
    min_distance: float = 0.3,
    on_drawn: Callable[[int], None] = lambda _: None,
) -> Iterator[pd.DataFrame]:
    """Put candidates into blocks of a table.

    Args:
        batches: What :func:`draw_candidates` gives.
        sampler: The policy they come from.
        score: Whether to add the columns of ``molgfn score``; ``top_k`` always does.
        top_k: Keep only the best ``top_k``, one block, best first.
        min_distance: Least Tanimoto distance between two of the ``top_k``.
        on_drawn: Called with the number of molecules of every batch.

    Yields:
        Blocks with ``SAMPLE_COLUMNS``, or the columns of
        :func:`molgfn.report.scored.scored_frame` and n_fragments.
    """
    if top_k is None and not score:
        for batch in batches:
            on_drawn(len(batch))
            yield _plain_frame(batch)
        return
    reward = build_reward(sampler.config.reward)
    kept: list[Sampled] = []
    blocks = []
    for batch in batches:
        molecules = [s.molecule for s in batch]
        frame = scored_frame(molecules, reward(molecules))
        frame["n_fragments"] = [s.n_fragments for s in batch]
        on_drawn(len(batch))
        if top_k is None:
            yield frame
        else:
            kept += batch
            blocks.append(frame)
    if top_k is not None and blocks:
        scored = pd.concat(blocks, ignore_index=True)
        usable = np.flatnonzero(scored["Score"].notna().to_numpy())
        fingerprints = morgan_fingerprints([kept[i].molecule for i in usable])
        scores = scored["Score"].to_numpy()[usable]
        picked = select_diverse(fingerprints, scores, top_k, min_distance)
        yield scored.iloc[usable[picked]].reset_index(drop=True)


def _plain_frame(batch: list[Sampled]) -> pd.DataFrame:
    rows = [(s.molecule.smiles, s.molecule.inchikey, s.n_fragments) for s in batch]
    return pd.DataFrame(rows, columns=SAMPLE_COLUMNS)
