# SPDX-License-Identifier: Apache-2.0
"""Times several statements against each other in one process.

They take turns in short blocks (A B C A B C ...), so a change of clock or a noisy neighbour hits all
of them; a ratio is the median of the ratios within a round.
"""

import gc
import statistics
import sys
import time
import timeit
from dataclasses import dataclass, field


@dataclass
class Statement:
    """One line of Python, timed as it stands: no lambda, no call of ours around it."""

    name: str
    code: str
    most: int = 1_000_000  # times in a block, for what keeps memory or fills a queue
    checked: bool = True  # its result is that of the group's first statement
    calls: int = 1  # that the code makes: a sample is the time of one
    samples: list = field(default_factory=list)  # ns per call, one for each round

    @property
    def minimum(self):
        return min(self.samples)

    @property
    def median(self):
        return statistics.median(self.samples)


def ratio(a, b):
    """How many times as long `a` takes as `b`."""
    return statistics.median(x / y for x, y in zip(a.samples, b.samples, strict=True))


def difference(a, b):
    """How many ns longer `a` takes than `b`."""
    return statistics.median(x - y for x, y in zip(a.samples, b.samples, strict=True))


def run(statements, namespace, rounds, block_seconds, settle, clock=time.perf_counter):
    """Fills the samples. `settle` runs between blocks, not timed (it waits for the GPU)."""
    timers = []
    for statement in statements:
        timer = timeit.Timer(statement.code, timer=clock, globals=namespace)
        timer.timeit(min(50, statement.most))
        settle()
        probe = min(200, statement.most)
        each = max(timer.timeit(probe) / probe, 1e-9)
        settle()
        timers.append((statement, timer, max(1, min(statement.most, int(block_seconds / each)))))
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for statement, timer, count in timers:
                timer.timeit(1)  # the ways before left its code and data out of the caches
                ns = timer.timeit(count) / count / statement.calls * 1e9
                statement.samples.append(ns)
                settle()
    finally:
        if enabled:
            gc.enable()


def progress(text):
    """One line on stderr that the next one replaces; plain lines where it is no terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="" if text else "\r", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)
