# SPDX-License-Identifier: Apache-2.0
"""Cases on a GPU, as preprocess.py and video.py measure them: ours beside its peers and a plain copy.

A peer that is not installed, does not take the case or gives another result is left out: its reason is
on stderr and in the report. How times are taken: gputime.py, for the host rounds.py.
"""

import sys
import tempfile
import time
from dataclasses import dataclass, field

import layout
import layout_goals
import machine
import numpy as np
import pixview
import plot
import processes
import torch
from preprocess_peers import Peer
from rounds import Statement, difference, progress, run

SECTOR = 32
PARAMETERS, BLOCK = 4096, 20  # bytes of a list's launch; calls before the GPU is waited for
ROUNDS, QUICK = (9, 4), (3, 2)  # rounds, and calls of a block
NOTE = (
    "`us`: of the GPU, the median. `whole call`: of a loop of calls with one wait for the GPU at its end, so the "
    "longer of the host's part and the GPU's. `MB`: what has to move: the result, and every 32-byte sector of the "
    "sources with a sample that has a weight; `% of copy`: the speed of a device copy that reads and writes as much, by the GPU's "
    "time. `host`: of the call, memory prepared; `own part`: the same less an empty launch."
)
FACTOR_NOTE = (
    "`x`: how many times as fast ours is **by whole calls**, the median over the rounds, and the peer's us. Many "
    "small calls are bound by the host: there the picture, which has the GPU's time, shows a peer better than its "
    "user sees it."
)


@dataclass
class Case:
    """A call of `function`. `nbytes`: what has to move; `peers`: by name, functions that make a call or a Peer."""

    name: str
    sources: object
    out: object
    keywords: dict
    function: object = pixview.stack
    nbytes: int = 0
    peers: dict = field(default_factory=dict)
    goals: list = field(default_factory=list)

    def ours(self):
        self.function(self.sources, out=self.out, **self.keywords)

    def check(self, name, peer):
        """Raises if the call gives something else than it has to."""
        raise NotImplementedError


class Row:
    """What was found of a case. `host`, `own`: ns on the host, and of that without an empty launch;
    `left_out`: why, by the peer's name."""

    processes = ()

    def __init__(self, case, ways, left_out):
        self.name, self.nbytes, self.goals = case.name, case.nbytes, case.goals
        self.images = len(case.out)
        self.ways, self.left_out = ways, left_out

    def find(self, name):
        return next((way for way in self.ways if way.name == name), None)


def taps(length, canvas, interpolation="linear"):
    """Which of an axis' pixels have a weight."""
    if interpolation != "linear":  # antialiased: all
        return np.arange(length)
    at = np.clip((np.arange(canvas) + 0.5) * length / canvas - 0.5, 0, length - 1)
    first = np.floor(at).astype(int)
    return np.unique(np.concatenate([first, np.where(at > first, first + 1, first)]))


# ---- times ----------------------------------------------------------------------------------------


def peer_ways(case, names):
    """(the ways that give what they have to, why the others do not)"""
    import gputime

    ways, left_out = [], {}
    for name in names:
        try:
            found = case.peers[name]()
            peer = found if isinstance(found, Peer) else Peer(found)
            case.check(name, peer)
            ways.append(gputime.Way(name, peer.call))
        except Exception as error:
            left_out[name] = layout.first_line(error)
            print(f"bench: {name} is left out: {left_out[name]}", file=sys.stderr)
    return ways, left_out


def on_host(case, empty, rounds):
    """(ns of a call, ns less an empty launch); the second is None without one."""
    ns = {"function": case.function, "sources": case.sources, "out": case.out, "empty": empty,
          "keywords": case.keywords}  # fmt: skip
    call = Statement("call", "function(sources, out=out, **keywords)", most=BLOCK)
    launch = Statement("empty", f"empty({PARAMETERS}, {BLOCK})", most=1, calls=BLOCK)
    both = [call, launch] if empty else [call]
    run(both, ns, rounds, 1, torch.cuda.synchronize)
    return call.median, difference(call, launch) if empty else None


