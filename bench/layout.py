# SPDX-License-Identifier: Apache-2.0
"""GB/s of every layout change and of stack, beside the field's ways and a plain copy, in one process.

    python bench/layout.py                 every row; needs a GPU
    python bench/layout.py --quick         batch 32 alone
    python bench/layout.py --save          also write bench/results/layout-<gpu>.md and .png
    python bench/layout.py --repeat 5      the rounds of five processes; each takes minutes

100 % is a device-to-device copy of the same number of bytes in the same run. Every way's result is
checked before it is timed. How times are taken: gputime.py. The peers: peers.py. The goals:
layout_goals.py. Pitched rows are padded to a multiple of 512 bytes on the interleaved side, as a
GpuMat's are.
"""

import argparse
import dataclasses
import pathlib
import sys
import tempfile
import time

import layout_goals
import machine
import plot
import processes
from layout_goals import Goal
from rounds import progress

HEIGHT, WIDTH = 1080, 1920
MEAN, STD, SCALE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1 / 255
PEERS = ("torch", "CuPy", "CV-CUDA", "NPP", "cv2.cuda")
FIELD = ("torch", "CuPy", "CV-CUDA", "NPP")  # whom every repack has to be ahead of


class Row:
    """One case: its ways, and the bytes that are read and written. `processes`: the same row of each,
    if the samples are those of several."""

    def __init__(self, name, nbytes, ways, goals=(), launches=None, processes=()):
        self.name, self.nbytes, self.ways = name, nbytes, ways
        self.goals, self.launches, self.processes = goals, launches, processes

    def find(self, name):
        return next((way for way in self.ways if way.name == name), None)

    def rate(self, way):
        return self.nbytes / way.median / 1e3


# ---- repack ---------------------------------------------------------------------------------------


