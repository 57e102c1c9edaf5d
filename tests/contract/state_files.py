"""Files of state of every kind, small, with what reading them gives."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from safetensors.torch import save

from molgfn.active.answer import Answer
from molgfn.active.ledger import Ledger, Planned
from molgfn.active.tables import read_batch, write_batch
from molgfn.chem.molecule import read_molecule
from molgfn.config.loader import load_config
from molgfn.config.resources import shipped_path
from molgfn.errors import InputError
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.fragments.vocabulary_file import load_sealed_vocabulary
from molgfn.machine.sealed import SUMS
from molgfn.molecules.run_directory import RunDirectory
from molgfn.molecules.sampler import load_sampler
from molgfn.report.exploitation import recorded
from molgfn.reward.docking.cache import ResultCache, ResultKind
from molgfn.reward.docking.catalogue import find_target, own_targets_directory
from molgfn.reward.docking.own_targets import add_target
from molgfn.reward.docking.result import Docked
from molgfn.reward.proxy.store import load_held_out, load_proxy
from molgfn.workflows.train import resume_training, start_training

SETTINGS = [
    "reward.factors=[{scorer: QED, transform: identity}]",
    "policy={hidden: 8, layers: 1}",
    "train={batch_size: 8, replay_batch_size: 4, n_beta_groups: 2, updates_per_step: 1, steps: 2,"
    " log_every: 1}",
    "limits.max_fragments=3",
]
VOCABULARY = Vocabulary(
    "tiny",
    (
        Fragment.build("c1ccccc1", dict.fromkeys(range(6), 1), None, 3),
        Fragment.build("CO", {0: 2, 1: 1}, None, 2),
        Fragment.build("N", {0: 1}, None, 1),
    ),
)


class State(NamedTuple):
    """Files, and what reading them gives: equal objects where nothing has changed."""

    files: list[Path]
    read: Callable[[], object]


def train(folder):
    """Train a tiny run for two steps."""
    run = RunDirectory(folder / "run")
    training = start_training(load_config(None, SETTINGS), run, VOCABULARY)
    assert len(list(training.steps())) == 2
    return run.path


def below(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))


def plain(part):
    return save(dict(part.tensors)), json.dumps({**part.document})


def run_state(trained, tmp_path):
    path = shutil.copytree(trained, tmp_path / "run")
    newest = sorted((path / "checkpoints").iterdir())[-1]
    for other in (path / "checkpoints").iterdir():
        if other != newest:
            shutil.rmtree(other)

    def read():
        trainer = resume_training(RunDirectory(path), []).trainer
        sampler = load_sampler(path, "cpu")
        weights = save(dict(sampler.policy.state_dict()))
        seen = sorted(sampler.trained_on()), recorded(sampler)
        return plain(trainer.state()), weights, seen, sampler.env.vocabulary.digest

    return State(below(path), read)


def proxy_state(trained, tmp_path):
    path = shutil.copytree(shipped_path("proxy", "parp1"), tmp_path / "proxy")

    def read():
        proxy = load_proxy(path)
        weights = [save(dict(network)) for network in (*proxy.networks, *proxy.control.networks)]
        others = repr((proxy.calibration, proxy.size, proxy.target, proxy.unit))
        return weights, others, proxy.neighbours.bits.tobytes(), load_held_out(path).to_csv()

    # The training molecules take seconds to read, and are of no use to a prediction.
    return State([file for file in below(path) if file.name != "train.csv.gz"], read)


def target_state(trained, tmp_path):
    line = "ATOM  {0:5d}  CA  GLY A{0:4d}    {0:8.3f}   0.000   0.000  1.00  0.00    +0.000 C "
    (tmp_path / "r.pdbqt").write_text("\n".join(line.format(n) for n in range(12)))
    add_target("T", tmp_path / "r.pdbqt", (5.0, 0.0, 0.0), (20.0, 20.0, 20.0))

    def read():
        target = find_target("T")
        return target.digest, target.source

    return State(below(own_targets_directory() / "T"), read)


def shipped_state(trained, tmp_path):
    folder = shutil.copytree(shipped_path("fragments"), tmp_path / "fragments")
    file = folder / "default.yaml"
    return State(below(folder), lambda: load_sealed_vocabulary(file, "", required=True).digest)


def batch_state(trained, tmp_path):
    import pandas as pd

    path = tmp_path / "round_01" / "batch.csv"
    path.parent.mkdir()
    write_batch(path, pd.DataFrame({"SMILES": ["CCO", "C"], "ledger_entry": ["a", "b"]}))
    return State(below(path.parent), lambda: read_batch(path))


def ledger_state(trained, tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        ledger.plan([Planned(f"00-{i:04d}", 0, "C" * (i + 1), "K") for i in range(40)], "me")
        for i in range(20):
            ledger.finish(f"00-{i:04d}", Answer(i / 3, "ok", "", 1.5))

    def read():
        with Ledger(path) as ledger:
            return repr(ledger.rows())

    return State([path], read)


MOLECULES = [read_molecule("C" * n) for n in range(1, 13)]


def cache_state(trained, tmp_path):
    path, kind = tmp_path / "docking.sqlite", ResultKind("t", "s", "vina 1")
    cache = ResultCache(path, kind)
    results = {m: Docked(-1.0 * n, "ok", "", f"pose {n}\n" * 99) for n, m in enumerate(MOLECULES)}
    for molecule, result in results.items():
        cache.put(molecule, result)
    cache.close()

    def read():
        opened = ResultCache(path, kind)
        try:
            found = {molecule: opened.get(molecule) for molecule in MOLECULES}
        finally:
            opened.close()
        # What is not found is docked again, with the same result.
        return [found[m] if found[m] is not None else results[m] for m in MOLECULES]

    return State([path], read)


STATES = {
    "run": run_state,
    "proxy": proxy_state,
    "target": target_state,
    "shipped": shipped_state,
    "batch": batch_state,
    "ledger": ledger_state,
    "cache": cache_state,
}


def outcome(read):
    """What reading gives, or the error that tells of damage; no other error is caught."""
    try:
        return read()
    except InputError as error:
        return error


def is_told(error, file):
    """Whether a message is one line that names a file."""
    text = str(error)
    return "\n" not in text and (str(file) in text or file.name == SUMS in text)
