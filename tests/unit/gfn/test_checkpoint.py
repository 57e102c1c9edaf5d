import hashlib
import json

import pytest
import torch
from torch import nn

from molgfn.errors import CheckpointError, OutputError
from molgfn.gfn.checkpoint import (
    Part,
    checkpoint_path,
    checkpoints,
    flatten_optimizer,
    load_part,
    prune,
    restore_optimizer,
    save_parts,
)


@pytest.fixture
def saved(tmp_path):
    path = checkpoint_path(tmp_path, 7)
    save_parts(path, {"one": Part({"x": torch.arange(3.0)}, {"step": 7})})
    return path


def test_round_trip(saved):
    part = load_part(saved, "one")
    assert part.tensors["x"].tolist() == [0, 1, 2]
    assert part.document["step"] == 7


def test_a_damaged_tensor_file_is_refused(saved):
    file = saved / "one.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    with pytest.raises(CheckpointError, match=r"one\.safetensors is damaged.*older one"):
        load_part(saved, "one")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "not valid JSON: expected an object, got a list"),
        ('{"format": 99}', "format 1"),
        ('{"a": ' * 5000, "not valid JSON: nested too deeply"),
        ('{"format": ' + "1" * 5000 + "}", "not valid JSON: .*digits"),
    ],
)
def test_a_garbled_document_is_refused(saved, text, message):
    (saved / "one.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"one\.json is damaged.*older one"):
        load_part(saved, "one")
    (saved / "SHA256SUMS").unlink()
    with pytest.raises(CheckpointError, match=message):
        load_part(saved, "one")


def test_a_checkpoint_that_lost_its_digests_is_refused(saved):
    (saved / "SHA256SUMS").unlink()
    with pytest.raises(CheckpointError, match="SHA256SUMS is missing"):
        load_part(saved, "one")


def test_a_missing_file_is_named(saved):
    with pytest.raises(CheckpointError, match=r"two\.json"):
        load_part(saved, "two")


@pytest.fixture
def old(saved):
    """As checkpoints of before were: the document has the digest of the tensors."""
    (saved / "SHA256SUMS").unlink()
    digest_anew(saved)
    return saved


def digest_anew(folder):
    digest = hashlib.sha256((folder / "one.safetensors").read_bytes()).hexdigest()
    document = json.loads((folder / "one.json").read_text()) | {"format": 1, "sha256": digest}
    (folder / "one.json").write_text(json.dumps(document))


def test_a_checkpoint_of_before_has_the_digest_of_its_tensors(old):
    assert load_part(old, "one").document["step"] == 7
    file = old / "one.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    with pytest.raises(CheckpointError, match=r"one\.safetensors is damaged.*older one"):
        load_part(old, "one")


def test_garbage_with_a_matching_digest_is_still_refused(old):
    (old / "one.safetensors").write_bytes(b"garbage")
    digest_anew(old)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_part(old, "one")


def test_an_unfinished_checkpoint_does_not_count(saved, tmp_path):
    (tmp_path / ".step_00000009.tmp").mkdir()
    assert checkpoints(tmp_path) == [saved]


def test_prune_keeps_the_newest(tmp_path):
    for step in (1, 2, 10):
        save_parts(checkpoint_path(tmp_path, step), {})
    (tmp_path / ".step_00000001.1234.old.tmp").mkdir()
    prune(tmp_path, 2)
    assert [p.name for p in checkpoints(tmp_path)] == ["step_00000002", "step_00000010"]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_checkpoint_that_is_deleted_loses_its_name_first(saved, tmp_path, monkeypatch):
    def interrupted(path, **_):
        if path.exists():
            raise KeyboardInterrupt

    save_parts(checkpoint_path(tmp_path, 99), {})
    monkeypatch.setattr("shutil.rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prune(tmp_path, 1)
    assert [p.name for p in checkpoints(tmp_path)] == ["step_00000099"]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        save_parts(tmp_path / "file" / "step", {})


def test_optimizer_continues_where_it_stood():
    def make():
        torch.manual_seed(0)
        layer = nn.Linear(2, 1)
        return layer, torch.optim.Adam(layer.parameters(), lr=0.1)

    def descend(layer, optimizer):
        optimizer.zero_grad()
        layer(torch.ones(1, 2)).square().sum().backward()
        optimizer.step()

    straight, broken = make(), make()
    for _ in range(2):
        descend(*straight)
    descend(*broken)
    other = torch.optim.Adam(broken[0].parameters(), lr=0.1)
    restore_optimizer(other, flatten_optimizer(broken[1]))
    descend(broken[0], other)
    assert torch.equal(straight[0].weight, broken[0].weight)
