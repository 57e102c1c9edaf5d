import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import counting_oracle
import pytest

from molgfn.active.asking import ask
from molgfn.active.executors import open_executor
from molgfn.errors import MissingPackageError, MolgfnError, ScorerError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


class Cluster:
    """A scheduler and two workers with one thread each, in processes of their own."""

    def __init__(self, folder):
        self._file = folder / "scheduler.json"
        self._folder = folder
        self.processes = []
        self.address = ""

    def start(self, wait_until):
        file = ["--scheduler-file", str(self._file)]
        self._run("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", *file)
        wait_until(self._file.exists)
        for _ in range(2):
            self._run("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard", *file)
        self.address = json.loads(self._file.read_text())["address"]

    def _run(self, *words):
        command = [sys.executable, "-m", "dask", *words]
        with (self._folder / f"{len(self.processes)}.log").open("w") as log:
            self.processes.append(
                subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)
            )

    def stop(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path, wait_until, oracle):
    """Start it after ``oracle(...)``: its processes inherit what the oracle is told."""
    started = Cluster(tmp_path)
    yield started
    started.stop()


@pytest.fixture
def killed_while_asking(calls, wait_until):
    """Makes a block during which the Dask worker that is asked for a molecule is killed."""

    @contextmanager
    def during(smiles):
        def kill():
            wait_until(lambda: calls.started[smiles])
            (process,) = [pid for asked, pid in calls.starts if asked == smiles]
            stat = Path(f"/proc/{process}/stat").read_text()
            os.kill(int(stat.rsplit(")", 1)[1].split()[1]), signal.SIGKILL)  # its parent

        killer = threading.Thread(target=kill)
        killer.start()
        yield
        killer.join()

    return during


def test_a_worker_that_is_killed_costs_nothing_and_nothing_is_paid_twice(
    ledger, planned, oracle, calls, cluster, wait_until, killed_while_asking
):
    entries = planned()[:6]
    ledger.plan(entries, "me")
    slow = entries[2].smiles
    spec = oracle(by_smiles={slow: "hang_once"})
    cluster.start(wait_until)
    with open_executor(cluster.address) as executor, killed_while_asking(slow):
        ask(ledger, executor, spec, 2, molecules_per_call=1)
    assert [row.value for row in ledger.rows()] == [
        counting_oracle.value(row.smiles) for row in ledger.rows()
    ]
    assert calls.ended == dict.fromkeys([entry.smiles for entry in entries], 1)
    assert calls.started == calls.ended + Counter([slow])
    wait_until(lambda: calls.are_gone)


def test_crashes_and_broken_oracles_are_as_on_one_machine(oracle, calls, cluster, wait_until):
    spec = oracle(tries=2, by_smiles={"CN": "abort", "CO": "exit_once", "CCN": "raise"})
    cluster.start(wait_until)
    with open_executor(cluster.address) as executor:
        found = dict(executor.run(spec, [("CN", "CC"), ("CO",)]))
        with pytest.raises(ScorerError, match="RuntimeError: no luck with CCN"):
            list(executor.run(spec, [("CCN",)]))
    reason = "the scoring process was killed by SIGABRT: terminate called"
    assert [(a.status, a.reason, a.is_breakdown) for a in found[0]] == [
        ("failed", reason, True)
    ] * 2
    assert [a.value for a in found[1]] == [counting_oracle.value("CO")]
    assert calls.started == {"CN": 2, "CO": 2, "CCN": 2}


def test_a_call_that_takes_worker_after_worker_along_is_a_failure(
    oracle, calls, cluster, wait_until, killed_while_asking, monkeypatch
):
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    spec = oracle(by_smiles={"CN": "hang"})
    cluster.start(wait_until)
    with open_executor(cluster.address) as executor, killed_while_asking("CN"):
        ((_, answers),) = executor.run(spec, [("CN", "CC")])
    assert [(a.status, a.is_breakdown) for a in answers] == [("failed", True)] * 2
    assert "Attempted to run task" in answers[0].reason


def test_a_scheduler_that_is_lost_is_named(oracle, calls, cluster, wait_until):
    spec = oracle(by_smiles={"CN": "hang"})
    cluster.start(wait_until)
    with open_executor(cluster.address) as executor:
        running = executor.run(spec, [("CO",), ("CN",)])
        assert next(running)[0] == 0
        cluster.processes[0].kill()
        with pytest.raises(ScorerError, match=f"the Dask cluster at {cluster.address} failed"):
            list(running)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "carrier-pigeon://home", "nowhere"])
def test_a_scheduler_that_does_not_answer_is_named(address, monkeypatch):
    monkeypatch.setattr("molgfn.active.dask._CONNECT_LIMIT_S", 0.5)
    with pytest.raises(MolgfnError, match=f"no Dask scheduler answers at '{address}'.*dask sched"):
        open_executor(address)


def test_without_the_package_the_cure_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'molgfn\[dask\]'"):
        open_executor("tcp://127.0.0.1:9")


def test_dask_is_not_loaded_unasked():
    code = (
        "import sys; from molgfn.active.executors import open_executor\n"
        "with open_executor(None): sys.exit(any(m in sys.modules for m in ('distributed', 'dask')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
