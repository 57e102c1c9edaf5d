"""The process that scores for a training: ``python -m molgfn.molecules.scoring.score_worker``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from molgfn.errors import MolgfnError
from molgfn.machine.serving import Respond, serve
from molgfn.molecules.env.fragment_env import FragmentEnv
from molgfn.molecules.run_directory import RunDirectory
from molgfn.molecules.scoring.chunk_score import ChunkScore
from molgfn.reward.reward import build_reward


def encode_order(directory: RunDirectory) -> dict[str, Any]:
    """First message to a worker.

    Args:
        directory: Directory of the run, whose configuration and vocabulary are written.
    """
    return {"run": str(directory.path.absolute())}


def _make(order: dict[str, Any]) -> Respond:
    torch.set_num_threads(1)  # as in the training: sums over several differ in their last bits
    config, vocabulary = RunDirectory(Path(order["run"])).load([])
    reward = build_reward(config.reward, with_similarity=False)
    score = ChunkScore(FragmentEnv(vocabulary, config.limits), reward)

    def respond(message: dict[str, Any]) -> dict[str, Any]:
        scored = score(torch.tensor(message["states"]), with_modes=message["with_modes"])
        return {"scored": [each.to_json() for each in scored]}

    return respond


if __name__ == "__main__":
    serve(_make, (MolgfnError,))
