"""Running the command line, in this process or in one of its own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest


def _heed_sigint():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start():
    """Start a command in a process of its own."""
    processes = []

    def run(*args, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        command = [sys.executable, "-m", "molgfn", *map(str, args)]
        # A shell that runs the tests in the background has SIGINT ignored, and children inherit it.
        processes.append(subprocess.Popen(command, preexec_fn=_heed_sigint, **options))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
