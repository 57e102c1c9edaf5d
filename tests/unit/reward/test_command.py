import shlex
import sys
import time
import tracemalloc

import numpy as np
import pytest

from molgfn.chem.molecule import read_molecule
from molgfn.config.reward_schema import FactorConfig
from molgfn.errors import ConfigError, ScorerError
from molgfn.reward.command import CommandScorer
from molgfn.reward.scorers import find_scorer

MOLECULES = [read_molecule(smiles) for smiles in ("CC", "CCO", "c1ccccc1")]


@pytest.fixture
def program(tmp_path):
    """A scorer that runs a piece of Python; `lines` holds the SMILES."""

    def make(code, column=None, timeout_s=60.0):
        path = tmp_path / "score.py"
        path.write_text(f"import os, sys, time\nlines = sys.stdin.read().splitlines()\n{code}\n")
        command = shlex.join([sys.executable, str(path)])
        return CommandScorer("mine", command, column, timeout_s)

    return make


def test_one_number_a_molecule(program):
    scorer = program("print('SMILES,length')\nfor s in lines: print(f'{s},{len(s)}')")
    scores = scorer(MOLECULES)
    assert scorer.columns == ("mine",)
    assert scores.values["mine"].tolist() == [2.0, 3.0, 8.0]
    assert scores.reasons == ("", "", "")


def test_the_column_can_be_named(program):
    code = "print('a,b')\nfor s in lines: print('1,2')"
    assert program(code)(MOLECULES).values["mine"].tolist() == [1.0] * 3
    assert program(code, column="b")(MOLECULES).values["mine"].tolist() == [2.0] * 3
    with pytest.raises(ScorerError, match="wrote no column 'c', only a, b"):
        program(code, column="c")(MOLECULES)


def test_a_missing_number_is_a_failure_with_a_reason_and_not_zero(program):
    scores = program("print('x,reason\\n1.5,\\nnan,\\n,no pose')")(MOLECULES)
    assert scores.values["mine"][0] == 1.5
    assert np.isnan(scores.values["mine"][1:]).all()
    assert scores.reasons == ("", "no value", "no pose")


def test_a_crash_is_told_with_the_end_of_its_complaints(program):
    with pytest.raises(ScorerError, match="ended with exit code 3: licence expired"):
        program("print('licence expired', file=sys.stderr); sys.exit(3)")(MOLECULES)


@pytest.mark.parametrize(
    "code", ["print('x')", "print('x\\n1\\n2')", "print('x\\n1\\n2\\n3\\n4')", ""]
)
def test_a_wrong_number_of_rows_is_an_error(program, code):
    with pytest.raises(ScorerError, match=r"wrote \d rows for 3 molecules"):
        program(code)(MOLECULES)


def test_text_where_a_number_belongs_is_an_error(program):
    with pytest.raises(ScorerError, match="wrote 'good' in row 2, not a number"):
        program("print('x\\n1\\ngood\\n3')", column="x")(MOLECULES)
    with pytest.raises(ScorerError, match="wrote no numeric column, only x"):
        program("print('x\\n1\\ngood\\n3')")(MOLECULES)


def test_a_program_that_hangs_is_stopped_with_its_children(program, tmp_path):
    code = (
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(600)"
    )
    with pytest.raises(ScorerError, match="ran longer than its 2 s"):
        program(code, timeout_s=2.0)(MOLECULES)
    pid = (tmp_path / "pid").read_text()
    status = tmp_path.__class__(f"/proc/{pid}/stat")

    def is_dead():
        """Gone, or dead and not yet collected by whoever adopted it."""
        try:
            return status.read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    # A kill is delivered when the process is next scheduled; left alone it would sleep on.
    for _ in range(300):
        if is_dead():
            break
        time.sleep(0.1)
    assert is_dead()


def test_a_program_that_does_not_exist():
    with pytest.raises(ScorerError, match="scorer 'mine'.*cannot be started"):
        CommandScorer("mine", "/no/such/program", None, 5.0)(MOLECULES)


def test_no_molecules_start_no_program():
    scores = CommandScorer("mine", "/no/such/program", None, 5.0)([])
    assert scores.values["mine"].shape == (0,)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_program_that_floods_costs_no_memory_and_little_time(program, stream):
    code = f"while True: sys.{stream}.write('0.5\\n' * 100_000)"
    message = "wrote more than 1.06 MB" if stream == "stdout" else "ran longer than its 1 s"
    tracemalloc.start()
    with pytest.raises(ScorerError, match=message):
        program(code, timeout_s=60.0 if stream == "stdout" else 1.0)(MOLECULES)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6


def test_what_a_program_leaves_running_is_not_waited_for(program):
    code = "import subprocess\nsubprocess.Popen(['sleep', '600'])\nprint('x', 1, 2, 3, sep='\\n')"
    assert program(code)(MOLECULES).values["mine"].tolist() == [1.0, 2.0, 3.0]


def test_a_command_that_is_none_is_refused_before_the_work():
    factor = FactorConfig("command: './score", "identity")
    with pytest.raises(ConfigError, match="cannot be read: No closing quotation; give command:"):
        find_scorer(factor, lambda: pytest.fail("no proxy is asked for"))


def test_a_program_that_may_not_be_run_says_the_cure(tmp_path):
    path = tmp_path / "score.sh"
    path.write_text("#!/bin/sh\n")
    with pytest.raises(ScorerError, match=r"cannot be started: Permission denied; .*chmod \+x"):
        CommandScorer("mine", str(path), None, 5.0)(MOLECULES)
