"""Whatever happens to a file that molgfn wrote: it is refused by name, or nothing changes.

Single bits are flipped all over every file of state, and values and tensors are replaced in files
of before, which have no digest of their documents. Seeds are in the names of the tests.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import load, save

from molgfn.active.answer import Answer
from molgfn.active.ledger import Ledger, Planned
from molgfn.active.tables import read_batch, write_batch
from molgfn.chem.molecule import read_molecule
from molgfn.config.loader import load_config
from molgfn.config.resources import shipped_path
from molgfn.errors import CheckpointError, InputError
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


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    run = RunDirectory(tmp_path_factory.mktemp("trained") / "run")
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
#: Bits flipped in each file; reading a run takes longer.
QUICK = {"run": 4, "proxy": 6, "ledger": 120, "cache": 120}


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


def flip(make, trained, tmp_path, n, seed):
    """Flip n bits of every file, one at a time; tells how many were refused."""
    state = make(trained, tmp_path)
    expected, source, refused = state.read(), random.Random(seed), 0
    for file in state.files:
        content = file.read_bytes()
        for _ in range(n if content else 0):
            place, bit = source.randrange(len(content)), source.randrange(8)
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            file.write_bytes(bytes(changed))
            found = outcome(state.read)
            if isinstance(found, InputError):
                refused += 1
                assert is_told(found, file), (file, place, bit, found)
            else:
                assert found == expected, (file, place, bit)
            for leftover in file.parent.glob(f"{file.name}-*"):
                leftover.unlink()
            file.write_bytes(content)
    assert state.read() == expected
    return refused


@pytest.fixture
def own_data(tmp_path, monkeypatch):
    monkeypatch.setenv("MOLGFN_DATA_DIR", str(tmp_path / "data"))


@pytest.mark.parametrize("name", STATES)
def test_a_flipped_bit_is_refused_or_changes_nothing(name, trained, tmp_path, own_data):
    assert flip(STATES[name], trained, tmp_path, QUICK.get(name, 20), seed=22) > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", STATES)
def test_many_flipped_bits(name, seed, trained, tmp_path, own_data):
    n = {"run": 40, "proxy": 100, "shipped": 20}.get(name, 2000)
    assert flip(STATES[name], trained, tmp_path, n, seed) > 0


# ---- values of files without digests ------------------------------------------------------------

DEEP = 5000
MUTANTS = {
    "null": "null",
    "text": '"x"',
    "negative": "-1",
    "fraction": "1.5",
    "infinite": "1e999",
    "not a number": "NaN",
    "truth": "true",
    "5000 digits": "9" * 5000,
    "400 digits": "9" * 400,
    "list": "[]",
    "object": "{}",
    "nested": "[" * 200 + "]" * 200,
    "deep": "[" * DEEP + "]" * DEEP,
}


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


def places(value, path=()):
    """Keys and positions of everything in a document; of a list the first item only."""
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


def with_mutant(text, path, mutant):
    document = json.loads(text)
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = "@@"
    return json.dumps(document).replace('"@@"', mutant)


def old_run(trained, tmp_path):
    path = shutil.copytree(trained, tmp_path / "run")
    make_old(path)
    newest = sorted((path / "checkpoints").iterdir())[-1]

    def read():
        training = resume_training(RunDirectory(path), [])
        sampler = load_sampler(path, "cpu")
        sampler.trained_on(), recorded(sampler)
        training.trainer.train_step()

    files = [newest / "trainer.json", newest / "policy.json", path / "run.json"]
    return State([*files, path / "metrics.jsonl"], read)


def old_proxy(trained, tmp_path):
    state = proxy_state(trained, tmp_path)
    make_old(tmp_path / "proxy")

    def read():
        load_proxy(tmp_path / "proxy").predict([read_molecule("CCO")])

    return State([f for f in state.files if f.name == "proxy.json"], read)


def old_target(trained, tmp_path):
    state = target_state(trained, tmp_path)
    make_old(own_targets_directory() / "T")
    return State([f for f in state.files if f.name == "target.json"], state.read)


def alter(state, chosen):
    refused = 0
    for file in state.files:
        text, *rest = (
            file.read_text().splitlines(keepends=True)
            if file.suffix == ".jsonl"
            else (file.read_text(),)
        )
        cases = [(path, name) for path in places(json.loads(text)) for name in MUTANTS]
        for path, name in chosen(cases):
            changed = with_mutant(text, path, MUTANTS[name]).rstrip() + "\n"
            file.write_text("".join([changed, *rest]))
            found = outcome(state.read)
            if isinstance(found, InputError):
                refused += 1
                # Files that do not fit each other: either is named.
                named = file.parents[2] if file.parent.name.startswith("step_") else file
                assert is_told(found, named), (file, path, name, found)
            file.write_text("".join([text, *rest]))
    return refused


OLD = {"run": old_run, "proxy": old_proxy, "target": old_target}


@pytest.mark.parametrize("name", OLD)
def test_a_value_of_another_type_is_no_traceback(name, trained, tmp_path, own_data):
    def some(cases):
        return random.Random(22).sample(cases, min(len(cases), 12))

    assert alter(OLD[name](trained, tmp_path), some) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", OLD)
def test_every_value_of_every_other_type(name, trained, tmp_path, own_data):
    assert alter(OLD[name](trained, tmp_path), lambda cases: cases) > 0


def altered(tensor):
    """The same tensor made unfit in every way."""
    yield "missing", None
    yield "longer", torch.cat([tensor.reshape(-1), tensor.reshape(-1)[:1], tensor.new_zeros(1)])
    yield "empty", tensor.reshape(-1)[:0]
    kind = torch.int64 if tensor.is_floating_point() else torch.float32
    yield "another kind", tensor.to(kind)
    if tensor.is_floating_point():
        for value in (float("nan"), float("inf")):
            changed = tensor.clone()
            changed.view(-1)[-1] = value
            yield str(value), changed


def one_of_each(names):
    """The first tensor of every group: of the networks, the optimiser, the replay buffer."""
    groups = {}
    for name in sorted(names):
        group, _, rest = name.replace("/", ".").partition(".")
        if group == "optimizer":
            group += rest.rpartition(".")[2]
        groups.setdefault(group + rest if group in ("replay", "train") else group, name)
    return list(groups.values())


def alter_tensors(file, read, document=None):
    content = file.read_bytes()
    tensors = load(content)
    about = None if document is None else document.read_text()
    names = one_of_each(tensors)
    cases = [(name, what, new) for name in names for what, new in altered(tensors[name])]
    cases.append(("another", "unexpected", torch.zeros(1)))
    for name, what, new in cases:
        changed = {k: v for k, v in tensors.items() if k != name}
        file.write_bytes(save(changed if new is None else changed | {name: new}))
        if document is not None:
            document.write_text(json.dumps(json.loads(about) | {"sha256": digest(file)}))
        found = outcome(read)
        yield name, what, found
    file.write_bytes(content)


def test_tensors_of_another_shape_or_without_sense_are_refused(trained, tmp_path, own_data):
    state = old_run(trained, tmp_path)
    for document in state.files[:2]:
        file = document.with_suffix(".safetensors")
        shutil.copy(document, tmp_path / "kept.json")
        for name, what, found in alter_tensors(file, state.read, document):
            assert isinstance(found, CheckpointError), (name, what)
            assert str(file) in str(found), (name, what, found)
        shutil.copy(tmp_path / "kept.json", document)
    proxy = old_proxy(trained, tmp_path)
    file = tmp_path / "proxy" / "proxy.safetensors"
    for name, what, found in alter_tensors(file, proxy.read):
        assert isinstance(found, CheckpointError), (name, what)
        assert str(file) in str(found), (name, what, found)
