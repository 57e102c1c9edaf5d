import csv
import io
import itertools
import json
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from molgfn.active.directory import RoundsDirectory

CONFIG = """
reward:
  factors:
    - {scorer: proxy, transform: sigmoid, low: 5.0, high: 20.0, name: length}
    - {scorer: QED, transform: sigmoid, low: 0.3, high: 0.7}
policy: {hidden: 16, layers: 1}
train:
  {steps: 4, batch_size: 16, updates_per_step: 1, n_beta_groups: 2, replay_batch_size: 8,
   checkpoint_every: 2, log_every: 2}
rounds:
  rounds: 2
  batch_size: 8
  initial_size: 40
  candidates: 60
  warm_steps: 3
  proxy_members: 2
  proxy_epochs: 3
  oracle:
    {scorer: "counting_oracle:score", column: length, direction: maximise, tries: 50,
     molecules_per_call: 2}
"""
TABLES = ("round_00.csv", "round_01.csv", "round_02.csv", "rounds.csv")


class Calls:
    """What the oracle of tests/support wrote down."""

    def __init__(self, log):
        self.log = log

    def count(self, word):
        text = self.log.read_text() if self.log.exists() else ""
        return Counter(line.split()[1] for line in text.splitlines() if line.startswith(f"{word} "))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A directory with a configuration."""
    path = tmp_path_factory.mktemp("rounds")
    (path / "config.yaml").write_text(CONFIG)
    return path


@pytest.fixture
def lab(folder, repository, monkeypatch):
    """An oracle that writes down its calls."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(repository / "tests" / "support"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def behave(name, **options):
        log = folder / f"{name}.calls"
        monkeypatch.setenv("COUNTING_ORACLE", json.dumps({"log": str(log), **options}))
        return Calls(log)

    return behave


def rows_of(path):
    return list(csv.DictReader(io.StringIO(path.read_text())))


def answered(run):
    if not (run / "ledger.sqlite").exists():
        return set()
    connection = sqlite3.connect(run / "ledger.sqlite")
    try:
        found = connection.execute("SELECT smiles FROM asked WHERE finished IS NOT NULL")
        return {smiles for (smiles,) in found}
    except sqlite3.OperationalError:  # not made yet, or its maker is at it
        return set()
    finally:
        connection.close()


@pytest.fixture
def undisturbed(lab, cli, folder):
    """The run that nothing happened to; made once."""
    calls = lab("undisturbed")
    if not (folder / "undisturbed").exists():
        result = cli("rounds", "config.yaml", "--run", "undisturbed", "--workers", "2")
        assert result.exit_code == 0, result.stderr
        assert result.stdout == ""
        assert "2 rounds are done" in result.stderr
    return folder / "undisturbed", calls


def test_rounds_write_their_tables_and_ask_once_for_each(undisturbed, cli):
    run, calls = undisturbed
    assert set(calls.count("end").values()) == {1}
    assert sum(calls.count("end").values()) == 40 + 8 + 8
    batch = rows_of(run / "round_02.csv")
    assert list(batch[0])[:12] == [
        *("SMILES", "Score", "length_predicted", "length_predicted_std", "acquisition", "length"),
        *("relation", "status", "reason", "nearest_earlier", "nearest_earlier_similarity"),
        "cluster",
    ]
    assert [row["ledger_entry"] for row in batch] == [f"02-{n:04d}" for n in range(1, 9)]
    for row in batch:
        assert float(row["length"]) == pytest.approx(len(row["SMILES"]) / 3 + 0.1, rel=1e-5)
        assert (run / row["checkpoint"] / "policy.safetensors").exists()
        assert row["status"] == "ok"
    acquisition = [float(row["acquisition"]) for row in batch]
    assert acquisition == sorted(acquisition, reverse=True)
    # Thompson's members combine as the policy of beta 32 needs them.
    policy = yaml.safe_load((run / "round_02" / "policy" / "config.yaml").read_text())
    assert policy["reward"]["acquisition"]["power"] == policy["train"]["beta_max"] == 32
    keys = [r["InChIKey"] for name in TABLES[:3] for r in rows_of(run / name)]
    assert len(keys) == len(set(keys))
    summary = rows_of(run / "rounds.csv")
    assert [row["calls"] for row in summary] == ["40", "48", "56"]
    values = sorted(
        (float(r["length"]) for n in TABLES[:3] for r in rows_of(run / n)), reverse=True
    )
    assert float(summary[2]["best"]) == pytest.approx(values[0])
    assert float(summary[2]["top_10"]) == pytest.approx(sum(values[:10]) / 10, rel=1e-5)
    assert summary[2]["top_100"] == ""
    assert (run / "rounds.png").stat().st_size > 0

    ledger = list(csv.DictReader(io.StringIO(cli("rounds", "ledger", "undisturbed").stdout)))
    assert len(ledger) == 56
    assert {row["status"] for row in ledger} == {"ok"}
    assert all(row["finished"] and "molgfn rounds" in row["asked_by"] for row in ledger)

    drawn = cli("sample", "undisturbed", "--n", "3")
    assert drawn.exit_code == 0
    assert drawn.stdout == cli("sample", "undisturbed/round_02/policy", "--n", "3").stdout

    again = cli("rounds", "--run", "undisturbed", "--resume", "--rounds", "2")
    assert again.exit_code == 0
    assert sum(calls.count("start").values()) == 56
    config = cli("rounds", "config.yaml", "--run", "undisturbed")
    assert config.exit_code == 1
    assert "holds a run already" in config.stderr


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("rounds.initial_size=20", "rounds.initial_size 20 gives the first round 20 measured"),
        ("reward.guard.kappa=1", "reward.guard.kappa"),
        (
            "reward.factors=[{scorer: proxy, transform: sigmoid, low: 5, high: 20}, "
            "{scorer: QEDD, transform: identity}]",
            "unknown scorer 'QEDD'",
        ),
    ],
)
def test_what_could_only_fail_after_the_oracle_was_paid_is_refused_before(
    lab, cli, folder, setting, message
):
    calls = lab("refused")
    result = cli("rounds", "config.yaml", "--run", "refused", "--set", setting)
    assert result.exit_code == 3
    assert message in result.stderr
    assert not calls.count("start")
    assert not (folder / "refused" / "config.yaml").exists()


