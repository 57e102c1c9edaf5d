"""Candidates from a policy: streamed as they come, or scored and thinned to a diverse top-k."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from molgfn.chem.diverse_subset import select_diverse
from molgfn.chem.similarity import morgan_fingerprints
from molgfn.machine.device import seeded
from molgfn.molecules.rejection import RejectionControl
from molgfn.molecules.sampler import Sampled, Sampler
from molgfn.reward.reward import build_reward
from molgfn.workflows.score import scored_frame


def draw_candidates(
    sampler: Sampler,
    n: int,
    *,
    beta: float,
    seed: int = 0,
    score: bool = False,
    top_k: int | None = None,
    min_distance: float = 0.3,
    rejection_control: bool = False,
    on_drawn: Callable[[int], None] = lambda _: None,
) -> Iterator[pd.DataFrame]:
    """Draw n distinct molecules and yield them as blocks of a table.

    Args:
        sampler: The policy.
        n: Molecules to draw.
        beta: Exponent of the reward.
        seed: The same seed gives the same table.
        score: Whether to add the columns of ``molgfn score``; ``top_k`` always does.
        top_k: Write only the best ``top_k`` of the n, one block, best first.
        min_distance: Least Tanimoto distance between two of the ``top_k``.
        rejection_control: Whether draws that come more often than their reward asks for are
            rejected, see :mod:`molgfn.gfn.rejection`.
        on_drawn: Called with the number of molecules of every batch, for progress.

    Yields:
        Blocks with the columns SMILES, InChIKey and n_fragments, or those of
        :func:`molgfn.workflows.score.scored_frame` and n_fragments.
    """
    generator = seeded(seed, sampler.env.device)
    keep = RejectionControl(sampler, beta, generator=generator) if rejection_control else None
    batches = sampler.sample(n, beta, generator=generator, keep=keep)
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
    return pd.DataFrame(
        {
            "SMILES": [s.molecule.smiles for s in batch],
            "InChIKey": [s.molecule.inchikey for s in batch],
            "n_fragments": [s.n_fragments for s in batch],
        }
    )