def batches(torch, n, channels, dtype, pitched):
    """The same pixels N,C,H,W and N,H,W,C, both filled; the second with padded rows if pitched."""
    if dtype.is_floating_point:
        planar = torch.rand((n, channels, HEIGHT, WIDTH), device="cuda", dtype=dtype)
    else:
        planar = torch.randint(0, 256, (n, channels, HEIGHT, WIDTH), device="cuda", dtype=dtype)
    row = WIDTH * channels * planar.element_size()
    pitch = -(-row // 512) * 512 + 512 if pitched else row
    memory = torch.zeros((n * HEIGHT, pitch // planar.element_size()), device="cuda", dtype=dtype)
    interleaved = memory[:, : WIDTH * channels].unflatten(1, (WIDTH, channels))
    interleaved = interleaved.unflatten(0, (n, HEIGHT))
    interleaved.copy_(planar.permute(0, 2, 3, 1))
    return planar, interleaved


def repack_calls(torch, planar, interleaved, to_planar):
    """(name, call) of every way that takes the case."""
    import peers
    import pixview

    if to_planar:
        dst, src, names, axes = planar, interleaved, ("NCHW", "NHWC"), (0, 3, 1, 2)
    else:
        dst, src, names, axes = interleaved, planar, ("NHWC", "NCHW"), (0, 2, 3, 1)
    cv2_way = peers.cv2_split if to_planar else peers.cv2_merge
    yield "pixview", lambda: pixview.copy_into(dst, src, dst_layout=names[0], src_layout=names[1])
    yield "torch", lambda: dst.copy_(src.permute(axes))
    yield "CuPy", peers.cupy_copy(dst, src, axes)
    yield "CV-CUDA", peers.cvcuda_reformat(dst, src, *names)
    yield "NPP", peers.npp_copy(planar, interleaved, to_planar)
    yield "cv2.cuda", cv2_way(planar, interleaved)


def copy_call(torch, nbytes):
    """A device-to-device copy of nbytes."""
    of, to = (torch.zeros(nbytes, device="cuda", dtype=torch.uint8) for _ in range(2))
    return lambda: to.copy_(of)


def check(torch, call, dst, expected, rtol=0, atol=0, result=None):
    """Raises unless the call fills dst with what is expected, or gives it, as `result` reads it."""
    dst.zero_()
    found = call()
    torch.cuda.synchronize()
    found = result(found) if result else dst
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol, check_dtype=False)


def fills(torch, name, call, dst, expected, rtol=0, atol=0):
    """Does it? A peer that does not is left out, and named."""
    try:
        check(torch, call, dst, expected, rtol, atol)
    except Exception as error:
        if name == "pixview":
            raise
        print(f"bench: {name} is left out: {first_line(error)}", file=sys.stderr)
        return False
    return True


def first_line(error):
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def repack_row(torch, n, channels, dtype, to_planar, pitched):
    import gputime

    planar, interleaved = batches(torch, n, channels, dtype, pitched)
    dst = planar if to_planar else interleaved
    expected = dst.clone()
    nbytes = planar.numel() * planar.element_size()
    ways = [gputime.Way("copy", copy_call(torch, nbytes))]
    for name, call in repack_calls(torch, planar, interleaved, to_planar):
        if call and fills(torch, name, call, dst, expected):
            ways.append(gputime.Way(name, call))
        dst.copy_(expected)
    gputime.run(ways, count=2 if n >= 32 else 6)
    arrow = "HWC -> CHW" if to_planar else "CHW -> HWC"
    kind = str(dtype).removeprefix("torch.")
    name = f"{n} x 1080p x {channels}, {kind}, {arrow}, {'pitched' if pitched else 'packed'}"
    wanted = [Goal("copy", 0.95), *(Goal(peer, 1) for peer in FIELD)]
    if dtype == torch.uint8 and channels == 3:
        wanted.append(Goal("torch", 4))
    return Row(name, 2 * nbytes, ways, wanted)


def repack_rows(torch, sizes):
    for dtype in (torch.uint8, torch.float16, torch.float32):
        for channels in (3, 4):
            for n in sizes:
                for to_planar in (False, True):
                    for pitched in (False, True):
                        yield lambda a=(n, channels, dtype, to_planar, pitched): repack_row(
                            torch, *a
                        )


def graph_row(torch, channels, to_planar):
    """One 8-bit image, replayed from a CUDA graph: the time of the kernel alone."""
    import gputime

    planar, interleaved = batches(torch, 1, channels, torch.uint8, False)
    calls = dict(repack_calls(torch, planar, interleaved, to_planar))
    nbytes = planar.numel()
    chosen = {
        "copy": copy_call(torch, nbytes),
        "pixview": calls["pixview"],
        "torch": calls["torch"],
    }
    ways = [gputime.Way(name, gputime.captured(call)) for name, call in chosen.items()]
    gputime.run(ways)
    for way in ways:
        way.samples = [sample / 20 for sample in way.samples]
    arrow = "HWC -> CHW" if to_planar else "CHW -> HWC"
    name = f"1 x 1080p x {channels}, uint8, {arrow}, in a graph"
    return Row(name, 2 * nbytes, ways, [Goal("torch", 3, "a single image in a graph: ")])


# ---- stack ----------------------------------------------------------------------------------------


def pitched_mats(torch, n):
    """N GpuMats of OpenCV's own memory, and their pixels N,H,W,C."""
    import cv2

    pixels = torch.randint(0, 256, (n, HEIGHT, WIDTH, 3), dtype=torch.uint8)
    mats = []
    for image in pixels.numpy():
        mats.append(cv2.cuda.GpuMat())
        mats[-1].upload(image)
    return mats, pixels.cuda()


def torch_loop(torch, mats, out):
    import pixview

    views = [pixview.as_torch(mat) for mat in mats]
    mean, std = (torch.tensor(v, device="cuda").view(3, 1, 1) for v in (MEAN, STD))

    def call():
        for view, into in zip(views, out, strict=True):
            into.copy_((view.float() * SCALE - mean) / std)

    return call


def torch_compiled(torch, stacked, dtype):
    mean, std = (torch.tensor(v, device="cuda").view(1, 3, 1, 1) for v in (MEAN, STD))

    def normalised(batch):
        return ((batch.permute(0, 3, 1, 2).float() * SCALE - mean) / std).to(dtype).contiguous()

    compiled = torch.compile(normalised)
    compiled(stacked)
    return lambda: compiled(stacked)


def cv2_loop(mats, out):
    """Into memory that exists; by the scalar functions where this OpenCV has them."""
    import cv2
    import pixview

    subtract = getattr(cv2.cuda, "subtractWithScalar", cv2.cuda.subtract)
    divide = getattr(cv2.cuda, "divideWithScalar", cv2.cuda.divide)
    scaled = cv2.cuda.GpuMat(HEIGHT, WIDTH, cv2.CV_32FC3)
    planes = [[pixview.as_gpumat(plane, copy=False) for plane in image] for image in out]

    def call():
        for mat, into in zip(mats, planes, strict=True):
            mat.convertTo(cv2.CV_32FC3, scaled, SCALE, 0.0)
            subtract(scaled, MEAN, scaled)
            divide(scaled, STD, scaled)
            cv2.cuda.split(scaled, into)

    return call


def stack_row(torch, n, dtype, slow_ways):
    import gputime
    import pixview

    mats, stacked = pitched_mats(torch, n)
    out = torch.empty((n, 3, HEIGHT, WIDTH), device="cuda", dtype=dtype)
    mean, std = (torch.tensor(v, device="cuda").view(1, 3, 1, 1) for v in (MEAN, STD))
    expected = ((stacked.permute(0, 3, 1, 2).float() * SCALE - mean) / std).to(dtype)

    def ours():
        pixview.stack(mats, dtype=dtype, scale=SCALE, mean=MEAN, std=STD, out=out)

    nbytes = stacked.numel() + out.numel() * out.element_size()
    calls = {
        "copy": copy_call(torch, nbytes // 2),
        "pixview": ours,
        "torch": torch_loop(torch, mats, out),
    }
    if slow_ways and dtype == torch.float32:
        calls["cv2.cuda"] = cv2_loop(mats, out)
    ways = []
    for name, call in calls.items():
        if name == "copy" or fills(torch, name, call, out, expected, 2e-3, 2e-3):
            ways.append(gputime.Way(name, call))
    if slow_ways:
        try:
            ways.append(gputime.Way("torch.compile", torch_compiled(torch, stacked, dtype)))
        except Exception as error:
            print(f"bench: torch.compile: {error}", file=sys.stderr)
    launches = kernels_of(torch, ours)
    gputime.run(ways, count=3)
    kind = str(dtype).removeprefix("torch.")
    name = f"stack of {n} pitched GpuMats x 3, uint8 -> NCHW {kind} normalised"
    wanted = [Goal("launches", 1)]
    if dtype == torch.float32:
        wanted += [Goal("copy", 0.93), Goal("torch", 10, "stack: "), Goal("torch.compile", 3)]
    return Row(name, nbytes, ways, wanted, launches)


def kernels_of(torch, call):
    """How many kernels a call launches, as CUPTI sees it."""
    from torch.profiler import ProfilerActivity, profile

    call()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        call()
        torch.cuda.synchronize()
    return sum(1 for event in seen.events() if "pixview" in event.name)


# ---- several processes ----------------------------------------------------------------------------


def as_json(row):
    ways = {way.name: way.samples for way in row.ways}
    goals = [dataclasses.asdict(goal) for goal in row.goals]
    return dict(name=row.name, nbytes=row.nbytes, launches=row.launches, ways=ways, goals=goals)


def of_json(found):
    import gputime

    ways = [gputime.Way(name, None, samples) for name, samples in found["ways"].items()]
    goals = [Goal(**goal) for goal in found["goals"]]
    return Row(found["name"], found["nbytes"], ways, goals, found["launches"])


def pooled(runs):
    """The rows of all processes in one: a ratio is then the median over the rounds of all."""
    import gputime

    several = [{each["name"]: of_json(each) for each in run["rows"]} for run in runs]
    rows = []
    for name, first in several[0].items():
        same = [rows_of[name] for rows_of in several if name in rows_of]
        ways = [
            gputime.Way(way.name, None, [s for row in same for s in row.find(way.name).samples])
            for way in first.ways
            if all(row.find(way.name) for row in same)
        ]
        rows.append(Row(name, first.nbytes, ways, first.goals, first.launches, same))
    return rows


def in_processes(count):
    """(rows, what failed, facts)"""
    runs, begin = [], time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for i in range(count):
            progress(f"process {i + 1} of {count}, {time.monotonic() - begin:.0f} s")
            runs.append(processes.one(__file__, sys.argv[1:], folder, {}))
    complete = [run for run in runs if run]
    if not complete:
        raise SystemExit("bench: nothing was measured")
    facts = complete[0]["facts"] | {"processes": len(complete)}
    failed = count - len(complete) + sum(run["goals"][0] for run in complete)
    return pooled(complete), failed, facts


# ---- report ---------------------------------------------------------------------------------------


def table(rows):
    """GB/s, and in brackets percent of the copy in the same run; the best peer's factor."""
    import gputime

    names = ["copy", "pixview", *PEERS, "torch.compile"]
    names = [name for name in names if any(row.find(name) for row in rows)]
    lines = [
        "| case | " + " | ".join(names) + " | best peer |",
        "| --- |" + " ---: |" * (len(names) + 1),
    ]
    for row in rows:
        copy, ours = row.find("copy"), row.find("pixview")
        cells = []
        for name in names:
            way = row.find(name)
            share = f" ({gputime.percent(copy, way):.0f} %)" if way and way is not copy else ""
            cells.append(f"{row.rate(way):.0f}{share}" if way else "")
        rest = [way for way in row.ways if way not in (copy, ours)]
        best = min(rest, key=lambda way: way.median) if rest else None
        cells.append(f"{gputime.percent(best, ours) / 100:.1f} x {best.name}" if best else "")
        lines.append(f"| {row.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(rows, path):
    import gputime

    names = ("pixview", *PEERS, "torch.compile")
    found = [
        (row.name, {way.name: gputime.percent(row.find("copy"), way) for way in row.ways})
        for row in rows
    ]
    plot.shares(path, found, names, "% of a device-to-device copy of the same bytes")


def report(facts, rows):
    note = (
        "GB/s read and written, in brackets percent of the copy's speed in the same run (median over "
        f"the rounds of {facts.get('processes', 'one')} process{'es' if 'processes' in facts else ''}). "
        "cv2.cuda and NPP work image by image."
    )
    parts = [machine.heading("Layout changes", facts), note, table(rows)]
    parts += ["## Goals", layout_goals.lines(rows)]
    return "\n\n".join(parts) + "\n"


def measure(torch, quick):
    sizes = (32,) if quick else (8, 32, 64)
    makers = list(repack_rows(torch, sizes))
    makers += [lambda a=(c, p): graph_row(torch, *a) for c in (3, 4) for p in (False, True)]
    for n in sizes:
        for dtype in (torch.float32, torch.float16):
            makers.append(lambda a=(n, dtype, n == 32): stack_row(torch, *a))
    rows, failed, begin = [], 0, time.monotonic()
    for i, make in enumerate(makers):
        try:
            rows.append(make())
        except Exception as error:  # the other rows are worth keeping
            failed += 1
            print(f"bench: row {i + 1} FAILED: {error!r}", file=sys.stderr)
        torch.cuda.empty_cache()
        name = rows[-1].name if rows else ""
        progress(f"{i + 1} of {len(makers)} rows, {time.monotonic() - begin:.0f} s: {name}")
    return rows, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="batch 32 alone")
    parser.add_argument("--repeat", type=int, default=1, metavar="N",
                        help="fresh processes, whose rounds are joined (%(default)s)")  # fmt: skip
    parser.add_argument("--child", type=pathlib.Path, help=argparse.SUPPRESS)
    machine.add_save(parser, "the report and the plot")
    args = machine.parse_known(parser, None)
    import torch

    if not torch.cuda.is_available():
        raise SystemExit("bench: no GPU: nothing was measured")
    if args.repeat > 1 and not args.child:
        rows, failed, facts = in_processes(args.repeat)
    else:
        rows, failed = measure(torch, args.quick)
        facts = machine.describe(with_gpu=True)
    if args.child:
        processes.write(args.child, facts, [as_json(row) for row in rows], [failed])
        return 0
    text = report(facts, rows)
    print(text)
    if args.save:
        path = machine.save(args.save, "layout", facts, text)
        chosen = [row for row in rows if row.name.startswith(("32 x", "stack of 32"))]
        draw(chosen, path.with_suffix(".png"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
