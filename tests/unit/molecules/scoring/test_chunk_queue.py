"""Chunks come back scored whoever does it and whatever becomes of the workers."""

import json
import math
import os
import signal
import time

import pytest
import torch

from molgfn.chem.molecule import read_molecule
from molgfn.molecules.scoring.chunk_queue import Chunk, ChunkQueue
from molgfn.molecules.scoring.chunk_score import Scored
from molgfn.molecules.scoring.modes import Candidate


class Here:
    """Scores in this process as tests/support/fake_score_worker.py does in its own."""

    def __init__(self):
        self.n_chunks = 0

    def __call__(self, packed, *, with_modes):
        self.n_chunks += 1
        sums = packed.sum(1).tolist()
        return [Scored((-float(n) if n else math.nan,), None) for n in sums]


@pytest.fixture
def start(monkeypatch, repository):
    """Opens a queue with workers that behave as told; ``told`` gets the warnings."""
    monkeypatch.setattr("molgfn.molecules.scoring.chunk_queue._WORKER", "fake_score_worker")
    monkeypatch.setenv("PYTHONPATH", str(repository / "tests" / "support"))

    def make(behaviour="0", n_workers=1):
        monkeypatch.setenv("FAKE_SCORE_WORKER", behaviour)
        queue, told = ChunkQueue(Here()), []
        return queue, told, queue.workers(n_workers, {}, told.append)

    return make


def until(queue, condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        queue._tend(1)
        time.sleep(0.001)


def until_ready(queue):
    until(queue, lambda: all(worker.process.is_ready for worker in queue._workers))


def chunks(n, width=3, rows=2):
    return [Chunk(torch.full((rows, width), i), with_modes=False) for i in range(n)]


def check(queue, begun):
    """Every chunk has its own scores, asked for in order."""
    width = begun[0].packed.shape[1]
    for i, chunk in enumerate(begun):
        found = [part for each in queue.finish(chunk) for part in each.log_parts]
        assert found == [-float(i * width)] * 2 if i else all(math.isnan(x) for x in found)


def test_without_workers_a_chunk_is_scored_when_it_is_asked_for(start):
    queue, _, _ = start()
    first, second = chunks(2)
    queue.begin([first, second])
    assert queue._score.n_chunks == 0
    queue.finish(first)
    assert queue._score.n_chunks == 1
    assert second.scored is None


def test_a_chunk_that_was_never_begun_is_not_waited_for(start):
    queue, _, _ = start()
    with pytest.raises(ValueError, match="never begun"):
        queue.finish(*chunks(1))


def test_nobody_waits_for_a_worker_to_start(start):
    queue, told, workers = start()
    with workers:
        begun = chunks(3)
        queue.begin(begun)
        assert not queue._workers[0].process.is_ready
        check(queue, begun)
    assert queue._score.n_chunks == 3
    assert told == []


def test_workers_and_the_waiting_process_share_the_chunks(start):
    queue, told, workers = start(n_workers=2)
    with workers:
        until_ready(queue)
        begun = chunks(20)
        queue.begin(begun)
        assert [len(worker.held) for worker in queue._workers] == [1, 1]
        queue.finish(begun[0])
        assert queue._score.n_chunks <= 1
        processes = [worker.process for worker in queue._workers]
        until(queue, lambda: all(chunk.scored for chunk in begun))
        check(queue, begun)
    assert queue._score.n_chunks <= 1
    assert told == []
    assert not any(process.is_running for process in processes)


def test_more_than_a_pipe_holds_is_neither_lost_nor_waited_for(start):
    queue, told, workers = start()
    with workers:
        until_ready(queue)
        begun = chunks(100, width=20_000)
        queue.begin(begun)
        process = queue._workers[0].process
        os.kill(process._process.pid, signal.SIGSTOP)  # nothing is read meanwhile
        queue._tend(100)  # 8 MB
        assert process.has_unsent
        os.kill(process._process.pid, signal.SIGCONT)
        check(queue, begun)
    assert queue._score.n_chunks == 0
    assert told == []


@pytest.mark.parametrize(
    ("behaviour", "end"),
    [
        ("2 exit", "ended with exit code 3: gone wrong"),
        ("2 hang", "did not answer within 0.2 s"),
        ("broken", "cannot start: no such run"),
    ],
)
def test_what_a_failed_worker_leaves_is_scored_here(start, monkeypatch, behaviour, end):
    monkeypatch.setattr("molgfn.molecules.scoring.chunk_queue.ANSWER_LIMIT_S", 0.2)
    queue, told, workers = start(behaviour)
    with workers:
        until(queue, lambda: not queue._workers or queue._workers[0].process.is_ready)
        begun = chunks(6)
        queue.begin(begun)
        check(queue, begun)
        assert queue._workers == []
    assert told == [f"warning: a scoring process {end}; the training does its share"]


def test_a_worker_that_cannot_be_started_is_done_without(start, monkeypatch):
    def refuse(*_):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("molgfn.molecules.scoring.chunk_queue.WorkerProcess", refuse)
    queue, told, workers = start()
    with workers:
        begun = chunks(2)
        queue.begin(begun)
        check(queue, begun)
    assert told == [
        "warning: a scoring process cannot start: Resource temporarily unavailable; "
        "the training does its share"
    ]


@pytest.mark.parametrize("n_parts", [1, 3])
def test_scores_survive_the_way_to_the_last_bit(n_parts):
    molecule = read_molecule("Nc1ccccc1")
    log_score = math.log(0.7) / 3
    scored = Scored((log_score,) * n_parts, Candidate.of(molecule, log_score))
    again = Scored.from_json(json.loads(json.dumps(scored.to_json())))
    assert again == scored
    failed = Scored.from_json(json.loads(json.dumps(Scored((math.nan,) * n_parts, None).to_json())))
    assert len(failed.log_parts) == n_parts
    assert all(math.isnan(part) for part in failed.log_parts)
    assert failed.candidate is None


def test_only_a_molecule_of_a_high_score_may_be_a_mode():
    molecule = read_molecule("Nc1ccccc1")
    assert Candidate.of(molecule, math.log(0.5)).smiles == "Nc1ccccc1"
    assert Candidate.of(molecule, math.log(0.49)) is None
    assert Candidate.of(molecule, math.nan) is None
