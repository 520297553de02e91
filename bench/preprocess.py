# SPDX-License-Identifier: Apache-2.0
"""Resize, pad and normalise many images, beside the field's ways and a plain copy, in one process.

    python bench/preprocess.py             on a GPU; without one in host memory
    python bench/preprocess.py --quick     fewer rounds, no torch.compile
    python bench/preprocess.py --host      in host memory
    python bench/preprocess.py --save      also write bench/results/preprocess-<gpu>.md or -host.md

100 % is a device-to-device copy that reads and writes as many bytes as the case has to move: all of
the result, and of the sources every 32-byte sector with a pixel that has a weight. Regions of one
frame that overlap count once. Every way's result is checked before it is timed, and a peer that fails is
left out: cases.py. The peers: preprocess_peers.py, preprocess_libraries.py. The goals:
preprocess_goals.py. In host memory: preprocess_host.py.
"""

import argparse
import functools
import importlib.util
import sys
from dataclasses import dataclass

import cases
import layout
import machine
import numpy as np
import pixview
import preprocess_libraries as libraries
import preprocess_peers as peers
import torch
from cases import SECTOR, taps
from layout_goals import Goal
from preprocess_goals import ALWAYS, Whole
from preprocess_peers import HEIGHT, NEAR, NEAR_OTHERS, PAD, VALUES, WIDTH, smooth

PEERS = ("torch", "torch.compile", "torchvision", "roi_align", "cv2.cuda", "CV-CUDA list",
         "CV-CUDA chain", "kornia_rs")  # fmt: skip


@dataclass
class Frames:
    """Images of 1080p: `sources` for pixview, `mats` for OpenCV or None, `stacked` N,H,W,C for torch."""

    stacked: object
    sources: list
    mats: list | None

    def first(self, n):
        return Frames(self.stacked[:n], self.sources[:n], self.mats and self.mats[:n])


@dataclass
class Case(cases.Case):
    """`regions`: of each frame, (y, x, h, w); `inner`: what each is resized to, or None."""

    regions: list = None
    inner: tuple | None = None
    expected: object = None

    def __post_init__(self):
        self.nbytes = bytes_read(self) + self.out.numel() * self.out.element_size()
        self.goals = [*self.goals, *ALWAYS]

    def check(self, name, peer):
        """A result may be as far off as NEAR says."""
        half = 4e-3 if self.out.dtype == torch.float16 else 1e-4
        near = NEAR.get(name, NEAR_OTHERS) * peer.level + half
        expected = self.expected if peer.expected is None else peer.expected
        layout.check(torch, peer.call, self.out, expected, half, near, peer.result)


# ---- bytes that have to move ----------------------------------------------------------------------


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


# ---- the cases ------------------------------------------------------------------------------------


def whole(frames, what, size, inner, dtype=torch.float32, goals=(), **keywords):
    """All of every frame, to `inner` in the middle of a canvas of `size`."""
    n, kind = len(frames.sources), str(dtype).removeprefix("torch.")
    out = torch.empty((n, 3, *size), device="cuda", dtype=dtype)
    keywords |= {"size": size, "pad_value": PAD, "dtype": dtype, **VALUES}
    regions = [[(0, 0, HEIGHT, WIDTH)]] * n
    case = Case(f"{n} x 1080p {what}, {kind}", frames.sources, out, keywords, regions=regions,
                inner=inner, goals=goals)  # fmt: skip
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
    inner = size if fit else None
    case = Case(name, frames.sources, out, keywords, regions=regions, inner=inner, goals=goals)
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


def measure(quick):
    """(rows, how many failed, the kind of the sources)"""
    opencv = why_no_opencv()
    if opencv:
        print(f"bench: {opencv}: not beside cv2.cuda", file=sys.stderr)
    frames = make_frames(32, not opencv)
    return *cases.measure(makers(frames), quick), type(frames.sources[0]).__name__


def why_no_opencv():
    try:
        import cv2
    except ImportError:
        return "no cv2"
    if cv2.cuda.getCudaEnabledDeviceCount() < 1:
        return "cv2 without CUDA"
    return None


# ---- report ---------------------------------------------------------------------------------------


PEER_NOTE = (
    "All but cv2.cuda and CV-CUDA's lists have their frames stacked already, kornia_rs and roi_align as "
    "R,G,B, roi_align as floats too. torchvision is v2 without antialias (bicubic: with it). cv2.cuda resizes and pads image by "
    "image (bilinear without half pixels), and pixview.stack normalises. `CV-CUDA list` is "
    "resize_crop_convert_reformat of a list, stretched onto the canvas and from 0 to 1: no padding, no mean, no std. "
    "`CV-CUDA chain` does all: resize and copymakeborder of bytes where there is padding, "
    "resize_crop_convert_reformat, normalize; of a list of crops the last two, or copymakeborderstack and them; "
    "bicubic by hq_resize. kornia_rs is a call of its Preprocessor for each frame."
)


def report(facts, rows, kind, quick):
    about = f"Sources: {kind}, 3 x uint8; results N,C,H,W, channels swapped, normalised."
    title = "Preprocessing" + (" (--quick)" if quick else "")
    return cases.report(title, facts, about, rows, PEERS, PEER_NOTE)


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
        text = report(facts, rows, kind, args.quick)
    print(text)
    if args.save:
        path = machine.save(args.save, "preprocess", facts, text)
        if rows:
            cases.draw(rows, path.with_suffix(".png"), PEERS)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
