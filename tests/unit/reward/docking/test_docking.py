import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from molgfn.chem.molecule import read_molecule
from molgfn.errors import ScorerError
from molgfn.machine.remembered import Calls
from molgfn.reward.docking.settings import PRESETS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

GOOD = ["CC", "CCC", "CCCC", "CCN", "CCCN"]


def molecules(*smiles):
    return [read_molecule(text) for text in smiles]


def energies(results):
    return [None if math.isnan(r.energy_kcal_mol) else r.energy_kcal_mol for r in results]


def is_gone(pid):
    """Gone, or dead and not yet collected by whoever adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("it never happened")


def test_results_come_in_order_and_nothing_is_docked_twice(open_docking, calls):
    wanted = molecules(*GOOD, "CC", "OO", "CCC")
    done = []
    with open_docking() as docking:
        results = list(docking.dock(wanted, done.append))
        again = list(docking.dock(wanted, done.append))
        assert docking.calls == Calls(computed=6, known=6)
    assert energies(results) == [-len(m.smiles) / 4 - 1 for m in wanted]
    assert again == results
    assert sum(done) == 2 * len(wanted)
    assert sorted(calls.smiles) == sorted([*GOOD, "OO"])
    assert all("V2000" in result.molblock for result in results)


def test_results_are_streamed(open_docking, calls):
    with open_docking(n_workers=1) as docking:
        results = docking.dock(molecules("CC", "CI"))
        assert next(results).energy_kcal_mol == -1.5
        results.close()
    assert all(is_gone(pid) for pid in calls.processes)


def test_results_come_as_they_are_done_and_each_try_is_announced(open_docking):
    started = []
    with open_docking(n_workers=1, max_failures_in_row=1, tries=3) as docking:
        list(docking.dock(molecules("CC")))
        wanted = molecules("CBr", "CC", "CCC", "OB(O)C", "CCC")
        found = list(docking.results(wanted, lambda molecule: started.append(molecule.smiles)))
    assert [molecule.smiles for molecule, _ in found] == ["CB(O)O", "CC", "CBr", "CCC"]
    assert started == ["CBr"] * 3 + ["CCC"]
    assert [result.status for _, result in found] == ["failed", "ok", "failed", "ok"]
    assert [result.cost_s > 0 for _, result in found] == [False, False, True, True]


@pytest.mark.parametrize(("n_molecules", "n_processes"), [(1, 1), (2, 2), (5, 3)])
def test_no_more_processes_start_than_there_are_molecules(open_docking, n_molecules, n_processes):
    with open_docking(n_workers=3) as docking:
        list(docking.dock(molecules(*GOOD[:n_molecules])))
        assert len(docking._pool._workers) == n_processes


def test_a_scorer_too(open_docking):
    with open_docking() as docking:
        assert docking.columns == ("T_docked_kcal_mol",)
        scores = docking(molecules("CC", "CF"))
    assert scores.values["T_docked_kcal_mol"].tolist()[0] == -1.5
    assert scores.reasons == ("", "a reason of its own")


def test_the_poisoned_do_not_harm_the_good(open_docking, calls):
    poisoned = ["CI", "CBr", "CCl", "CS", "CF", "CP"]
    mixed = [s for pair in zip(GOOD, poisoned, strict=False) for s in pair]
    with open_docking(time_limit_s=1.0) as docking:
        results = dict(zip(mixed, docking.dock(molecules(*mixed)), strict=True))
    assert all(results[s].energy_kcal_mol == -len(s) / 4 - 1 for s in GOOD)
    aborted = results["CBr"].reason
    assert aborted.startswith("the docking process was killed by SIGABRT: ")
    assert aborted.endswith("terminate called")
    assert all(math.isnan(results[s].energy_kcal_mol) for s in poisoned if s != "CP")
    assert {s: (results[s].status, results[s].reason) for s in poisoned if s != "CP"} == {
        "CI": ("timeout", "not docked within 1 s"),
        "CBr": ("failed", aborted),
        "CCl": ("failed", "the docking engine failed: RuntimeError: no such map"),
        "CS": ("failed", "the docking engine failed: SystemExit: 1"),
        "CF": ("failed", "a reason of its own"),
    }
    assert Counter(calls.smiles)["CBr"] == 2
    assert Counter(calls.smiles)["CI"] == 1
    assert all(is_gone(pid) for pid in calls.processes)


def test_a_worker_that_dies_once_is_somebody_elses_fault(open_docking, calls):
    with open_docking(n_workers=1) as docking:
        (result,) = docking.dock(molecules("CP"))
    assert (result.status, result.energy_kcal_mol) == ("ok", -1.5)
    assert calls.smiles == ["CP", "CP"]


def test_failures_of_the_molecule_are_kept_and_those_of_the_moment_tried_again(open_docking, calls):
    wanted = molecules("CF", "CCl", "CI", "CC")
    for _ in range(2):
        with open_docking(time_limit_s=1.0) as docking:
            statuses = [result.status for result in docking.dock(wanted)]
        assert statuses == ["failed", "failed", "timeout", "ok"]
    assert Counter(calls.smiles) == {"CF": 1, "CC": 1, "CCl": 2, "CI": 2}


def test_a_job_in_which_nothing_works_any_more_stops(open_docking, calls):
    with open_docking(n_workers=1, max_failures_in_row=2) as docking:
        results = docking.dock(molecules("CC", "CCl", "CCC", "CCl", "CS", "CCCC"))
        assert [next(results).status for _ in range(3)] == ["ok", "failed", "ok"]
    with open_docking(n_workers=1, max_failures_in_row=2) as docking:
        results = docking.dock(molecules("CC", "CCl", "CS", "CCCC"))
        message = "2 failures in a row; the last, CS: the docking engine failed: SystemExit: 1;"
        with pytest.raises(ScorerError, match=message):
            list(results)
    assert "CCCC" not in calls.smiles


def test_refused_molecules_never_stop_a_job(open_docking, calls):
    boron = [f"OB(O){'C' * n}" for n in range(1, 6)]
    with open_docking(max_failures_in_row=1) as docking:
        results = list(docking.dock(molecules(*boron, "CF", "CC")))
    assert results[0].reason == "vina has no parameters for B"
    assert energies(results) == [None] * 6 + [-1.5]
    assert set(calls.smiles) == {"CF", "CC"}


@pytest.mark.parametrize(("seed", "message"), [(666, "no maps"), (667, "gone at once")])
def test_an_engine_that_does_not_start_stops_the_job(open_docking, seed, message):
    with (
        open_docking(replace(PRESETS["fast"], seed=seed)) as docking,
        pytest.raises(ScorerError, match=f"docking cannot start: {message}"),
    ):
        list(docking.dock(molecules("CC")))


def test_other_settings_and_targets_have_results_of_their_own(open_docking, calls, target):
    for seed in (1, 2, 1):
        with open_docking(replace(PRESETS["fast"], seed=seed)) as docking:
            (result,) = docking.dock(molecules("CC"))
        assert result.energy_kcal_mol == -0.5 - seed
    assert len(calls.smiles) == 2
    target.receptor.write_text("another\n")
    del target.__dict__["digest"]
    with open_docking(PRESETS["fast"]) as docking:
        list(docking.dock(molecules("CC")))
    assert len(calls.smiles) == 3


SCRIPT = """
import sys
from pathlib import Path
from molgfn.chem.molecule import read_molecule
from molgfn.reward.docking.docking import Docking
from molgfn.reward.docking.docking_target import DockingTarget
folder = Path(sys.argv[1])
receptor = folder / "receptor.pdbqt"
target = DockingTarget("T", receptor, (0.0, 0.0, 0.0), (20.0, 20.0, 20.0), "a test")
molecules = [read_molecule("C" * n + "O") for n in range(1, 13)][:: int(sys.argv[2])]
options = dict(n_workers=2, cache_file=folder / "c.sqlite", docker="fake_docker:make")
with Docking(target, **options) as docking:
    for result in docking.dock(molecules):
        print(result.energy_kcal_mol, flush=True)