def test_settings_that_may_prove_wrong_later_can_change(undisturbed, cli):
    run, _ = undisturbed
    before = [(run / name).read_bytes() for name in TABLES]
    for epochs in (10, 3):
        setting = f"rounds.proxy_epochs={epochs}"
        result = cli("rounds", "--run", "undisturbed", "--resume", "--set", setting)
        assert result.exit_code == 0, result.stderr
        assert f"proxy_epochs: {epochs}" in (run / "config.yaml").read_text()
    assert [(run / name).read_bytes() for name in TABLES] == before
    factor = "{scorer: proxy, transform: sigmoid, low: 5, high: 20, direction: minimise}"
    refused = cli(
        "rounds", "--run", "undisturbed", "--resume", "--set", f"reward.factors=[{factor}]"
    )
    assert refused.exit_code == 3
    assert "wants to minimise what rounds.oracle.direction says to maximise" in refused.stderr


def kill_when(start, arguments, reached):
    """Start the rounds and kill them as soon as something is there; False when they ended."""
    process = start(*arguments)
    while process.poll() is None:
        if reached():
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.002)
    assert process.returncode == 0, process.stderr.read()
    return False


def reached(run):
    """Moments to kill a run at, in their order."""
    policy = run / "round_01" / "policy"
    return {
        "initial set": lambda: len(answered(run)) >= 7,
        "proxy": (run / "round_01" / "proxy").exists,
        "policy begun": (policy / "vocabulary.yaml").exists,
        "policy half way": (policy / "checkpoints" / "step_00000002").exists,
        "batch": (run / "round_01" / "batch.csv").exists,
        "batch half measured": lambda: len(answered(run)) >= 43,
        "round written": (run / "round_01.csv").exists,
    }


def kill_and_compare(run, undisturbed, calls, start, moments):
    """Kill the rounds at each moment, then let them end; their tables are the undisturbed ones.

    Returns how many times they really were killed.
    """
    n_kills = 0
    for moment in [*moments, lambda: False]:
        begun = (run / "config.yaml").exists()
        where = ("--resume",) if begun else ("config.yaml",)
        known, before = answered(run), calls.count("start")
        killed = kill_when(start, ("rounds", *where, "--run", run.name, "--workers", "2"), moment)
        assert not known & set(calls.count("start") - before), "asked again for a known value"
        n_kills += killed
    assert not killed
    for name in TABLES:
        assert (run / name).read_bytes() == (undisturbed / name).read_bytes(), name
    return n_kills


def test_killed_and_resumed_the_tables_come_out_the_same(undisturbed, lab, start, folder):
    calls, run = lab("killed", flaky=0.03, seed=1), folder / "killed"
    moments = reached(run)
    chosen = [moments[name] for name in ("initial set", "policy half way", "batch half measured")]
    assert kill_and_compare(run, undisturbed[0], calls, start, chosen) == len(chosen)


@pytest.mark.slow
def test_killed_in_every_phase_the_tables_come_out_the_same(undisturbed, lab, start, folder):
    calls, run = lab("every_phase", flaky=0.03, seed=2), folder / "every_phase"
    moments = list(reached(run).values())
    assert kill_and_compare(run, undisturbed[0], calls, start, moments) == len(moments)


