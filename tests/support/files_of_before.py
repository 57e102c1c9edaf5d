"""Takes the digests away from what molgfn wrote, as files of before had none."""

from __future__ import annotations

import hashlib
import json

from molgfn.machine.sealed import SUMS


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def make_old(folder):
    """Take the digests away, as files of before had none; a checkpoint had that of its tensors."""
    for sums in folder.rglob(SUMS):
        sums.unlink()
    for file in folder.rglob("*.json"):
        about = json.loads(file.read_text())
        for key in ("format", "metrics"):
            about.pop(key, None)
        if file.name in ("policy.json", "trainer.json"):
            about |= {"format": 1, "sha256": digest(file.with_suffix(".safetensors"))}
        if file.name == "proxy.json":
            about |= {"format": 1}
        file.write_text(json.dumps(about))