"""


@pytest.fixture
def script(target, fake_docker, tmp_path):
    """The same job in a process of its own."""
    started = []

    def start(step=1):
        command = [sys.executable, "-c", SCRIPT, str(tmp_path), str(step)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_killed_job_loses_what_was_in_flight_and_leaves_no_worker(script, calls):
    first = script()
    wait_until(lambda: len(calls.smiles) >= 5)
    first.send_signal(signal.SIGKILL)
    first.wait()
    workers, n_before = calls.processes, len(calls.smiles)
    wait_until(lambda: all(is_gone(pid) for pid in workers))
    output, _ = script().communicate()
    assert [float(line) for line in output.splitlines()] == [-n / 4 - 1 for n in range(2, 14)]
    assert 12 <= len(calls.smiles) <= 12 + 2  # two workers, two molecules in flight
    assert n_before >= 5


def test_two_jobs_at_once_share_what_they_find(script, calls, tmp_path):
    jobs = [script(), script(step=-1)]
    outputs = [job.communicate()[0].splitlines() for job in jobs]
    assert outputs[0] == outputs[1][::-1]
    assert len(outputs[0]) == 12
    with sqlite3.connect(tmp_path / "c.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM results").fetchone() == (12,)
    connection.close()
    assert len(calls.smiles) < 24


def test_a_worker_ends_with_its_input_too(open_docking, calls):
    """What stands in for the kernel's signal where there is none."""
    with open_docking(n_workers=1) as docking:
        list(docking.dock(molecules("CC")))
        (worker,) = docking._pool._workers
        worker._process.stdin.close()
        assert worker._process.wait(timeout=30) == 0


def test_a_worker_that_dies_idle_is_replaced(open_docking, calls):
    with open_docking(n_workers=1) as docking:
        list(docking.dock(molecules("CC")))
        (process,) = calls.processes
        os.kill(process, signal.SIGKILL)
        wait_until(lambda: is_gone(process))
        assert energies(docking.dock(molecules("CCC", "CCCC"))) == [-1.75, -2.0]
    assert len(calls.processes) == 2
