"""Resize, pad and normalise many images, beside the field's ways and a plain copy, in one process.

    python bench/preprocess.py             on a GPU; without one in host memory
    python bench/preprocess.py --quick     fewer rounds, no torch.compile
    python bench/preprocess.py --host      in host memory
    python bench/preprocess.py --save      also write bench/results/preprocess-<gpu>.md or -host.md

100 % is a device-to-device copy that reads and writes as many bytes as the case has to move: all of
the result, and of the sources every 32-byte sector with a pixel that has a weight. Regions of one
frame that overlap count once. Every way's result is checked before it is timed. A peer that is not
installed, or fails its check, is left out with a line on stderr. How times are taken: gputime.py, for the
host rounds.py. The peers: preprocess_peers.py, preprocess_libraries.py. The goals: preprocess_goals.py.
In host memory: preprocess_host.py.
"""

import argparse
import functools
import importlib.util
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
import preprocess_libraries as libraries
import preprocess_peers as peers
import processes
import torch
from layout_goals import Goal
from preprocess_goals import ALWAYS, Whole
from preprocess_peers import HEIGHT, NEAR, NEAR_OTHERS, PAD, VALUES, WIDTH, Peer, smooth
from rounds import Statement, difference, progress, run

SECTOR = 32
PEERS = ("torch", "torch.compile", "torchvision", "roi_align", "cv2.cuda", "CV-CUDA list",
         "CV-CUDA chain", "kornia_rs")  # fmt: skip
PARAMETERS, BLOCK = 4096, 20  # bytes of a list's launch; calls before the GPU is waited for


@dataclass
class Frames:
    """Images of 1080p: `sources` for pixview, `mats` for OpenCV or None, `stacked` N,H,W,C for torch."""

    stacked: object
    sources: list
    mats: list | None

    def first(self, n):
        return Frames(self.stacked[:n], self.sources[:n], self.mats and self.mats[:n])


@dataclass
class Case:
    """A call of pixview.stack. `regions`: of each frame, (y, x, h, w); `inner`: what each is resized to,
    or None; `peers`: by name, functions that make a call or a Peer."""

    name: str
    frames: Frames
    out: object
    keywords: dict
    regions: list
    inner: tuple | None
    expected: object = None
    peers: dict = field(default_factory=dict)
    goals: list = field(default_factory=list)

    def ours(self):
        pixview.stack(self.frames.sources, out=self.out, **self.keywords)


class Row:
    """What was found of a case. `host`, `own`: ns on the host, and of that without an empty launch."""

    processes = ()

    def __init__(self, case, nbytes, ways, launches, host, own):
        self.name, self.nbytes, self.ways = case.name, nbytes, ways
        self.launches, self.host, self.own = launches, host, own
        self.goals, self.images = [*case.goals, *ALWAYS], len(case.out)

    def find(self, name):
        return next((way for way in self.ways if way.name == name), None)


# ---- bytes that have to move ----------------------------------------------------------------------


def taps(length, canvas, interpolation):
    """Which of an axis' pixels have a weight."""
    if interpolation != "linear":  # antialiased: all
        return np.arange(length)
    at = np.clip((np.arange(canvas) + 0.5) * length / canvas - 0.5, 0, length - 1)
    first = np.floor(at).astype(int)
    return np.unique(np.concatenate([first, np.where(at > first, first + 1, first)]))


