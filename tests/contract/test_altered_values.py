"""Values and tensors replaced in files of before, which have no digest of their documents."""

from __future__ import annotations

import json
import random
import shutil

import pytest
import torch
from files_of_before import digest, make_old
from safetensors.torch import load, save

from molgfn.chem.molecule import read_molecule
from molgfn.errors import CheckpointError, InputError
from molgfn.molecules.run_directory import RunDirectory
from molgfn.molecules.sampler import load_sampler
from molgfn.report.exploitation import recorded
from molgfn.reward.docking.catalogue import own_targets_directory
from molgfn.reward.proxy.store import load_proxy
from molgfn.workflows.train import resume_training

from .state_files import State, is_told, outcome, proxy_state, target_state

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
                in_checkpoint = file.parent.name.startswith("step_")
                named = file.parents[2] if in_checkpoint else file.parent
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
