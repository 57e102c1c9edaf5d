"""Whatever is wrong with the input: one line, the right exit code, nothing half-written."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GOOD = "SMILES,Score\nCCO,0.5\n"

BAD_FILES = {
    "empty.csv": (b"", "empty.csv is empty"),
    "blank.smi": (b" \n\r\n", "blank.smi is empty"),
    "columns.csv": (b"id,structure\n1,CC\n", "its columns: id, structure"),
    "binary.csv": (bytes(range(256)) * 9, "not UTF-8 text"),
    "binary.smi": (b"CC\n\x00\x01\x02", "binary.smi line 2: binary data"),
    "ragged.csv": (b"SMILES,Score\nCC,1,2\n", "ragged.csv line 2: 3 fields"),
    "quote.csv": (b'SMILES,Score\n"CC,1\n', "not readable as CSV"),
    "cut.csv.gz": (b"\x1f\x8b\x08\x00", "damaged or cut short"),
    "twice.csv": (b"SMILES,Score,Score\nCC,1,2\n", "stands twice"),
}


def refused(result, code, message):
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.startswith("molgfn: error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


@pytest.mark.parametrize("command", ["score", "select"])
@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_table(cli, qed_alone, tmp_path, command, name):
    data, message = BAD_FILES[name]
    (tmp_path / name).write_bytes(data)
    options = qed_alone if command == "score" else []
    output = tmp_path / "out.csv"
    refused(cli(command, tmp_path / name, "-o", output, *options), 3, message)
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("command", ["score", "select"])
def test_a_missing_file_an_empty_pipe_and_a_directory(cli, tmp_path, command):
    refused(cli(command, tmp_path / "none.csv"), 3, "none.csv: no such file")
    refused(cli(command, "-", input=""), 3, "standard input is empty")
    refused(cli(command, tmp_path), 3, "cannot be read: Is a directory")
    refused(
        cli(command, "--smiles-column", "Smile", input=GOOD),
        3,
        "no column 'Smile'; its columns: SMILES, Score; did you mean SMILES?",
    )


def test_a_table_without_scores_cannot_be_selected_from(cli):
    refused(cli("select", input="SMILES\nCC\n"), 3, "no column 'Score' to select by")
    refused(cli("select", input="SMILES,Score\nCC,high\n"), 3, "Score must be a number or empty")


@pytest.mark.parametrize("command", ["score", "select"])
def test_places_that_cannot_be_written(cli, qed_alone, tmp_path, command):
    options = qed_alone if command == "score" else ["-k", "1"]
    (tmp_path / "file").touch()
    for output in (tmp_path, tmp_path / "none" / "out.csv", tmp_path / "file" / "out.csv"):
        refused(cli(command, "-o", output, *options, input=GOOD), 1, "cannot write")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory(cli, qed_alone, tmp_path):
    tmp_path.chmod(0o500)
    refused(cli("score", "-o", tmp_path / "o.csv", *qed_alone, input=GOOD), 1, "Permission denied")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("args", [["select", "-k", "1"], ["config"]])
def test_a_full_disk(start, args):
    with Path("/dev/full").open("w") as full:
        process = start(*args, stdin=subprocess.PIPE, stdout=full)
        _, stderr = process.communicate(GOOD, timeout=120)
    assert process.returncode == 1
    assert stderr == ("molgfn: error: cannot write standard output: No space left on device\n")


CONFIGS = {
    "train: {stepz: 3}": "unknown key train.stepz; did you mean train.steps?",
    "train: {steps: soon}": "train.steps must be a whole number",
    "reward: {proxy: 3}": "reward.proxy must be text",
    "seed: 1\nseed: 2": "stands twice",
    "limits: {max_heavy_atoms: 0}": "limits.max_heavy_atoms must be at least 1",
    "reward: {factors: [{scorer: QED, transform: sigmoyd}]}": "did you mean sigmoid?",
    ": {": "line 1",
}


@pytest.mark.parametrize("text", CONFIGS)
@pytest.mark.parametrize("command", ["score", "train", "config"])
def test_a_configuration_with_a_mistake(cli, tmp_path, command, text):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    args = {
        "score": ("score", "--config", path),
        "train": ("train", path, "--run", tmp_path / "run"),
        "config": ("config", "check", path),
    }
    refused(cli(*args[command], input=GOOD), 3, CONFIGS[text])
    assert [p.name for p in tmp_path.iterdir()] == ["c.yaml"]


def test_a_proxy_that_does_not_exist(cli, tmp_path):
    result = cli("score", "--set", f"reward.proxy={tmp_path}/none", input=GOOD)
    refused(result, 3, f"{tmp_path}/none")


def test_a_proxy_that_is_damaged(cli, tmp_path, repository):
    proxy = tmp_path / "proxy"
    proxy.mkdir()
    for file in (repository / "molgfn" / "shipped" / "proxy" / "parp1").iterdir():
        (proxy / file.name).write_bytes(file.read_bytes())
    weights = proxy / "proxy.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    result = cli("score", "--set", f"reward.proxy={proxy}", input=GOOD)
    refused(result, 3, str(proxy))


def test_a_single_bit_of_a_proxy_is_enough(cli, tmp_path, repository):
    proxy = tmp_path / "proxy"
    shutil.copytree(repository / "molgfn" / "shipped" / "proxy" / "parp1", proxy)
    for name in ("proxy.safetensors", "proxy.json", "SHA256SUMS"):
        content = (proxy / name).read_bytes()
        (proxy / name).write_bytes(bytes([*content[:-99], content[-99] ^ 1, *content[-98:]]))
        result = cli("score", "--set", f"reward.proxy={proxy}", input=GOOD)
        refused(result, 3, f"{name}")
        assert "fit the proxy again" in result.stderr
        (proxy / name).write_bytes(content)


def test_runs_that_are_none(cli, tmp_path):
    refused(cli("sample", tmp_path / "none", "--n", "3"), 3, "none")
    refused(cli("sample", tmp_path, "--n", "3", "-o", tmp_path / "o.csv"), 3, str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    result = cli("train", "--run", tmp_path / "none", "--resume")
    refused(result, 2, "--resume")


def test_sampling_options_that_cannot_be(cli, tmp_path):
    refused(cli("sample", "--device", "gpu"), 3, "device must be auto, cpu, cuda or cuda:N")
    refused(cli("sample", "--n", "3", "--top-k", "4"), 2, "cannot be taken from --n 3")
    for command in ("sample", "evaluate"):
        for beta in ("nan", "0", "-1", "inf"):
            refused(cli(command, "--beta", beta), 2, "--beta must be a number above 0")
        refused(cli(command, "--beta", "1e300"), 2, "--beta must be at most 10000, got 1e+300")
        for seed in ("-1", "99999999999999999999"):
            result = cli(command, "--seed", seed)
            assert (result.exit_code, result.stdout) == (2, "")
            assert "--seed" in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("args", [["--help"], ["--version"], ["score", "-h"]])
def test_help_on_a_full_disk(start, args):
    with Path("/dev/full").open("w") as full:
        process = start(*args, stdout=full)
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1
    assert stderr == "molgfn: error: No space left on device; free some space\n"


@pytest.mark.parametrize(
    ("command", "code", "stderr"),
    [
        ("config >&-", 1, "molgfn: error: standard output is closed\n"),
        ("select <&-", 3, "molgfn: error: standard input is closed; give a file\n"),
    ],
)
def test_closed_standard_streams(command, code, stderr):
    shell = ["sh", "-c", f"{sys.executable} -m molgfn {command}"]
    done = subprocess.run(shell, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", stderr)


@pytest.mark.parametrize("args", [["--help"], ["fragments", "check"]])
def test_a_reader_that_has_gone_is_no_fault(start, args):
    read, write = os.pipe()
    os.close(read)
    process = start(*args, stdout=write)
    os.close(write)
    _, stderr = process.communicate(timeout=120)
    assert (process.returncode, stderr) == (0, "")


LONG = "n" * 300


@pytest.mark.parametrize(
    "args",
    [
        ("sample", LONG, "--n", "3"),
        ("evaluate", LONG),
        ("train", "--run", LONG, "--resume"),
        ("train", "--run", "run", "--set", f"vocabulary={LONG}"),
        ("score", "--set", f"reward.proxy={LONG}"),
        ("score", f"{LONG}.csv"),
        ("score", "-o", f"{LONG}.csv"),
        ("select", LONG),
        ("dock", LONG),
        ("config", "check", LONG),
        ("fragments", "check", LONG),
        ("fragments", "show", "-o", f"{LONG}.svg"),
        ("fragments", "build", LONG, "-o", "v.yaml"),
        ("fragments", "build", "-", "-o", f"{LONG}.yaml"),
        ("proxy", "fit", LONG, "--target-column", "a", "-o", "p"),
        ("proxy", "evaluate", LONG),
        ("rounds", LONG),
        ("rounds", "--run", LONG, "--resume"),
        ("rounds", "ingest", LONG, LONG),
        ("targets", "show", LONG),
    ],
)
def test_a_name_that_is_too_long_for_a_file(cli, tmp_path, monkeypatch, args):
    monkeypatch.chdir(tmp_path)
    result = cli(*args, input=GOOD)
    assert (result.exit_code in (1, 3), result.stdout) == (True, "")
    assert result.stderr.startswith("molgfn: error: ")
    assert result.stderr.count("\n") == 1
    assert LONG in result.stderr or "no target" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "args",
    [
        ("train", "--run", ""),
        ("train", "--run="),
        ("sample", "-o", "", "--n", "3"),
        ("rounds", "--run", ""),
        ("proxy", "fit", "a.csv", "--target-column", "x", "--output", ""),
    ],
)
def test_an_empty_path_is_not_the_current_directory(cli, tmp_path, monkeypatch, args):
    monkeypatch.chdir(tmp_path)
    refused(cli(*args), 2, "has an empty value; give one or leave")
    assert list(tmp_path.iterdir()) == []


def test_a_column_may_have_no_name(cli, qed_alone):
    result = cli("score", "--smiles-column", "", *qed_alone, input=",x\nCC,1\n")
    assert result.exit_code == 0


def no_passwd(*_):
    raise KeyError("getpwuid(): uid not found: 12345")


@pytest.mark.parametrize("command", [("targets", "list"), ("targets", "show", "mine")])
def test_a_container_without_a_home(cli, monkeypatch, command):
    for name in ("HOME", "MOLGFN_DATA_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", no_passwd)
    refused(cli(*command), 3, "there is no home directory; set MOLGFN_DATA_DIR to a folder")


def test_memory_that_is_not_there(cli, monkeypatch):
    def fails(*_):
        raise MemoryError

    monkeypatch.setattr("molgfn.config.loader.dump_config", fails)
    refused(cli("config"), 1, "there is not enough memory")


@pytest.mark.parametrize("command", ["score", "select", "dock", "evaluate", "fragments build"])
@pytest.mark.parametrize("name", ["a.mol2", "a.json", "a.xls", "a.parquet", "a.xyz.gz"])
def test_a_format_that_is_not_read(cli, tmp_path, command, name):
    (tmp_path / name).write_text(GOOD)
    options = {"evaluate": ("--file",), "fragments build": ("-o", tmp_path / "v.yaml")}
    args = (*command.split(), *options.get(command, ()), tmp_path / name)
    refused(cli(*args), 3, f"files ending in .{name.split('.')[1]} are not read; expected .csv")


@pytest.mark.parametrize("command", ["score", "select", "dock", "sample"])
@pytest.mark.parametrize("name", ["out.xlsx", "out.tsv.gz", "out.smi", "out.parquet"])
def test_a_format_that_is_not_written(cli, tmp_path, command, name):
    result = cli(command, "-o", tmp_path / name, input=GOOD)
    refused(result, 1, f"cannot write {tmp_path / name}: tables are CSV; give a name that ends in")
    assert list(tmp_path.iterdir()) == []


def test_poses_are_written_to_sd_files(cli, tmp_path):
    result = cli("dock", "--poses", tmp_path / "p.pdb", input=GOOD)
    refused(result, 1, "poses are records of an SD file; give a name that ends in .sdf")
