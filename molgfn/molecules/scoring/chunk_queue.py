"""Chunks of states to score: worker processes take them, and the training where it would wait.

Who scores a chunk changes nothing but the time it takes. Everything happens in the thread that
calls, so workers die with it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import Any

from torch import Tensor

from molgfn.machine.process import WorkerProcess
from molgfn.molecules.scoring.chunk_score import ChunkScore, Scored

_WORKER = "molgfn.molecules.scoring.score_worker"
#: Chunks that a worker holds: one in hand, and one to go on with while the training is busy.
AHEAD = 2
#: A worker that lets the training wait for longer is given up, seconds; a chunk takes about 0.1 s.
ANSWER_LIMIT_S = 60.0


@dataclass(eq=False, slots=True)
class Chunk:
    """States that are scored together.

    Attributes:
        packed: The states, as :meth:`FragmentStates.to_tensor` packs them, on the CPU.
        with_modes: Whether candidates for modes are wanted.
        scored: What came out, None until then.
    """

    packed: Tensor
    with_modes: bool
    scored: list[Scored] | None = None


@dataclass(eq=False, slots=True)
class _Worker:
    """A worker process and the chunks that it holds, in the order of its answers."""

    process: WorkerProcess
    held: deque[Chunk] = field(default_factory=deque)

    def take(self, chunk: Chunk) -> None:
        self.held.append(chunk)
        self.process.post({"states": chunk.packed.tolist(), "with_modes": chunk.with_modes})

    def tend(self) -> str:
        """Send and receive what can be without waiting; returns how it ended, if it did."""
        self.process.push()
        answers, is_open = self.process.read()
        for answer in answers:
            if "broken" in answer:
                self.process.stop()
                return f"cannot start: {answer['broken']}"
            if "ready" in answer:
                self.process.is_ready = True
            else:
                self.held.popleft().scored = [Scored.from_json(each) for each in answer["scored"]]
        if is_open:
            return ""
        self.process.wait()
        return self.process.stop()


class ChunkQueue:
    """Chunks waiting to be scored; without workers, each is scored on demand."""

    def __init__(self, score: ChunkScore) -> None:
        self._score = score
        self._waiting: deque[Chunk] = deque()
        self._workers: list[_Worker] = []
        self._tell: Callable[[str], None] = lambda _: None

    @contextmanager
    def workers(
        self, n_workers: int, order: dict[str, Any], tell: Callable[[str], None]
    ) -> Iterator[None]:
        """Have worker processes help, each as soon as it has started.

        Args:
            n_workers: Processes.
            order: What :func:`molgfn.molecules.scoring.score_worker.encode_order` made.
            tell: Called with a warning when one of them fails.
        """
        self._tell = tell
        try:
            for _ in range(n_workers):
                self._start(order)
            yield
        finally:
            for worker in self._workers:
                worker.process.stop()
            self._workers.clear()

    @property
    def n_workers(self) -> int:
        """Worker processes that help, or will once they have started."""
        return len(self._workers)

    def begin(self, chunks: Sequence[Chunk]) -> None:
        """Begin to score chunks.

        Args:
            chunks: Chunks, in the order in which they will be asked for.
        """
        self._waiting.extend(chunks)
        self._tend(1)

    def finish(self, chunk: Chunk) -> list[Scored]:
        """Wait for a chunk.

        Raises:
            ScorerError: A scorer broke as a whole.
            ValueError: It was never begun.
        """
        self._tend(1)
        has_helped = False
        while chunk.scored is None:
            # While a worker has it in hand there is time to score one other chunk, and no more.
            if self._waiting and (not has_helped or chunk in self._waiting):
                mine = self._waiting.popleft()
                self._tend(AHEAD)
                mine.scored = self._score(mine.packed, with_modes=mine.with_modes)
                has_helped = True
            else:
                self._listen()
            self._tend(1)
        self._tend(AHEAD)  # now the training will be busy
        return chunk.scored

    def _start(self, order: dict[str, Any]) -> None:
        try:
            self._workers.append(_Worker(WorkerProcess(_WORKER, order, math.inf)))
        except OSError as error:  # too many processes, no memory, a full disk
            self._warn(f"cannot start: {error.strerror}")

    def _tend(self, ahead: int) -> None:
        """Collect answers and top each worker up to ``ahead`` chunks; never waits."""
        for worker in list(self._workers):
            end = worker.tend()
            if end:
                self._give_up(worker, end)
        ready = [worker for worker in self._workers if worker.process.is_ready]
        for n_held in range(ahead):
            for worker in ready:
                if self._waiting and len(worker.held) == n_held:
                    worker.take(self._waiting.popleft())

    def _listen(self) -> None:
        """Wait until a worker has something to say, or can be told more."""
        if not any(worker.held for worker in self._workers):
            raise ValueError("this chunk was never begun")
        with DefaultSelector() as selector:
            for worker in self._workers:
                selector.register(worker.process, EVENT_READ)
                if worker.process.has_unsent:
                    selector.register(worker.process.inlet, EVENT_WRITE)
            if selector.select(ANSWER_LIMIT_S):
                return
        for worker in [worker for worker in self._workers if worker.held]:
            worker.process.stop()
            self._give_up(worker, f"did not answer within {ANSWER_LIMIT_S:g} s")

    def _give_up(self, worker: _Worker, end: str) -> None:
        self._workers.remove(worker)
        self._waiting.extendleft(reversed(worker.held))
        self._warn(end)

    def _warn(self, what: str) -> None:
        self._tell(f"warning: a scoring process {what}; the training does its share")
