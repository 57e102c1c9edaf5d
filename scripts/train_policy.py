"""Trains the policy that ships with the package and stores it in half precision.

The run lives in ``runs/shipped``; where it was cut off, the next call goes on exactly there.

    python scripts/train_policy.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from molgfn.cli.train import train
from molgfn.config.loader import dump_config, load_config
from molgfn.config.resources import shipped_path
from molgfn.gfn.checkpoint import Part, checkpoints, load_part, save_parts
from molgfn.runs.sampler import SHIPPED_POLICY

RUN = Path("runs/shipped")


def main() -> None:
    """Train to the end, then export the sampler's weights."""
    started = (RUN / "config.yaml").exists()
    train(run=RUN, resume=started)
    newest = checkpoints(RUN / "checkpoints")[-1]
    policy = load_part(newest, "policy")
    target = shipped_path(*SHIPPED_POLICY)
    # Half the size in the wheel; the rounded weights are the shipped policy.
    tensors = {name: value.to(torch.float16) for name, value in policy.tensors.items()}
    facts = {k: v for k, v in policy.document.items() if k not in ("format", "sha256")}
    save_parts(target, {"policy": Part(tensors, facts)})
    (target / "config.yaml").write_text(dump_config(load_config(RUN / "config.yaml")))
    print(f"exported {newest} to {target}", file=sys.stderr)


if __name__ == "__main__":
    main()
