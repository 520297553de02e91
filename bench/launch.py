# SPDX-License-Identifier: Apache-2.0
"""Host time of one launch: copies into GpuMats and stack into `out`, all memory prepared.

    python bench/launch.py            needs a GPU, a CUDA-enabled OpenCV, and cc
    python bench/launch.py --fake     the host's part alone, with the fake driver
    python bench/launch.py --save     five processes; writes bench/results/launch-*.md

A launch of a kernel that does nothing, with as many bytes of parameters, takes turns with the calls:
what a call takes beside it is pixview's own part, which the goals are about. The images are small, and
a block has at most 200 calls before the GPU is waited for (not timed): the queue never fills, so a
call's time is the host's alone. The results are checked first. Where the rest goes: parts.py.
"""

import argparse
import sys
import tempfile
import time

import idle
import machine
import native
import processes
from overhead import why_no_gpu
from rounds import Statement, difference, progress, run

SIZE, BLOCK = 64, 200
COUNTS = (1, 8, 32, 128, 390)  # 390 GpuMats of one pitch fill the parameters of one launch
COPY_GOAL, FIXED_GOAL, IMAGE_GOAL = 1000, 2000, 25  # ns of pixview's own part
SMALL, LARGE = 512, 4096  # bytes of parameters: a copy's; a list's
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
KINDS = {"u8": "", "f32 normalised": ", scale=1 / 255, mean=MEAN, std=STD, swap_rb=True"}
INTO, OUT_OF = "copy_into, C,H,W torch -> GpuMat", "copy_into, GpuMat -> C,H,W torch"
NEW = "as_gpumat of C,H,W torch, allocation included"
COPIES = {
    INTO: "pixview.copy_into(mats[0], planes)",
    OUT_OF: "pixview.copy_into(planes, mats[0])",
    NEW: "pixview.as_gpumat(planes)",
}


class Call:
    """A statement, the empty launch of its size, and the ns that its own part may take, or None."""

    def __init__(self, name, code, empty, limit=None, images=None):
        self.statement = Statement(name, code, most=BLOCK)
        self.empty, self.limit, self.images = empty, limit, images

    @property
    def own(self):
        return difference(self.statement, self.empty)

    def row(self):
        row = {"call": self.statement.name, "way": "", "ns": self.statement.median,
               "least": self.statement.minimum, "own": self.own}  # fmt: skip
        if self.images:
            row["per image"] = self.statement.median / self.images
        if self.limit:
            row["limit"] = self.limit
        return row


def empty_launch(size):
    name = f"empty launch, {size} bytes of parameters"
    return Statement(name, f"empty({size}, {BLOCK})", most=1, calls=BLOCK)


# ---- memory ---------------------------------------------------------------------------------------


class RealGpu:
    def tensor(self, array):
        import torch

        return torch.from_numpy(array).cuda()

    def mat(self, array):
        import cv2

        mat = cv2.cuda.GpuMat()
        mat.upload(array)
        return mat

    def settle(self):
        import torch

        torch.cuda.synchronize()


class FakeGpu(idle.Gpu):
    def tensor(self, array):
        layout = "NCHW" if array.ndim == 4 else "CHW"
        return self.pixview.as_torch(self.image(array, layout=layout))

    def settle(self):
        pass


def namespace(gpu):
    import numpy as np
    import pixview

    pixels = np.random.default_rng(0).integers(0, 256, (COUNTS[-1], SIZE, SIZE, 3), np.uint8)
    mats = [gpu.mat(image) for image in pixels]
    planes = np.ascontiguousarray(pixels[0].transpose(2, 0, 1))
    ns = {"pixview": pixview, "mats": mats, "planes": gpu.tensor(planes), "MEAN": MEAN, "STD": STD}
    for n in COUNTS:
        ns[f"mats{n}"] = mats[:n]
        for kind, dtype in zip(KINDS, (np.uint8, np.float32), strict=True):
            ns[out_name(kind, n)] = gpu.tensor(np.zeros((n, 3, SIZE, SIZE), dtype))
    return ns, pixels


def out_name(kind, n):
    return f"out{n}_{kind[:3].strip()}"


# ---- one process ----------------------------------------------------------------------------------


def calls(fake):
    """([Call of the copies], {kind: [Call of stack]}, [the empty launches])"""
    small, large = empty_launch(SMALL), empty_launch(LARGE)
    copies = [Call(name, code, small, COPY_GOAL if name == INTO else None)
              for name, code in COPIES.items() if not (fake and name == NEW)]  # fmt: skip
    stacks = {}
    for kind, keywords in KINDS.items():
        stacks[kind] = [
            Call(f"stack of {n}, {kind}", f"pixview.stack(mats{n}, out={out_name(kind, n)}{keywords})",
                 small if n == 1 else large,  # a list of one is launched as a batch
                 FIXED_GOAL + IMAGE_GOAL * n, n)
            for n in COUNTS
        ]  # fmt: skip
    return copies, stacks, [small, large]


def check(ns, pixels, copies, stacks):
    """Every statement once, by its pixels."""
    import torch

    pixels = torch.from_numpy(pixels).cuda()
    for kind, several in stacks.items():
        for call in several:
            found = eval(call.statement.code, dict(ns))
            expected = pixels[: call.images].permute(0, 3, 1, 2)
            if kind != "u8":
                mean, std = (torch.tensor(v, device="cuda").view(3, 1, 1) for v in (MEAN, STD))
                expected = (expected.flip(1).float() / 255 - mean) / std
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    ns["planes"].copy_(pixels[1].permute(2, 0, 1))
    for call in copies:
        found = eval(call.statement.code, dict(ns))
        if call.statement.name != OUT_OF:
            assert (found.download() == pixels[1].cpu().numpy()).all(), "wrong pixels"
    assert (ns["planes"] == pixels[1].permute(2, 0, 1)).all(), "wrong pixels"


