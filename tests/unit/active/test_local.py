import os
import signal
import subprocess
import sys
import threading
from collections import Counter

import counting_oracle
import pytest

from molgfn.active.executors import open_executor
from molgfn.active.local import LocalExecutor
from molgfn.active.oracle import OracleSpec
from molgfn.config.rounds_schema import OracleConfig
from molgfn.errors import ScorerError

CALLS = [("CC", "CCC"), ("CO",), ("CN", "CCN"), ("CCO",), ("CCCO",)]


def run(spec, calls=CALLS, n_workers=2):
    return dict(LocalExecutor(n_workers).run(spec, calls))


def test_every_call_is_answered_once_in_the_order_of_its_molecules(oracle, calls):
    started = []
    with open_executor(None, 2) as executor:
        found = list(executor.run(oracle(), CALLS, started.append))
    assert sorted(index for index, _ in found) == sorted(started) == list(range(len(CALLS)))
    for index, answers in found:
        assert [a.value for a in answers] == [counting_oracle.value(s) for s in CALLS[index]]
        assert {(a.status, a.reason, a.relation) for a in answers} == {("ok", "", "=")}
    assert set(calls.started.values()) == set(calls.ended.values()) == {1}
    assert calls.are_gone


def test_a_process_serves_many_calls_and_ends_with_the_last(oracle, calls):
    executor = LocalExecutor(1)
    assert len(list(executor.run(oracle(), CALLS))) == len(CALLS)
    assert len(calls.processes) == 1
    assert calls.are_gone
    other = OracleSpec.of(OracleConfig("MW", column="mass"))
    ((_, (answer,)),) = executor.run(other, [("O",)])
    assert answer.value == pytest.approx(18.015)


def test_no_call_starts_no_process():
    assert list(LocalExecutor().run(OracleSpec.of(OracleConfig("MW")), [])) == []


def test_no_process_is_left_when_nobody_asks_any_more(oracle, calls):
    running = LocalExecutor(2).run(oracle(by_smiles={"CN": "hang"}), CALLS)
    next(running)
    running.close()
    assert calls.are_gone


def test_a_molecule_without_a_number_fails_alone(oracle):
    found = run(oracle(by_smiles={"CCC": "none"}))
    good, bad = found[0]
    assert good.status == "ok"
    assert (bad.status, bad.is_breakdown) == ("failed", False)
    assert bad.reason == "counting_oracle:score gave no number"


@pytest.mark.parametrize(
    ("what", "how"),
    [("exit", "ended with exit code 3"), ("abort", "was killed by SIGABRT: terminate called")],
)
def test_a_process_that_dies_is_replaced_and_its_call_repeated(oracle, calls, what, how):
    found = run(oracle(by_smiles={"CN": what, "CO": f"{what}_once"}))
    assert {a.status for index in (0, 1, 3, 4) for a in found[index]} == {"ok"}
    assert [(a.status, a.reason, a.is_breakdown) for a in found[2]] == [
        ("failed", f"the scoring process {how}", True)
    ] * 2
    assert (calls.started["CN"], calls.started["CO"], calls.started["CCO"]) == (3, 2, 1)
    assert "CCN" not in calls.started


def test_a_process_killed_from_outside_loses_no_answer(oracle, calls, wait_until):
    spec = oracle(by_smiles={"CCO": "hang_once"})

    def kill():
        wait_until(lambda: calls.started["CCO"])
        (process,) = [pid for smiles, pid in calls.starts if smiles == "CCO"]
        os.kill(process, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    found = run(spec)
    killer.join()
    assert {a.status for answers in found.values() for a in answers} == {"ok"}
    assert calls.started["CCO"] == 2
    assert set(calls.ended.values()) == {1}


def test_a_call_that_takes_too_long_is_not_repeated(oracle, calls):
    found = run(oracle(timeout_s=2.0, by_smiles={"CN": "hang"}))
    assert [(a.status, a.reason, a.is_breakdown) for a in found.pop(2)] == [
        ("timeout", "not answered within 4 s", True)
    ] * 2
    assert {a.status for answers in found.values() for a in answers} == {"ok"}
    assert calls.started["CN"] == 1
    assert calls.are_gone


def test_an_oracle_that_breaks_is_asked_again_and_then_given_up(oracle, calls):
    found = run(oracle(by_smiles={"CN": "raise_once"}))
    assert {a.status for answers in found.values() for a in answers} == {"ok"}
    assert calls.started["CN"] == 2
    answered = []
    calls.log.unlink()
    running = LocalExecutor(1).run(oracle(tries=2, by_smiles={"CN": "raise"}), CALLS)
    with pytest.raises(ScorerError, match="RuntimeError: no luck with CN"):
        answered.extend(running)
    assert [index for index, _ in answered] == [0, 1]
    assert calls.started["CN"] == 2
    assert "CCO" not in calls.started


def test_what_is_under_way_when_the_oracle_breaks_is_waited_for(oracle, calls):
    spec = oracle(tries=1, seconds=0.5, by_smiles={"CN": "raise"})
    answered = []
    running = LocalExecutor(2).run(spec, [("CN",), ("CO",), ("CCO",), ("CCCO",)])
    with pytest.raises(ScorerError, match="no luck"):
        answered.extend(running)
    assert calls.started == calls.ended + Counter(["CN"])
    assert len(answered) == sum(calls.ended.values())


@pytest.fixture
def program(tmp_path):
    """A program whose own child writes down its number and stays."""
    path = tmp_path / "slow.sh"
    path.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {tmp_path}/pid\nwait\n")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="needs sh and /proc")
def test_a_program_ends_with_the_call_that_takes_too_long(program, tmp_path, is_gone):
    found = run(OracleSpec.of(OracleConfig(f"command: {program}", timeout_s=2.0)), [("CC",)])
    assert found[0][0].status == "timeout"
    assert is_gone(int((tmp_path / "pid").read_text()))


SCRIPT = """
import sys
from molgfn.active.local import LocalExecutor
from molgfn.active.oracle import OracleSpec
list(LocalExecutor(1).run(OracleSpec.from_json(sys.argv[1]), [("CC",)]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs sh and /proc")
def test_a_program_ends_with_the_process_that_asks(program, tmp_path, is_gone, wait_until):
    spec = OracleSpec.of(OracleConfig(f"command: {program}"))
    pid = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", SCRIPT, spec.to_json()]) as asking:
        wait_until(lambda: pid.exists() and pid.read_text())
        asking.kill()
    wait_until(lambda: is_gone(int(pid.read_text())))
