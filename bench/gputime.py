# SPDX-License-Identifier: Apache-2.0
"""Times work on the GPU: several ways against each other, in one process.

The ways take turns in blocks. A block is queued behind a short spin of the GPU, so that the host is
ahead and only the GPU's time is between the two events; a ratio is the median of the ratios within a
round. A whole call is what a loop of calls takes on the host's clock, each its share, with one wait for
the GPU at the end: the longer of the host's part and the GPU's.
"""

import statistics
import time
from dataclasses import dataclass, field

import torch

SPIN_CYCLES = 1_000_000  # about half a millisecond: longer than the host takes to queue a block
LOOP_US, MOST = 5000, 50  # of whole calls: about so long, and so many at most


@dataclass
class Way:
    """One way to do a thing. `call()` queues it on the current stream."""

    name: str
    call: object
    samples: list = field(default_factory=list)  # microseconds per call, one for each round
    wholes: list = field(default_factory=list)  # of a whole call, likewise

    @property
    def median(self):
        return statistics.median(self.samples)

    @property
    def whole(self):
        return statistics.median(self.wholes)


def percent(reference, way):
    """How much of the reference's speed a way reaches."""
    pairs = zip(reference.samples, way.samples, strict=True)
    return 100 * statistics.median(a / b for a, b in pairs)


def factor(slower, way):
    """How many times as long whole calls of the one take as those of the other."""
    return statistics.median(a / b for a, b in zip(slower.wholes, way.wholes, strict=True))


def block(call, count):
    """us of a call, of `count` that are queued behind the spin."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda._sleep(SPIN_CYCLES)
    start.record()
    for _ in range(count):
        call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) * 1e3 / count


def _loop(call, count):
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(count):
        call()
    torch.cuda.synchronize()
    return (time.perf_counter() - begin) * 1e6 / count


def run(ways, rounds=9, count=8, whole=False):
    """Fills the samples. `count` calls make a block. `whole`: whole calls too."""
    for way in ways:
        for _ in range(2):
            way.call()
    torch.cuda.synchronize()
    for _ in range(rounds):
        for way in ways:
            way.samples.append(block(way.call, count))
            if whole:
                calls = max(2, min(MOST, int(LOOP_US / way.samples[0])))
                way.wholes.append(_loop(way.call, calls))
    for way in ways:
        way.call = None  # what it holds takes gigabytes


def captured(call, count=20):
    """A call that replays `count` of them from a CUDA graph, and its name for the table."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        call()
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        for _ in range(count):
            call()
    return graph.replay
