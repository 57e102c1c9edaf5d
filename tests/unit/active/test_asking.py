import signal
import subprocess
import sys

import counting_oracle
import pytest

from molgfn.active.asking import MAX_FAILURES_IN_ROW, ask
from molgfn.active.ledger import Ledger
from molgfn.active.local import LocalExecutor
from molgfn.errors import ScorerError


def ask_all(ledger, spec, *, molecules_per_call=1, n_workers=2, **options):
    executor = LocalExecutor(n_workers)
    ask(ledger, executor, spec, 2, molecules_per_call=molecules_per_call, **options)


def has_right_values(ledger):
    return all(row.value == counting_oracle.value(row.smiles) for row in ledger.rows(2))


@pytest.mark.parametrize("molecules_per_call", [1, 4])
def test_a_round_is_asked_once(ledger, planned, oracle, calls, molecules_per_call):
    ledger.plan(planned(), "me")
    spec, done = oracle(), []
    for _ in range(2):
        ask_all(ledger, spec, molecules_per_call=molecules_per_call, on_done=done.append)
    assert has_right_values(ledger)
    assert {row.tries for row in ledger.rows()} == {1}
    assert sum(done) == len(planned()) == ledger.calls().computed
    assert set(calls.started.values()) == {1}


def test_a_flaky_oracle_pays_for_every_molecule_once(ledger, planned, oracle, calls):
    ledger.plan(planned(), "me")
    spec = oracle(flaky=0.4, seed=1, tries=2)
    broke = 0
    while ledger.unanswered(2):
        try:
            ask_all(ledger, spec)
        except ScorerError:
            broke += 1
    assert broke > 0
    ok = [row for row in ledger.rows() if row.status == "ok"]
    assert all(row.value == counting_oracle.value(row.smiles) for row in ok)
    assert calls.ended == dict.fromkeys([row.smiles for row in ok], 1)
    assert {row.smiles: row.tries for row in ledger.rows()} == calls.started
    died = [row.reason for row in ledger.rows() if row.status == "failed"]
    assert all(reason.startswith("the scoring process ") for reason in died)


def test_only_what_was_handed_out_counts_as_tried(ledger, planned, oracle, calls):
    ledger.plan(planned(["CC", "CCC", "CCCC"]), "me")
    with pytest.raises(ScorerError, match="no luck with CCC"):
        ask_all(ledger, oracle(tries=2, by_smiles={"CCC": "raise"}), n_workers=1)
    assert [row.tries for row in ledger.rows()] == [1, 2, 0]
    assert [row.smiles for row in ledger.unanswered(2)] == ["CCC", "CCCC"]


def test_an_oracle_in_which_nothing_works_any_more_is_given_up(ledger, planned, oracle, calls):
    smiles = ["CO", *("C" * n for n in range(1, 15))]
    ledger.plan(planned(smiles), "me")
    spec = oracle(tries=1, by_smiles=dict.fromkeys(smiles[1:], "exit"))
    message = f"given up after {MAX_FAILURES_IN_ROW} failures in a row; the last, C+: the scoring"
    with pytest.raises(ScorerError, match=message):
        ask_all(ledger, spec, n_workers=1)
    assert len(ledger.unanswered(2)) == len(smiles) - 1 - MAX_FAILURES_IN_ROW


SCRIPT = """
import sys
from pathlib import Path
from molgfn.active.asking import ask
from molgfn.active.ledger import Ledger
from molgfn.active.local import LocalExecutor
from molgfn.active.oracle import OracleSpec
spec = OracleSpec.from_json(sys.argv[2])
with Ledger(Path(sys.argv[1])) as ledger:
    print("ready", flush=True)
    ask(ledger, LocalExecutor(2), spec, 2, molecules_per_call=2)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_killed_at_any_moment_it_loses_nothing_and_asks_nothing_twice(
    tmp_path, planned, oracle, calls, wait_until
):
    path, spec = tmp_path / "ledger.sqlite", oracle(seconds=0.1)
    with Ledger(path) as ledger:
        ledger.plan(planned(), "me")

    def start():
        command = [sys.executable, "-c", SCRIPT, str(path), spec.to_json()]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def answers():
        with Ledger(path) as ledger:
            return {row.entry: row for row in ledger.rows() if row.is_answered}

    moments = [
        lambda: True,  # while processes start
        lambda: calls.started,  # in the first call
        lambda: len(answers()) >= 2,
        lambda: len(answers()) >= 6,
    ]
    for moment in moments:
        with start() as process:
            process.stdout.readline()
            wait_until(moment)
            process.send_signal(signal.SIGKILL)
        wait_until(lambda: calls.are_gone)
        known = answers()
        before = {smiles: calls.started[smiles] for smiles in calls.started}
    with start() as process:
        process.wait()
    assert process.returncode == 0
    final = answers()
    assert len(final) == len(planned())
    for entry, row in known.items():
        assert final[entry] == row
        assert calls.started[row.smiles] == before[row.smiles]
    assert all(row.value == counting_oracle.value(row.smiles) for row in final.values())
    assert all(calls.started[row.smiles] == row.tries for row in final.values() if row.tries == 1)
    # What ended and was asked again had no chance to be entered: two processes, two molecules each.
    assert sum(calls.ended.values()) <= len(planned()) + 4 * len(moments)


def test_a_ledger_that_cannot_be_written_leaves_no_process(ledger, planned, oracle, calls):
    ledger.plan(planned(), "me")

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask_all(ledger, oracle(seconds=0.2), on_done=stop)
    assert calls.are_gone
    assert ledger.calls().computed == 1
