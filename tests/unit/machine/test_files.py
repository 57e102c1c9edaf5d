import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from molgfn.errors import OutputError
from molgfn.machine.files import (
    check_file_writable,
    check_folder_writable,
    remove_folder,
    remove_leftovers,
    replacing_file,
    replacing_folder,
    write_faults_named,
    write_file,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path):
    """A folder with an old file, in a folder of its own."""
    old = tmp_path / "place" / "thing"
    old.mkdir(parents=True)
    (old / "content").write_text("old")
    return old


def fill(folder, fault=None):
    with replacing_folder(folder) as fresh:
        (fresh / "deep").mkdir()
        (fresh / "deep" / "content").write_text("new")
        if fault is not None:
            raise fault


def test_text_and_bytes_replace_what_is_there(tmp_path):
    path = tmp_path / "a"
    write_file(path, "µ\n")
    assert path.read_bytes() == b"\xc2\xb5\n"
    write_file(path, b"\x00")
    assert path.read_bytes() == b"\x00"
    assert names(tmp_path) == ["a"]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*absent/v.yaml: No such file"):
        write_file(tmp_path / "absent" / "v.yaml", "new")
    target = tmp_path / "v.yaml"
    target.mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*v.yaml: Is a directory"):
        write_file(target, "new")
    target.rmdir()
    target.write_text("old")

    def fail():
        with replacing_file(target) as stream:
            stream.write(b"new")
            raise KeyError("of the caller")

    with pytest.raises(KeyError):
        fail()
    assert names(tmp_path) == ["v.yaml"]
    assert target.read_text() == "old"


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_is_told(tmp_path, monkeypatch, call):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "a"
    path.write_text("old")
    monkeypatch.setattr(*{"fsync": (os, "fsync", full), "replace": (Path, "replace", full)}[call])
    with pytest.raises(OutputError, match=r"cannot write .*a: No space left on device"):
        write_file(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_written_files_have_ordinary_permissions(tmp_path):
    write_file(tmp_path / "a", "text")
    (tmp_path / "b").write_text("text")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"}
    assert len(modes) == 1


@pytest.mark.parametrize("name", ["loop", "loop/file"])
def test_a_link_that_leads_to_itself_is_told(name, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(OutputError, match="too many levels of symbolic links"):
        write_file(tmp_path / name, "text")


def test_a_device_is_written_to_and_a_link_stays_one(tmp_path):
    write_file(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_file(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "text"


def test_faults_without_a_reason_of_the_system_are_told_too():
    with (
        pytest.raises(OutputError, match="cannot write the report: odd"),
        write_faults_named("the report"),
    ):
        raise OSError("odd")


def test_a_folder_appears_with_those_above_it_and_replaces_the_old(tmp_path, folder):
    fill(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c" / "deep" / "content").read_text() == "new"
    fill(folder)
    assert names(folder) == ["deep"]
    assert names(folder.parent) == ["thing"]


@pytest.mark.parametrize("fault", [KeyError("x"), KeyboardInterrupt()])
def test_a_failure_while_a_folder_is_filled_leaves_the_old_one(folder, fault):
    with pytest.raises(type(fault)):
        fill(folder, fault)
    assert (folder / "content").read_text() == "old"
    assert names(folder.parent) == ["thing"]


def test_a_folder_that_cannot_take_its_name_leaves_the_old_one(folder, monkeypatch):
    rename = Path.rename

    def refuse(path, target):
        if target == folder and not str(path).endswith("old.tmp"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match=r"cannot write .*thing: No space left on device"):
        fill(folder)
    assert (folder / "content").read_text() == "old"
    assert names(folder.parent) == ["thing"]


KILLED = """
import os, signal, sys
from pathlib import Path
from molgfn.machine.files import replacing_file, replacing_folder
path = Path(sys.argv[1])
if path.is_dir():
    with replacing_folder(path) as fresh:
        (fresh / "content").write_text("new")
        os.kill(os.getpid(), signal.SIGKILL)
with replacing_file(path) as stream:
    stream.write(b"new")
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_killed_process_leaves_the_old_and_only_hidden_names(folder, what):
    path = folder if what == "folder" else folder / "content"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert (folder / "content").read_text() == "old"
    (left,) = (name for name in names(path.parent) if name != path.name)
    assert left.startswith(".")
    assert left.endswith(".tmp")


def test_a_folder_is_deleted_with_what_is_in_it(folder):
    remove_folder(folder)
    remove_folder(folder)
    assert names(folder.parent) == []


def test_leftovers_go_and_what_has_a_name_stays(folder):
    for name in (".thing.12.tmp", ".thing.12.old.tmp"):
        (folder.parent / name).mkdir()
        (folder.parent / name / "content").touch()
    remove_leftovers(folder.parent)
    assert names(folder.parent) == ["thing"]


def test_places_that_can_be_written_are_told_before_the_work(tmp_path):
    check_file_writable(tmp_path / "a")
    for path, what in ((tmp_path, "is a directory"), (tmp_path / "b" / "c", "no directory")):
        with pytest.raises(OutputError, match=what):
            check_file_writable(path)
    check_folder_writable(tmp_path / "deep" / "a")
    assert names(tmp_path / "deep") == []
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*file/a: Not a directory"):
        check_folder_writable(tmp_path / "file" / "a")
