import subprocess
from pathlib import Path

import pytest

from molgfn.errors import CheckpointError
from molgfn.machine.sealed import SUMS, is_sealed, lists, read_sealed, seal, write_sealed


@pytest.fixture
def folder(tmp_path):
    for name, content in (("a", "one\n"), ("b b", "two\n")):
        (tmp_path / name).write_text(content)
    seal(tmp_path)
    return tmp_path


def test_what_is_sealed_is_read_and_known_to_sha256sum(folder):
    assert read_sealed(folder / "a", "") == b"one\n"
    assert is_sealed(folder)
    done = subprocess.run(["sha256sum", "-c", SUMS], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "a: OK\nb b: OK\n")


def test_a_folder_of_before_is_read_as_it_is(tmp_path):
    (tmp_path / "a").write_text("one\n")
    assert read_sealed(tmp_path / "a", "") == b"one\n"
    assert not lists(tmp_path / "a")
    with pytest.raises(CheckpointError, match="SHA256SUMS is missing; cure"):
        read_sealed(tmp_path / "a", "cure", required=True)


def test_a_file_that_is_changed_gone_or_unknown_is_refused(folder):
    (folder / "a").write_text("One\n")
    (folder / "c").write_text("three\n")
    (folder / "b b").unlink()
    with pytest.raises(CheckpointError, match=r"a is damaged: its SHA-256 is not .*; cure"):
        read_sealed(folder / "a", "cure")
    with pytest.raises(CheckpointError, match=r"b b is missing; cure"):
        read_sealed(folder / "b b", "cure")
    with pytest.raises(CheckpointError, match=r"c has no digest in .*SHA256SUMS; cure"):
        read_sealed(folder / "c", "cure")
    assert lists(folder / "b b")
    with pytest.raises(CheckpointError, match=r"cannot be read: Is a directory"):
        read_sealed(folder, "cure")


@pytest.mark.parametrize("text", ["x", "x\n", "\n", f"{'0' * 64} a\n", f"{'0' * 64}  a"])
def test_digests_that_are_none(folder, text):
    (folder / SUMS).write_text(text)
    with pytest.raises(CheckpointError, match="SHA256SUMS is damaged"):
        read_sealed(folder / "a", "cure")
    (folder / SUMS).write_bytes(b"\xff\n")
    with pytest.raises(CheckpointError, match="SHA256SUMS is damaged: it is not UTF-8"):
        read_sealed(folder / "a", "cure")


def test_a_file_may_be_replaced_and_added(folder):
    write_sealed(folder / "a", "new\n")
    write_sealed(folder / "c", b"three\n")
    assert [read_sealed(folder / name, "") for name in ("a", "b b", "c")] == [
        *(b"new\n", b"two\n", b"three\n")
    ]
    assert len((folder / SUMS).read_text().splitlines()) == 3


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("n_replaced", range(4))
def test_a_process_killed_while_it_replaces_a_file_leaves_one_that_is_read(
    folder, monkeypatch, n_replaced
):
    replace, done = Path.replace, []

    def killed(self, target):
        if len(done) == n_replaced:
            raise Killed
        done.append(target)
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        try:
            write_sealed(folder / "a", "new\n")
        except Killed:
            assert n_replaced < 3
    assert read_sealed(folder / "a", "") == (b"one\n" if n_replaced < 2 else b"new\n")
    assert read_sealed(folder / "b b", "") == b"two\n"
    write_sealed(folder / "a", "newer\n")
    assert read_sealed(folder / "a", "") == b"newer\n"