def fit(points):
    """(fixed, per image) of {N: ns}: the line with the least squares of relative errors."""
    w = [1 / t**2 for t in points.values()]
    x, y = list(points), list(points.values())
    total = sum(w)
    mean_x = sum(a * b for a, b in zip(w, x, strict=True)) / total
    mean_y = sum(a * b for a, b in zip(w, y, strict=True)) / total
    over = sum(a * (b - mean_x) * (c - mean_y) for a, b, c in zip(w, x, y, strict=True))
    slope = over / sum(a * (b - mean_x) ** 2 for a, b in zip(w, x, strict=True))
    return mean_y - slope * mean_x, slope


def fits(stacks):
    """A row for each kind: the whole call's line through lists of several images."""
    for kind, several in stacks.items():
        call = f"stack, {kind}, line through 8 to 390"
        found = fit({c.images: c.statement.median for c in several if c.images > 1})
        for way, ns in zip(("fixed", "each image"), found, strict=True):
            yield {"call": call, "way": way, "ns": ns, "least": ns}


def goals(copies, stacks):
    """As processes.write takes them."""
    for call in copies:
        if call.limit:
            yield {"text": f"{call.statement.name}: pixview's own part at most {call.limit / 1e3:g} us",
                   "found": call.own / 1e3, "limit": call.limit / 1e3, "at_most": True, "unit": "us"}  # fmt: skip
    for kind, several in stacks.items():
        text = f"stack, {kind}, lists of {COUNTS[0]} to {COUNTS[-1]}: pixview's own part at most {FIXED_GOAL / 1e3:g} us and {IMAGE_GOAL} ns an image"
        worst = max(call.own / call.limit for call in several)
        yield {"text": text, "found": 100 * worst, "limit": 100, "at_most": True,
               "unit": "% of that"}  # fmt: skip


def measure(args):
    """What a process finds."""
    gpu = FakeGpu() if args.fake else RealGpu()
    ns, pixels = namespace(gpu)
    copies, stacks, empties = calls(args.fake)
    if not args.fake:
        check(ns, pixels, copies, stacks)
    every = copies + [call for several in stacks.values() for call in several]
    clock = time.thread_time if args.fake else time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        ns["empty"] = native.EmptyKernels(folder, (SMALL, LARGE))
        progress("timing launches")
        run([*empties, *(call.statement for call in every)], ns, args.rounds, 1, gpu.settle, clock)
    rows = [{"call": e.name, "way": "", "ns": e.median, "least": e.minimum} for e in empties]
    rows += [call.row() for call in every] + list(fits(stacks))
    return machine.describe(not args.fake), rows, list(goals(copies, stacks))


# ---- report ---------------------------------------------------------------------------------------


def table(rows):
    lines = [("call", "us", "least and greatest", "own part, us", "ns per image", "goal, us")]
    for row in rows:
        if row["way"]:
            continue  # a line's numbers are in words below
        own, image, limit = row.get("own"), row.get("per image"), row.get("limit")
        verdict = ""
        if limit:
            verdict = f"{limit / 1e3:.2f}: {'PASS' if own.median <= limit else 'MISS'}"
        lines.append((row["call"], in_us(row["ns"]).text(), in_us(row["ns"]).ends(),
                      in_us(own).both() if own else "", image.text(0) if image else "", verdict))  # fmt: skip
    return processes.aligned(lines, (1, 2, 3, 4))


def in_us(spread):
    return processes.Spread([value / 1e3 for value in spread.values])


def lines_in_words(rows):
    text = [f"- {row['call']}, {row['way']}: {row['ns'].both(1)} ns" for row in rows if row["way"]]
    return "\n".join(text)


def note(args, runs):
    text = (
        f"{SIZE} x {SIZE} x 3, 8 bit, GpuMats of OpenCV's own memory; legacy default stream on both "
        f"ends; one thread; gc off; {args.rounds} rounds of at most {BLOCK} calls that take turns. "
        f"{processes.process_note(runs).capitalize()}. `own part`: the call less an empty launch with "
        f"as many bytes of parameters ({SMALL}; a list's have {LARGE}), in the same round."
    )
    return f"{idle.SAYS}\n\n{text}" if args.fake else text


def report(args, facts, runs, other):
    parts = [machine.heading("Host time of a launch", facts), note(args, runs)]
    if other:
        parts += [processes.against_note(runs, other), processes.against_table(runs, other)]
    else:
        rows, found = (processes.merge(runs, key) for key in ("rows", "goals"))
        parts += [table(rows), lines_in_words(rows), "## Goals", processes.goal_lines(found)]
    return "\n\n".join(parts) + "\n"


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60, help="turns of each call (%(default)s)")
    processes.add_arguments(parser)
    machine.add_save(parser)
    return machine.parse_known(parser, arguments)


def main(arguments=None):
    arguments = sys.argv[1:] if arguments is None else arguments
    args = parse(arguments)
    if args.child:
        processes.write(args.child, *measure(args))
        return 0
    missing = idle.why_not() if args.fake else why_no_gpu()
    if missing:
        raise SystemExit(f"bench: nothing was measured: {missing}")
    runs, other, complete = processes.run(__file__, arguments, args)
    facts = processes.facts(args, runs)
    text = report(args, facts, runs, other)
    print(text)
    if args.save:
        machine.save(args.save, processes.kind("launch", args), facts, text, opencv=True)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
