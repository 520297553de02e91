"""Resize, pad and normalise many images, beside the field's ways and a plain copy, in one process.

    python bench/preprocess.py             on a GPU; without one in host memory
    python bench/preprocess.py --quick     fewer rounds, no torch.compile
    python bench/preprocess.py --host      in host memory
    python bench/preprocess.py --save      also write bench/results/preprocess-<gpu>.md or -host.md

100 % is a device-to-device copy that reads and writes as many bytes as the case has to move: all of
the result, and of the sources every 32-byte sector with a pixel that has a weight. Regions of one
frame that overlap count once. Every way's result is checked before it is timed. How times are taken:
gputime.py, for the host rounds.py. In host memory: preprocess_host.py.
"""

import argparse
import functools
import importlib.util
import sys
import tempfile
import time
from dataclasses import dataclass, field

import machine
import numpy as np
import pixview
import plot
import preprocess_peers as peers
import processes
import torch
from preprocess_peers import HEIGHT, LEVEL, NEAR, PAD, VALUES, WIDTH, smooth
from rounds import Statement, difference, progress, run

SECTOR = 32
PEERS = ("torch", "torch.compile", "cv2.cuda")
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
    or None; `peers`: calls by name."""

    name: str
    frames: Frames
    out: object
    keywords: dict
    regions: list
    inner: tuple | None
    expected: object = None
    peers: dict = field(default_factory=dict)

    def ours(self):
        pixview.stack(self.frames.sources, out=self.out, **self.keywords)


class Row:
    """What was found of a case. `host`, `own`: ns on the host, and of that without an empty launch."""

    def __init__(self, case, nbytes, ways, launches, host, own):
        self.name, self.nbytes, self.ways = case.name, nbytes, ways
        self.launches, self.host, self.own = launches, host, own

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


def whole(frames, what, size, inner, dtype=torch.float32, **keywords):
    """All of every frame, to `inner` in the middle of a canvas of `size`."""
    n, kind = len(frames.sources), str(dtype).removeprefix("torch.")
    out = torch.empty((n, 3, *size), device="cuda", dtype=dtype)
    keywords |= {"size": size, "pad_value": PAD, "dtype": dtype, **VALUES}
    regions = [[(0, 0, HEIGHT, WIDTH)]] * n
    case = Case(f"{n} x 1080p {what}, {kind}", frames, out, keywords, regions, inner)
    bicubic = "interpolation" in keywords
    mode = {"mode": "bicubic", "antialias": True} if bicubic else {}
    exact, own = (peers.resizer("cuda", inner, size, t, **mode) for t in (torch.float32, dtype))
    case.expected = exact(frames.stacked)
    case.peers["torch"] = lambda: own(frames.stacked, out)
    if dtype == torch.float32 and not bicubic:
        case.peers["torch.compile"] = functools.partial(peers.compiled, own, frames.stacked)
    if frames.mats and not bicubic:
        case.peers["cv2.cuda"] = peers.cv2_whole(frames.mats, inner, size, out)
    return case


def random_regions(n, frames, low, high):
    """`n` of `low` to `high` rows and columns, spread over the frames."""
    rng = np.random.default_rng(1)
    h, w = rng.integers(low, high, (2, frames, n // frames), endpoint=True)
    y, x = rng.integers(0, HEIGHT - h + 1), rng.integers(0, WIDTH - w + 1)
    return [[tuple(r) for r in of] for of in np.stack([y, x, h, w], 2).tolist()]


def crops(frames, low, high, fit):
    """Regions of each frame to 224 x 224, resized or at the top left."""
    regions, size = random_regions(256, len(frames.sources), low, high), (224, 224)
    out = torch.empty((256, 3, *size), device="cuda")
    keywords = {"size": size, "pad_value": PAD, "rois": regions, **VALUES}
    keywords |= {"fit": fit} if fit else {}
    how = "stretched to 224 x 224" if fit else "as they are on 224 x 224"
    name = f"256 crops of {low} to {high} of {len(frames.sources)} x 1080p, {how}, float32"
    case = Case(name, frames, out, keywords, regions, size if fit else None)
    case.expected = peers.torch_crops(frames.stacked, regions, torch.empty_like(out), fit)()
    case.peers["torch"] = peers.torch_crops(frames.stacked, regions, out, fit)
    if frames.mats:
        case.peers["cv2.cuda"] = peers.cv2_crops(frames.mats, regions, size, out, fit)
    return case


def makers(frames):
    few, square, small = frames.first(8), (640, 640), (448, 448)
    box = functools.partial(whole, frames, "letterboxed to 640 x 640", square, (360, 640),
                            fit="letterbox")  # fmt: skip
    yield box
    yield lambda: box(dtype=torch.float16)
    yield lambda: whole(frames, "stretched to 640 x 640", square, square, fit="stretch")
    yield lambda: crops(few, 64, 400, "stretch")
    yield lambda: crops(few, 64, 224, None)
    yield lambda: whole(frames, "by Pillow's bicubic to 448 x 448", small, small, fit="stretch",
                        interpolation="pil-bicubic")  # fmt: skip


# ---- times ----------------------------------------------------------------------------------------


def is_right(case, name, call):
    """Does the call give what is expected? Ours has to; another that does not is left out, and named."""
    levels = NEAR.get(name, NEAR["others"])
    case.out.zero_()
    try:
        found = call()
        torch.cuda.synchronize()
        found = case.out if found is None else found
        half = 4e-3 if case.out.dtype == torch.float16 else 1e-4
        torch.testing.assert_close(found.float(), case.expected, rtol=half,
                                   atol=levels * LEVEL + half)  # fmt: skip
    except Exception as error:
        if name == "pixview":
            raise
        print(f"bench: {name} is left out: {error}", file=sys.stderr)
        return False
    return True


def ways_of(case, nbytes, quick):
    import gputime
    import layout

    ways = [gputime.Way("copy", layout.copy_call(torch, nbytes // 2))]
    for name, call in {"pixview": case.ours, **case.peers}.items():
        if name == "torch.compile":
            try:
                call = None if quick else call()
            except Exception as error:
                print(f"bench: torch.compile: {error}", file=sys.stderr)
                continue
        if call and is_right(case, name, call):
            ways.append(gputime.Way(name, call))
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
    import layout

    case.ours()
    nbytes = bytes_read(case) + case.out.numel() * case.out.element_size()
    ways = ways_of(case, nbytes, quick)
    launches = layout.kernels_of(torch, case.ours)
    host, own = on_host(case, empty, 5 if quick else 20)
    gputime.run(ways, *((3, 2) if quick else (9, 4)))
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
    factors = [f"{gputime.percent(row.find(name), ours) / 100:.1f}" if row.find(name) else ""
               for name in PEERS]  # fmt: skip
    own = "" if row.own is None else f"{row.own / 1e3:.1f}"
    return (row.name, f"{ours.median:.0f}", f"{row.nbytes / 1e6:.0f}",
            f"{gputime.percent(copy, ours):.0f}", *factors, str(row.launches),
            f"{row.host / 1e3:.1f}", own)  # fmt: skip


def table(rows):
    head = ("case", "us", "MB", "% of copy", *(f"x {name}" for name in PEERS), "launches",
            "host, us", "own part, us")  # fmt: skip
    return processes.aligned([head, *map(cells, rows)], range(1, len(head)))


def report(facts, rows, kind):
    note = (
        f"Sources: {kind}, 3 x uint8; results N,C,H,W, normalised. `us`: of the GPU, the median. `MB`: what "
        "has to move: the result, and every 32-byte sector of the sources with a pixel that has a weight; "
        "`% of copy`: the speed of a device copy that reads and writes as much. `x`: how many times as fast "
        "as that one, the median over the rounds. torch has its frames stacked already; cv2.cuda resizes and "
        "pads image by image (bilinear without half pixels), and pixview.stack normalises. `host`: of the "
        "call, memory prepared; `own part`: the same less an empty launch. Filters also upload their tables."
    )
    return "\n\n".join([machine.heading("Preprocessing", facts), note, table(rows)]) + "\n"


def draw(rows, path):
    import gputime

    names = ("pixview", *PEERS)
    found = [
        (row.name, {way.name: gputime.percent(row.find("copy"), way) for way in row.ways if way.name != "copy"})
        for row in rows
    ]  # fmt: skip
    plot.shares(path, found, names, "% of a device-to-device copy of the bytes that have to move")


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