def empty_kernels(folder):
    import native

    try:
        return native.EmptyKernels(folder, (PARAMETERS,))
    except Exception as error:
        print(f"bench: no empty launch: {error}", file=sys.stderr)
        return None


def row_of(case, empty, quick, without):
    import gputime

    case.check("pixview", Peer(case.ours))
    without = {*without, *(["torch.compile"] if quick else [])}
    found, left_out = peer_ways(case, [name for name in case.peers if name not in without])
    copy = gputime.Way("copy", layout.copy_call(torch, case.nbytes // 2))
    row = Row(case, [copy, gputime.Way("pixview", case.ours), *found], left_out)
    row.launches = layout.kernels_of(torch, case.ours)
    row.host, row.own = on_host(case, empty, 20)
    gputime.run(row.ways, *(QUICK if quick else ROUNDS), whole=True)
    return row


def measure(makers, quick, without=()):
    """(rows, how many failed). `without`: names of peers."""
    rows, failed, begin = [], 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        empty = empty_kernels(folder)
        for i, make in enumerate(makers):
            try:
                torch.cuda.empty_cache()
                rows.append(row_of(make(), empty, quick, without))
                progress(f"{time.monotonic() - begin:.0f} s: {rows[-1].name}")
            except Exception as error:  # the other rows are worth keeping
                failed += 1
                print(f"bench: row {i + 1} FAILED: {error!r}", file=sys.stderr)
    progress("")
    return rows, failed


# ---- report ---------------------------------------------------------------------------------------


def cells(row):
    import gputime

    copy, ours = row.find("copy"), row.find("pixview")
    own = "" if row.own is None else f"{row.own / 1e3:.1f}"
    return (row.name, f"{ours.median:.0f}", f"{ours.whole:.0f}", f"{row.nbytes / 1e6:.0f}",
            f"{gputime.percent(copy, ours):.0f}", str(row.launches), f"{row.host / 1e3:.1f}", own)  # fmt: skip


def table(rows):
    head = (
        "case",
        "us",
        "whole call, us",
        "MB",
        "% of copy",
        "launches",
        "host, us",
        "own part, us",
    )
    return processes.aligned([head, *map(cells, rows)], range(1, len(head)))


def peer_table(rows, names):
    """How many times as fast ours is, by whole calls, and how long theirs take."""
    import gputime

    names = [name for name in names if any(row.find(name) for row in rows)]
    lines = [("whole calls: x, us", *names)]
    for row in rows:
        found = [row.find(name) for name in names]
        lines.append((row.name, *(
            f"{gputime.factor(way, row.find('pixview')):.1f} x, {way.whole:.0f}" if way else "" for way in found
        )))  # fmt: skip
    return processes.aligned(lines, range(1, len(lines[0])))


def left_out(rows):
    """A line for each peer and reason; "" if there is none."""
    found = {}
    for row in rows:
        for name, why in row.left_out.items():
            found.setdefault((name, why), []).append(row.name)
    lines = [f"- {name}: {why} ({names[0]}{f' and {len(names) - 1} more' if names[1:] else ''})"
             for (name, why), names in found.items()]  # fmt: skip
    return "\n".join(["Left out:\n", *lines]) if lines else ""


def report(title, facts, about, rows, names, note):
    """`about`: what was measured; `names`: the peers, and `note` what is said of them."""
    parts = [
        machine.heading(title, facts),
        f"{about} {NOTE}",
        table(rows),
        f"{FACTOR_NOTE} {note}",
        peer_table(rows, names),
        left_out(rows),
        "## Goals",
        layout_goals.lines(rows),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def draw(rows, path, names):
    import gputime

    found = [
        (row.name, {way.name: gputime.percent(row.find("copy"), way) for way in row.ways if way.name != "copy"})
        for row in rows
    ]  # fmt: skip
    plot.shares(path, found, ("pixview", *names),
                "% of a device-to-device copy of the bytes that have to move, GPU time")  # fmt: skip