@pytest.mark.slow
def test_killed_at_random_the_tables_come_out_the_same(undisturbed, lab, start, folder):
    calls, run = lab("random", flaky=0.03, seed=3, seconds=0.02), folder / "random"
    draw = random.Random(0)

    def some_time_after_now():
        # Later and later, so that even a slow machine gets somewhere.
        until = []
        n = next(numbers)

        def has_come():
            if not until:
                until.append(time.monotonic() + draw.uniform(2.0, 8.0 + 2 * n))
            return time.monotonic() > until[0]

        return has_come

    numbers = itertools.count()
    moments = [some_time_after_now() for _ in range(6)]
    assert kill_and_compare(run, undisturbed[0], calls, start, moments) > 2


def test_a_second_process_on_the_run_is_refused(undisturbed, cli):
    with RoundsDirectory(undisturbed[0]).locked():
        second = cli("rounds", "--run", "undisturbed", "--resume")
        assert second.exit_code == 1
        assert "another process works in" in second.stderr


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ledger.sqlite", lambda data: data.replace(b"CCC", b"CCN")),
        ("round_02/batch.csv", lambda data: data.replace(b"0", b"1", 1)),
        ("config.yaml", lambda data: data + b"\n"),
        ("run.json", lambda data: data + b"\n"),
        ("vocabulary.yaml", lambda data: data + b"\n"),
    ],
)
def test_a_damaged_file_of_rounds_is_named(undisturbed, cli, folder, tmp_path, name, change):
    run = shutil.copytree(undisturbed[0], tmp_path / "copy")
    file = run / name
    file.write_bytes(change(file.read_bytes()))
    result = cli("rounds", "--run", run, "--resume")
    assert result.exit_code == 3
    last = result.stderr.splitlines()[-1]
    assert last.startswith("molgfn: error: ")
    assert f"{file} is damaged" in last
    assert "Traceback" not in result.stderr


def test_the_budget_is_spent_to_the_last_call(lab, cli, folder):
    calls = lab("budget")
    result = cli("rounds", "config.yaml", "--run", "budget", "--budget", "37", "--workers", "1")
    assert result.exit_code == 0, result.stderr
    assert "the budget of 37 calls is spent" in result.stderr
    assert sum(calls.count("end").values()) == 37
    assert len(rows_of(folder / "budget" / "round_00.csv")) == 37
    more = cli("rounds", "--run", "budget", "--resume", "--budget", "40", "--workers", "1")
    assert more.exit_code == 0
    assert sum(calls.count("end").values()) == 40
    assert len(rows_of(folder / "budget" / "round_01.csv")) == 3
    assert not (folder / "budget" / "round_02.csv").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["reward.factors.0.direction=minimise"], "wants to minimise"),
        (["reward.factors=[{scorer: QED, transform: identity}]"], "no factor that reads the proxy"),
        (["rounds.oracle.scorer=no_such_scorer"], "rounds.oracle.scorer"),
        (["rounds.oracle.scorer=QED", "rounds.oracle.column=null"], "choose another name"),
        (["rounds.oracle.column=length_of_it", "reward.factors.1.name=length_of_it"], "factor"),
        (["rounds.initial=nowhere.csv"], "nowhere.csv: no such file"),
        (["rounds.oracle.scorer=lab"], "rounds.initial is missing"),
        (["rounds.batch_size=100"], "rounds.candidates must be at least"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_asked(lab, cli, folder, settings, message):
    calls = lab("refused")
    options = [part for setting in settings for part in ("--set", setting)]
    result = cli("rounds", "config.yaml", "--run", "refused", *options)
    assert result.exit_code == 3
    assert message in result.stderr
    assert not calls.count("start")
    assert not (folder / "refused" / "config.yaml").exists()


def test_a_resumed_run_stays_what_it_is(undisturbed, cli):
    run = ("rounds", "--run", "undisturbed", "--resume")
    assert "keeps its rounds.batch_size" in cli(*run, "--batch-size", "9").stderr
    assert cli(*run, "--seed", "1").exit_code == 2
    assert cli("rounds", "--resume").exit_code == 2
    nothing = cli("rounds", "--run", "nowhere", "--resume")
    assert nothing.exit_code == 3
    assert "holds no rounds" in nothing.stderr
    assert not Path("nowhere").exists()


def test_help_has_an_example_for_every_command(cli):
    assert "Example: molgfn rounds --run runs/parp1" in cli("rounds", "run", "--help").stdout
    for command in ("propose", "ingest", "ledger"):
        assert f"Example: molgfn rounds {command}" in cli("rounds", command, "--help").stdout
    assert "ingest" in cli("rounds", "--help").stdout
