"""Work on a GPU that is recorded once and then replayed with a single launch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

#: Recordings of one owner that are kept; each holds the memory of a pass.
MAX_RECORDINGS = 8

#: Work without device synchronisation: generator and inputs in, tensors out.
Work = Callable[[torch.Generator, Sequence[Tensor]], list[Tensor]]


def replayed(
    work: Work,
    inputs: Sequence[Tensor],
    generator: torch.Generator,
    *,
    of: object,
    within: object = None,
) -> list[Tensor]:
    """Do some work; on a GPU, replay it if it was done before for these sizes.

    The work is hundreds of small operations; launching each takes the host longer than the device
    needs to compute it. A CUDA graph launches all of them at once. The first call runs as usual, so
    that one-off work pays for no recording.

    Args:
        work: The work. What it reads besides its inputs, such as weights, may change in place
            but must stay where it is in memory.
        inputs: Its inputs, on one device.
        generator: Source of randomness; it advances as if the work were done afresh.
        of: Owner of the work; recordings live as long.
        within: Another object whose tensors the work reads.
    """
    if inputs[0].device.type != "cuda":
        return work(generator, inputs)
    recordings = _recordings.setdefault(of, OrderedDict())
    key = (work.__qualname__, id(within), *((each.shape, each.dtype) for each in inputs))
    if key not in recordings:
        recordings[key] = None
        if len(recordings) > MAX_RECORDINGS:
            recordings.popitem(last=False)
        return work(generator, inputs)
    recording = recordings[key]
    if recording is None:
        recording = recordings[key] = _Recording.of(work, inputs, generator.device, within)
    recordings.move_to_end(key)
    return recording.replay(inputs, generator)


@dataclass(frozen=True)
class _Recording:
    """A CUDA graph with the tensors that it reads and writes.

    Attributes:
        graph: The operations.
        inputs: Where they read their inputs.
        outputs: Where they leave their results.
        generator: Their random numbers.
        within: Kept alive, since they read its tensors.
    """

    graph: torch.cuda.CUDAGraph
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]
    generator: torch.Generator
    within: object

    @classmethod
    def of(
        cls, work: Work, inputs: Sequence[Tensor], device: torch.device, within: object
    ) -> _Recording:
        """Record; nothing is computed yet."""
        graph, generator = torch.cuda.CUDAGraph(), torch.Generator(device)
        graph.register_generator_state(generator)
        held = [each.clone() for each in inputs]
        with torch.cuda.graph(graph):
            outputs = work(generator, held)
        return cls(graph, held, outputs, generator, within)

    def replay(self, inputs: Sequence[Tensor], generator: torch.Generator) -> list[Tensor]:
        """Compute; the results survive the next replay."""
        for held, given in zip(self.inputs, inputs, strict=True):
            held.copy_(given)
        self.generator.set_state(generator.get_state())
        self.graph.replay()
        generator.set_state(self.generator.get_state())
        return [output.clone() for output in self.outputs]


#: By owner, then by sizes; None where the work was done only once.
_recordings: WeakKeyDictionary[object, OrderedDict[tuple[object, ...], _Recording | None]] = (
    WeakKeyDictionary()
)
