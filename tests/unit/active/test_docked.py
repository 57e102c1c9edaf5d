import sys
from collections import Counter
from dataclasses import replace
from functools import partial

import pytest

from molgfn.active import docked as docked_module
from molgfn.active.asking import ask
from molgfn.active.local import LocalExecutor, measure_apart
from molgfn.active.oracle import OracleSpec
from molgfn.config.rounds_schema import OracleConfig
from molgfn.errors import ScorerError, TargetError
from molgfn.machine.remembered import Calls
from molgfn.reward.docking.catalogue import find_target
from molgfn.reward.docking.docking import Docking

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="worker processes")


@pytest.fixture
def folder(tmp_path):
    """Where the docking processes write down what they are asked."""
    return tmp_path / "docking"


@pytest.fixture
def opened(fake_docker, folder, monkeypatch):
    """Have the oracle dock nothing really; gives the options it was opened with."""
    folder.mkdir()
    (folder / "receptor.pdbqt").write_text("ATOM\n")
    target = replace(find_target("PARP1"), receptor=folder / "receptor.pdbqt")
    options_seen = []

    def open_docking(*arguments, **options):
        options_seen.append(options)
        make = partial(Docking, docker=fake_docker, cache_file=folder / "c.sqlite")
        return make(*arguments, **options)

    monkeypatch.setattr(docked_module, "find_target", lambda _: target)
    monkeypatch.setattr("molgfn.active.oracle.find_target", lambda _: target)
    monkeypatch.setattr(docked_module, "Docking", open_docking)
    return options_seen


@pytest.fixture
def docked(folder):
    """How often each molecule was handed to a process, and which processes there were."""

    def count():
        lines = [line.split() for line in (folder / "calls.txt").read_text().splitlines()]
        return Counter(smiles for _, smiles in lines), {process for process, _ in lines}

    return count


def spec(**options):
    return OracleSpec.of(OracleConfig(**options))


def test_failures_of_the_molecule_differ_from_breakdowns(opened):
    calls = [("CC", "CI", "CBr", "CCl"), ("CF", "OB(O)C"), ("C1CC", "CCC")]
    found = dict(LocalExecutor(2).run(spec(timeout_s=1.0), calls))
    assert [(a.status, a.is_breakdown) for index in range(3) for a in found[index]] == [
        ("ok", False),
        ("timeout", True),
        *[("failed", True)] * 2,
        *[("failed", False)] * 2,
        ("failed", False),
        ("ok", False),
    ]
    assert found[0][0].value == -1.5
    assert found[0][1].cost_s >= 1.0
    assert "RDKit cannot read 'C1CC'" in found[2][0].reason
    assert all(a.reason for answers in found.values() for a in answers if a.status != "ok")


def test_one_set_of_processes_serves_all_calls_also_the_molecules_of_one(opened, docked):
    smiles = [f"{'C' * n}O" for n in range(1, 9)]
    found = list(LocalExecutor(2).run(spec(), [tuple(smiles)]))
    assert [[a.value for a in answers] for _, answers in found] == [
        [-len(s) / 4 - 1 for s in smiles]
    ]
    handed_out, processes = docked()
    assert handed_out == dict.fromkeys(smiles, 1)
    assert len(processes) == 2
    assert [options["n_workers"] for options in opened] == [2]


def test_a_call_is_announced_once_for_each_try_and_also_where_all_is_known(opened, docked):
    executor, calls = LocalExecutor(1), [("CC", "CCC"), ("CP",), ("CBr", "CN")]
    started = []
    found = dict(executor.run(spec(tries=3), calls, started.append))
    assert Counter(started) == {0: 1, 1: 2, 2: 3}
    assert found[2][0].reason.startswith("the docking process was killed by SIGABRT")
    assert docked()[0]["CBr"] == 3
    started.clear()
    again = dict(executor.run(spec(), [calls[0]], started.append))
    assert started == [0]
    assert [a.value for a in again[0]] == [a.value for a in found[0]]
    assert docked()[0]["CC"] == 1


def test_rounds_that_dock_keep_their_ledger(opened, docked, ledger, planned):
    ledger.plan(planned(["CC", "CP", "CI"]), "me")
    for _ in range(2):
        ask(ledger, LocalExecutor(2), spec(timeout_s=1.0), 2, molecules_per_call=1)
    rows = {row.smiles: row for row in ledger.rows()}
    assert {smiles: (row.status, row.tries) for smiles, row in rows.items()} == {
        "CC": ("ok", 1),
        "CP": ("ok", 2),
        "CI": ("timeout", 1),
    }
    assert rows["CI"].cost_s >= 1.0
    assert ledger.calls() == Calls(computed=3)
    assert docked()[0] == {smiles: row.tries for smiles, row in rows.items()}


def test_failures_in_a_row_are_counted_over_all_calls(opened, docked, ledger, planned, monkeypatch):
    monkeypatch.setattr("molgfn.active.asking.MAX_FAILURES_IN_ROW", 3)
    ledger.plan(planned(["CCl", "CC", "CI", "CS", "CBr", "CCC"]), "me")
    with pytest.raises(ScorerError, match="given up after 3 failures in a row; the last, CBr"):
        ask(ledger, LocalExecutor(1), spec(timeout_s=1.0), 2, molecules_per_call=1)
    assert [row.smiles for row in ledger.unanswered(2)] == ["CCC"]
    assert "CCC" not in docked()[0]


def test_a_dask_worker_docks_in_one_process_of_its_own(opened, docked):
    (good, bad) = measure_apart(spec().to_json(), ("CC", "CF"))
    assert (good.value, bad.reason) == (-1.5, "a reason of its own")
    assert [options["n_workers"] for options in opened] == [1]
    assert len(docked()[1]) == 1


def test_another_receptor_under_the_same_name_is_refused(monkeypatch):
    asked = spec()
    other = find_target("KIT")
    monkeypatch.setattr(docked_module, "find_target", lambda _: other)
    with pytest.raises(TargetError, match="not the one this run was begun with"):
        list(LocalExecutor(1).run(asked, [("CC",)]))


def test_docking_that_cannot_start_breaks_the_oracle(opened, folder, monkeypatch):
    monkeypatch.setattr(
        docked_module, "PRESETS", {"default": replace(docked_module.PRESETS["default"], seed=666)}
    )
    with pytest.raises(ScorerError, match="docking cannot start: no maps"):
        list(LocalExecutor(1).run(spec(), [("CC",)]))
