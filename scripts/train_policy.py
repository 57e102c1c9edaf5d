"""Trains the policy that ships with the package and stores it in half precision.

The run lives in ``runs/shipped``; where it was cut off, the next call goes on exactly there.

    python scripts/train_policy.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

from molgfn.config.loader import dump_config
from molgfn.config.resources import shipped_path
from molgfn.config.schema import Config
from molgfn.fragments.vocabulary_file import find_vocabulary
from molgfn.gfn.checkpoint import Part, checkpoints, load_part, save_parts
from molgfn.molecules.run_directory import RunDirectory
from molgfn.molecules.sampler import SHIPPED_POLICY

RUN = RunDirectory(Path("runs/shipped"))


def main() -> None:
    """Train with the default configuration to the end, then export the sampler's weights."""
    command = [sys.executable, "-m", "molgfn", "train", "--run", str(RUN.path)]
    if RUN.config_file.exists():
        config, vocabulary = RUN.load([])
        if config != Config() or vocabulary.digest != find_vocabulary(config.vocabulary).digest:
            sys.exit(f"{RUN.path} was begun with other settings or fragments; move it away first")
        command.append("--resume")
    done = subprocess.run(command, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    newest = checkpoints(RUN.checkpoints)[-1]
    policy = load_part(newest, "policy")
    # Half the size in the wheel; the rounded weights are the shipped policy.
    tensors = {name: value.to(torch.float16) for name, value in policy.tensors.items()}
    facts = {k: v for k, v in policy.document.items() if k not in ("format", "sha256")}
    target = shipped_path(*SHIPPED_POLICY)
    save_parts(target, {"policy": Part(tensors, facts)})
    (target / "config.yaml").write_text(dump_config(Config()))
    print(f"exported {newest} to {target}", file=sys.stderr)


if __name__ == "__main__":
    main()
