# SPDX-License-Identifier: Apache-2.0
"""Random graphs of views over four streams: whatever the order of things, each read sees its pixels.

    python -m gpu.stress_random [--seconds=10] [--seed=1] [--graph=N] [--unordered]     (in tests/)

Memory is written once, late, on its own stream, and may then be read on every stream that a chain of
conversions has led to. In between, views are dropped in any order, their memory is used again, pools
are emptied and streams are let go. `--graph=N` repeats one; `--unordered` converts without ordering,
and must find wrong pixels.
"""

import argparse
import random
import sys
import time

from .stress import DIRECTIONS, KINDS, STALE, busy
from .util import cp, pixview, torch

STREAMS, STEPS, MATS = 4, 40, 3
OUTS = 8  # results of reads for each end: an allocation in the middle would wait for the device
LATE_MS = (0, 0, 2, 6)


class Root:
    """Memory that is written once. A GpuMat goes back to its end's list when its last view is gone."""

    def __init__(self, value, mat=None, mats=None):
        self.value, self.mat, self.mats, self.count = value, mat, mats, 0


class Node:
    def __init__(self, end, x, root):
        self.end, self.x, self.root = end, x, root
        root.count += 1


class Graph:
    def __init__(self, seed, ordered):
        self.rng = random.Random(seed)
        self.ordered = ordered
        kinds = list(self.rng.choice(DIRECTIONS))  # at least one pair that can convert
        kinds += self.rng.choices(list(KINDS), k=STREAMS - 2)
        self.ends = [self.new_end(kind) for kind in kinds]
        self.nodes, self.reads, self.wrong, self.count = [], [], 0, 0

    def new_end(self, kind):
        end = KINDS[kind]()
        end.kind = kind
        end.mats = [end.allocate() for _ in range(MATS)] if kind == "gpumat" else None
        end.outs = [end.allocate() if kind == "gpumat" else end.new(STALE) for _ in range(OUTS)]
        return end

    def produce(self):
        end, value = self.rng.choice(self.ends), self.rng.randint(1, 200)
        if end.mats is None:
            x = end.new(STALE)
        elif end.mats:
            x = end.mats.pop()
            end.write(x, STALE)
        else:
            return
        busy(end, self.rng.choice(LATE_MS))
        end.write(x, value)
        root = Root(value) if end.mats is None else Root(value, x, end.mats)
        self.nodes.append(Node(end, x, root))

    def alive(self):
        return [node for node in self.nodes if node.end in self.ends]

    def convert(self):
        pairs = [
            (node, end) for node in self.alive() for end in self.ends if end.kind != node.end.kind
        ]
        if not pairs:
            return
        node, end = self.rng.choice(pairs)
        copy = self.ordered and self.rng.random() < 0.15
        stream = {"stream": node.end.cv2} if node.end.kind == "gpumat" else {}
        if copy:
            stream["copy"] = True
        if self.ordered:
            with node.end.current():
                y = end.view(node.x, stream)
        elif "gpumat" in (node.end.kind, end.kind):
            y = end.view(node.x, {"stream": -1})
        else:
            y = end.raw(node.x)
        self.nodes.append(Node(end, y, Root(node.root.value) if copy else node.root))

    def read(self):
        nodes = [node for node in self.alive() if node.end.outs]
        if not nodes:
            return
        node = self.rng.choice(nodes)
        busy(node.end, self.rng.choice(LATE_MS))
        if self.rng.random() < 0.1:
            self.download(node)
            return
        out = node.end.outs.pop()
        node.end.read(node.x, out)
        self.reads.append((out, node.root.value, node.end))

    def download(self, node):
        keywords = {"stream": node.end.cv2} if node.end.kind == "gpumat" else {}
        if node.end.kind == "torch":
            keywords["src_layout"] = "HWC"
        with node.end.current():
            pixels = pixview.as_numpy(node.x, copy=True, **keywords)
        self.compare(bool((pixels == node.root.value).all()), node.end, "downloaded")

    def drop(self):
        if not self.nodes:
            return
        node = self.nodes.pop(self.rng.randrange(len(self.nodes)))
        node.x = None
        node.root.count -= 1
        if node.root.count == 0 and node.root.mats is not None:
            node.root.mats.append(node.root.mat)

    def pools(self):
        if self.rng.random() < 0.5:
            torch.cuda.empty_cache()
        else:
            cp.get_default_memory_pool().free_all_blocks()

    def end_dies(self):
        """Its stream object goes, views on it stay and are dropped later."""
        if len(self.ends) > 2:
            self.ends.pop(self.rng.randrange(len(self.ends)))

    def compare(self, right, end, how):
        self.count += 1
        if not right:
            self.wrong += 1
            print(f"wrong pixels {how} in a {end.kind} end", flush=True)

    def run(self):
        steps = [self.produce, self.convert, self.read, self.drop, self.pools, self.end_dies]
        for step in self.rng.choices(steps, [6, 10, 8, 7, 0.3, 0.6], k=STEPS):
            step()
        while self.nodes:
            self.drop()
        torch.cuda.synchronize()
        for out, value, end in self.reads:
            layout = {"src_layout": "HWC"} if isinstance(out, torch.Tensor) else {}
            found = pixview.as_torch(out, layout="HWC", **layout)
            self.compare(bool((found == value).all()), end, "read")


def options():
    parser = argparse.ArgumentParser(prog="gpu.stress_random")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--graph", type=int, help="only this one")
    parser.add_argument("--unordered", action="store_true")
    return parser.parse_args()


def main():
    given = options()
    end = time.monotonic() + given.seconds
    graphs = reads = wrong = 0
    while graphs == 0 or given.graph is None and time.monotonic() < end:
        number = graphs if given.graph is None else given.graph
        graph = Graph(f"{given.seed}-{number}", not given.unordered)
        torch.cuda.synchronize()
        graph.run()
        if graph.wrong:
            print(f"seed {given.seed}, graph {number}: {graph.wrong} of {graph.count} wrong")
        graphs, reads, wrong = graphs + 1, reads + graph.count, wrong + graph.wrong
        del graph
    print(f"{graphs} graphs, {reads} reads, {f'{wrong} wrong' if wrong else 'all right'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