def bytes_read(case):
    """Of the sectors with such pixels. Rows begin with a sector."""
    total, name = 0, case.keywords.get("interpolation", "linear")
    for regions in case.regions:
        seen = np.zeros((HEIGHT, WIDTH * 3 // SECTOR), bool)
        for y, x, h, w in regions:
            to = case.inner or (h, w)
            rows, columns = y + taps(h, to[0], name), x + taps(w, to[1], name)
            sectors = np.concatenate([columns * 3 // SECTOR, (columns * 3 + 2) // SECTOR])
            seen[np.ix_(rows, np.unique(sectors))] = True
        total += int(seen.sum()) * SECTOR
    return total


# ---- frames ---------------------------------------------------------------------------------------


def mat_of(image):
    import cv2

    mat = cv2.cuda.GpuMat()
    mat.upload(image)
    return mat


def arrays_of(stacked):
    """CuPy's, if there is CuPy."""
    if importlib.util.find_spec("cupy"):
        return [pixview.as_cupy(image, src_layout="HWC") for image in stacked]
    return [image.permute(2, 0, 1) for image in stacked]


def make_frames(n, has_opencv):
    images = [smooth(seed) for seed in range(n)]
    stacked = torch.stack(images).cuda()
    mats = [mat_of(image.numpy()) for image in images] if has_opencv else None
    return Frames(stacked, mats or arrays_of(stacked), mats)


# ---- cases ----------------------------------------------------------------------------------------


def whole(frames, what, size, inner, dtype=torch.float32, goals=(), **keywords):
    """All of every frame, to `inner` in the middle of a canvas of `size`."""
    n, kind = len(frames.sources), str(dtype).removeprefix("torch.")
    out = torch.empty((n, 3, *size), device="cuda", dtype=dtype)
    keywords |= {"size": size, "pad_value": PAD, "dtype": dtype, **VALUES}
    regions = [[(0, 0, HEIGHT, WIDTH)]] * n
    case = Case(f"{n} x 1080p {what}, {kind}", frames, out, keywords, regions, inner, goals=goals)
    bicubic = "interpolation" in keywords
    case.expected = torch_resizer(inner, size, torch.float32, bicubic)(frames.stacked)
    case.peers = whole_peers(frames, size, inner, out, bicubic)
    return case


def torch_resizer(inner, size, dtype, bicubic):
    mode = {"mode": "bicubic", "antialias": True} if bicubic else {}
    return peers.resizer("cuda", inner, size, dtype, **mode)


def whole_peers(frames, size, inner, out, bicubic):
    """Who can do it: CV-CUDA writes no float16, and kornia_rs and cv2.cuda have no antialias."""
    stacked, dtype = frames.stacked, out.dtype
    own, partial = torch_resizer(inner, size, dtype, bicubic), functools.partial
    found = {"torch": lambda: lambda: own(stacked, out),
             "torchvision": partial(libraries.torchvision_resize, stacked, inner, size, dtype, bicubic)}  # fmt: skip
    if not bicubic:
        found["kornia_rs"] = partial(libraries.kornia, stacked, inner, size, dtype)
        if frames.mats:
            found["cv2.cuda"] = partial(peers.cv2_whole, frames.mats, inner, size, out)
    if dtype == torch.float32:
        found["CV-CUDA chain"] = partial(libraries.cvcuda_chain, stacked, inner, size, out, bicubic)
        if not bicubic:
            found["torch.compile"] = partial(peers.compiled, own, stacked)
            found["CV-CUDA list"] = partial(libraries.cvcuda_list, stacked, size, out)
    return found


def random_regions(n, frames, low, high):
    """`n` of `low` to `high` rows and columns, spread over the frames."""
    rng = np.random.default_rng(1)
    h, w = rng.integers(low, high, (2, frames, n // frames), endpoint=True)
    y, x = rng.integers(0, HEIGHT - h + 1), rng.integers(0, WIDTH - w + 1)
    return [[tuple(r) for r in of] for of in np.stack([y, x, h, w], 2).tolist()]


def crops(frames, low, high, fit, goals):
    """Regions of each frame to 224 x 224, resized or at the top left."""
    regions, size = random_regions(256, len(frames.sources), low, high), (224, 224)
    out = torch.empty((256, 3, *size), device="cuda")
    keywords = {"size": size, "pad_value": PAD, "rois": regions, **VALUES}
    keywords |= {"fit": fit} if fit else {}
    how = "stretched to 224 x 224" if fit else "as they are on 224 x 224"
    name = f"256 crops of {low} to {high} of {len(frames.sources)} x 1080p, {how}, float32"
    case = Case(name, frames, out, keywords, regions, size if fit else None, goals=goals)
    stacked, partial = frames.stacked, functools.partial
    case.expected = peers.torch_crops(stacked, regions, torch.empty_like(out), fit)()
    case.peers["torch"] = partial(peers.torch_crops, stacked, regions, out, fit)
    if fit:
        case.peers["roi_align"] = partial(libraries.roi_align, stacked, regions, out)
    if frames.mats:
        case.peers["cv2.cuda"] = partial(peers.cv2_crops, frames.mats, regions, size, out, fit)
    case.peers["CV-CUDA chain"] = partial(libraries.cvcuda_crops, stacked, regions, out, fit)
    return case


def makers(frames):
    few, square, small = frames.first(8), (640, 640), (448, 448)
    box = functools.partial(whole, frames, "letterboxed to 640 x 640", square, (360, 640),
                            fit="letterbox")  # fmt: skip
    yield lambda: box(goals=[
        Goal("copy", 0.9, "letterbox, float32: "), Whole("CV-CUDA list", 5, "letterbox: "),
        Whole("torch", 12, "letterbox: "), Whole("cv2.cuda", 50, "letterbox: ")])  # fmt: skip
    yield lambda: box(dtype=torch.float16, goals=[Goal("copy", 0.85, "letterbox, float16: ")])
    yield lambda: whole(frames, "stretched to 640 x 640", square, square, fit="stretch")
    yield lambda: crops(few, 64, 400, "stretch", [
        Goal("copy", 0.7, "crops: "), Whole("torch", 100, "crops: "), Whole("roi_align", 10, "crops: ")])  # fmt: skip
    yield lambda: crops(few, 64, 224, None, [Goal("copy", 0.7, "crops as they are: ")])
    yield lambda: whole(frames, "by Pillow's bicubic to 448 x 448", small, small, fit="stretch",
                        goals=[Whole("torchvision", 8, "Pillow's bicubic: ")],
                        interpolation="pil-bicubic")  # fmt: skip


# ---- times ----------------------------------------------------------------------------------------


def is_right(case, name, peer):
    """Does it give what is expected? Ours has to; another that does not is left out, and named."""
    half = 4e-3 if case.out.dtype == torch.float16 else 1e-4
    near = NEAR.get(name, NEAR_OTHERS) * peer.level + half
    expected = case.expected if peer.expected is None else peer.expected
    return layout.fills(torch, name, peer.call, case.out, expected, half, near, peer.result)


def made(name, make):
    """The Peer; None of what is not installed or does not take the case."""
    try:
        found = make()
    except Exception as error:
        print(f"bench: {name} is left out: {layout.first_line(error)}", file=sys.stderr)
        return None
    return found if isinstance(found, Peer) else Peer(found)


def ways_of(case, nbytes, quick):
    import gputime

    ways = [gputime.Way("copy", layout.copy_call(torch, nbytes // 2))]
    for name, make in {"pixview": lambda: case.ours, **case.peers}.items():
        if quick and name == "torch.compile":
            continue
        peer = made(name, make)
        if peer and is_right(case, name, peer):
            ways.append(gputime.Way(name, peer.call))
    return ways


def on_host(case, empty, rounds):
    """(ns of a call, ns less an empty launch); the second is None without one."""
    ns = {"stack": pixview.stack, "sources": case.frames.sources, "out": case.out, "empty": empty,
          "keywords": case.keywords}  # fmt: skip
    call = Statement("stack", "stack(sources, out=out, **keywords)", most=BLOCK)
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


def row_of(case, empty, quick):
    import gputime

    case.ours()
    nbytes = bytes_read(case) + case.out.numel() * case.out.element_size()
    ways = ways_of(case, nbytes, quick)
    launches = layout.kernels_of(torch, case.ours)
    host, own = on_host(case, empty, 5 if quick else 20)
    gputime.run(ways, *((3, 2) if quick else (9, 4)), whole=True)
    return Row(case, nbytes, ways, launches, host, own)


def measure(quick):
    """(rows, how many failed, the kind of the sources)"""
    opencv = why_no_opencv()
    if opencv:
        print(f"bench: {opencv}: not beside cv2.cuda", file=sys.stderr)
    frames = make_frames(32, not opencv)
    rows, failed, begin = [], 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        empty = empty_kernels(folder)
        for i, make in enumerate(makers(frames)):
            try:
                rows.append(row_of(make(), empty, quick))
                progress(f"{time.monotonic() - begin:.0f} s: {rows[-1].name}")
            except Exception as error:  # the other rows are worth keeping
                failed += 1
                print(f"bench: row {i + 1} FAILED: {error!r}", file=sys.stderr)
            torch.cuda.empty_cache()
    return rows, failed, type(frames.sources[0]).__name__


def why_no_opencv():
    try:
        import cv2
    except ImportError:
        return "no cv2"
    if cv2.cuda.getCudaEnabledDeviceCount() < 1:
        return "cv2 without CUDA"
    return None


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


def peer_table(rows):
    """How many times as fast ours is, by whole calls, and how long theirs take."""
    import gputime

    names = [name for name in PEERS if any(row.find(name) for row in rows)]
    lines = [("whole calls: x, us", *names)]
    for row in rows:
        found = [row.find(name) for name in names]
        lines.append((row.name, *(
            f"{gputime.factor(way, row.find('pixview')):.1f} x, {way.whole:.0f}" if way else "" for way in found
        )))  # fmt: skip
    return processes.aligned(lines, range(1, len(lines[0])))


NOTE = (
    "results N,C,H,W, channels swapped, normalised. `us`: of the GPU, the median. `whole call`: of a loop of calls "
    "with one wait for the GPU at its end, so the longer of the host's part and the GPU's. `MB`: what has to move: "
    "the result, and every 32-byte sector of the sources with a pixel that has a weight; `% of copy`: the speed of a "
    "device copy that reads and writes as much, by the GPU's time. `host`: of the call, memory prepared; `own part`: "
    "the same less an empty launch."
)
PEER_NOTE = (
    "`x`: how many times as fast ours is **by whole calls**, the median over the rounds, and the peer's us. Many "
    "small calls are bound by the host: there the picture, which has the GPU's time, shows a peer better than its "
    "user sees it. All but cv2.cuda and CV-CUDA's lists have their frames stacked already, kornia_rs and roi_align as "
    "R,G,B, roi_align as floats too. torchvision is v2 without antialias (bicubic: with it). cv2.cuda resizes and pads image by "
    "image (bilinear without half pixels), and pixview.stack normalises. `CV-CUDA list` is "
    "resize_crop_convert_reformat of a list, stretched onto the canvas and from 0 to 1: no padding, no mean, no std. "
    "`CV-CUDA chain` does all: resize and copymakeborder of bytes where there is padding, "
    "resize_crop_convert_reformat, normalize; of a list of crops the last two, or copymakeborderstack and them; "
    "bicubic by hq_resize. kornia_rs is a call of its Preprocessor for each frame."
)


def report(facts, rows, kind):
    parts = [
        machine.heading("Preprocessing", facts),
        f"Sources: {kind}, 3 x uint8; {NOTE}",
        table(rows),
    ]
    parts += [PEER_NOTE, peer_table(rows), "## Goals", layout_goals.lines(rows)]
    return "\n\n".join(parts) + "\n"


def draw(rows, path):
    import gputime

    names = ("pixview", *PEERS)
    found = [
        (row.name, {way.name: gputime.percent(row.find("copy"), way) for way in row.ways if way.name != "copy"})
        for row in rows
    ]  # fmt: skip
    plot.shares(
        path, found, names, "% of a device-to-device copy of the bytes that have to move, GPU time"
    )


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no torch.compile")
    parser.add_argument("--host", action="store_true", help="in host memory, on a GPU machine too")
    machine.add_save(parser)
    return machine.parse_known(parser, None)


def main():
    args, failed, rows = parse(), 0, []
    if args.host or not torch.cuda.is_available():
        import preprocess_host

        facts, text = preprocess_host.measure(args.quick)
    else:
        rows, failed, kind = measure(args.quick)
        if not rows:
            raise SystemExit("bench: nothing was measured")
        facts = machine.describe(with_gpu=True)
        text = report(facts, rows, kind)
    print(text)
    if args.save:
        path = machine.save(args.save, "preprocess", facts, text)
        if rows:
            draw(rows, path.with_suffix(".png"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
