# SPDX-License-Identifier: Apache-2.0
"""Video frames of 1080p to batches and back on a GPU, beside the field's ways and a plain copy, in one process.

    python bench/video.py                  needs a GPU; in host memory: video_host.py
    python bench/video.py --quick          fewer rounds, no torch.compile
    python bench/video.py --without NPP    not beside that peer; may be repeated
    python bench/video.py --save           also write bench/results/video-<gpu>.md and .png

100 % is a device-to-device copy that reads and writes as many bytes as the case has to move: all of
the result, and of the sources every 32-byte sector with a sample that has a weight. A peer whose result
is not ours, or nearly, is left out: cases.py. The peers: video_peers.py. The goals: video_goals.py.
"""

import argparse
import faulthandler
import functools
import sys
from dataclasses import dataclass

import cases
import machine
import numpy as np
import pixview
import torch
import video_goals as goals
import video_peers as peers
from cases import SECTOR, taps
from preprocess_peers import HEIGHT, LEVEL, MEAN, PAD, SCALE, STD, WIDTH, compiled, smooth

N, PITCH = 32, 2048  # frames; samples of a surface's row
SIZE, ROWS = (HEIGHT, WIDTH), HEIGHT * 3 // 2
CANVAS, INNER = (640, 640), (360, 640)
VALUES = {"scale": SCALE, "mean": MEAN, "std": STD}
PEERS = ("torch", "torch.compile", "CV-CUDA", "CV-CUDA fused", "NPP")
NEAR = 2  # of 255, on average: a peer has its own rounding and its own place of U and V


class Surfaces:
    """What a decoder gives: an allocation for each frame, rows with a pitch, all rows of Y and then of UV.
    `stacked`: the same in one tensor."""

    def __init__(self, format, stacked):
        self.format, self.stacked = format, stacked
        self.each = [surface.clone() for surface in stacked]

    @property
    def sample(self):
        return self.stacked.element_size()

    def frames(self, matrix="bt709"):
        said = {"format": self.format, "matrix": matrix, "range": "limited", "size": SIZE}
        return [pixview.video_frame(surface, **said) for surface in self.each]

    def filled(self):
        """What the frames hold."""
        return torch.stack([surface[:, :WIDTH] for surface in self.each])


def random_surfaces(format):
    shape = (N, ROWS, PITCH)
    if format == "NV12":
        return Surfaces(format, torch.randint(0, 256, shape, device="cuda", dtype=torch.uint8))
    samples = torch.randint(0, 1024, shape, device="cuda", dtype=torch.int32) * 64
    return Surfaces(format, samples.to(torch.uint16))


@dataclass
class Case(cases.Case):
    """`filled`: what the peers fill; `ours_filled`: a function that gives what ours did; `level`: what a
    step of a byte is in the result."""

    filled: object = None
    ours_filled: object = None
    level: float = 1
    expected: object = None

    def check(self, name, peer):
        if name == "pixview":
            peer.call()
            self.expected = self.ours_filled().clone()
            return
        self.filled.zero_()
        found = peer.call()
        torch.cuda.synchronize()
        found = peer.result(found) if peer.result else self.filled
        expected = self.expected if peer.expected is None else peer.expected
        off = (found.float() - expected.float()).abs().mean().item() / self.level
        if not off < NEAR:
            raise ValueError(f"off by {off:.2f} of 255 on average")


# ---- the cases ------------------------------------------------------------------------------------


def bytes_read(sample, inner):
    """Of a frame's sectors with a sample that has a weight. Rows begin with a sector."""
    y, x = taps(HEIGHT, inner[0]), taps(WIDTH, inner[1])
    luma, chroma = np.unique(x * sample // SECTOR), np.unique(x // 2 * 2 * sample // SECTOR)
    return SECTOR * (len(y) * len(luma) + len(np.unique(y // 2)) * len(chroma))


def to_batch(surfaces, dtype, wanted, inner=None):
    """All frames to N,C,H,W; with `inner` letterboxed."""
    canvas, kind = CANVAS if inner else SIZE, str(dtype).removeprefix("torch.")
    out = torch.empty((N, 3, *canvas), device="cuda", dtype=dtype)
    keywords = {"dtype": dtype, **(VALUES if dtype.is_floating_point else {})}
    if inner:
        keywords |= {"size": CANVAS, "fit": "letterbox", "pad_value": PAD}
    what = f"letterboxed to {CANVAS[0]} x {CANVAS[1]}" if inner else "to N,C,H,W"
    case = Case(f"{N} x {surfaces.format} {what}, {kind}", surfaces.frames(), out, keywords, goals=wanted,
                filled=out, ours_filled=lambda: out, level=LEVEL if dtype.is_floating_point else 1)  # fmt: skip
    case.nbytes = N * bytes_read(surfaces.sample, inner or SIZE) + out.nbytes

    def of_bt601():
        return pixview.stack(surfaces.frames("bt601"), out=torch.empty_like(out), **keywords)

    case.peers = batch_peers(surfaces, inner, canvas, out, keywords, of_bt601)
    return case


def batch_peers(surfaces, inner, canvas, out, keywords, of_bt601):
    """Who can do it: CV-CUDA has no P010."""
    stacked, partial = surfaces.stacked, functools.partial
    own = peers.torch_batch(SIZE, inner, canvas, out.dtype, "cuda")
    found = {"torch": lambda: lambda: own(stacked, out),
             "torch.compile": partial(compiled, own, stacked)}  # fmt: skip
    if surfaces.format == "NV12":
        if out.dtype == torch.uint8:
            found["CV-CUDA"] = partial(peers.cvcuda_bytes, stacked, SIZE, out, of_bt601)
        else:
            found["CV-CUDA"] = partial(peers.cvcuda_batch, stacked, SIZE, inner, out, of_bt601)
            found["CV-CUDA fused"] = partial(
                peers.cvcuda_fused, stacked, SIZE, inner, out, of_bt601
            )
    found["NPP"] = partial(peers.npp_batch, stacked, SIZE, out, keywords)
    return found


def to_frames(images, layout, what, scale=None):
    """A batch of pictures to surfaces that exist."""
    surfaces = Surfaces("NV12", torch.zeros((N, ROWS, PITCH), device="cuda", dtype=torch.uint8))
    stacked, partial = surfaces.stacked, functools.partial
    keywords = {"src_layout": layout, **({"scale": scale} if scale else {})}
    case = Case(f"{N} x {what} to NV12", images, surfaces.frames(), keywords, pixview.to_video_frame,
                images.nbytes + N * ROWS * WIDTH, goals=goals.of_back("back: "),
                filled=stacked[:, :, :WIDTH], ours_filled=surfaces.filled)  # fmt: skip
    axes, level = (0, 1, 2, 3) if layout == "NCHW" else (0, 3, 1, 2), 1 / (scale or 1)

    def of_bt601():
        other = Surfaces("NV12", torch.zeros_like(stacked))
        pixview.to_video_frame(images, out=other.frames("bt601"), **keywords)
        return other.filled()

    case.peers["torch"] = partial(peers.torch_back, images, axes, level, stacked, SIZE)
    case.peers["CV-CUDA"] = partial(
        peers.cvcuda_back, images, layout, level, stacked, SIZE, of_bt601
    )
    if images.dtype == torch.uint8:
        case.peers["NPP"] = partial(peers.npp_back, images, layout, stacked, SIZE)
    return case


def makers():
    nv12, p010 = random_surfaces("NV12"), random_surfaces("P010")
    half, whole = torch.float16, torch.float32
    one = [goals.ONE_LAUNCH]
    yield lambda: to_batch(nv12, whole, goals.of_batch("NV12, float32: "))
    yield lambda: to_batch(nv12, half, goals.of_batch("NV12, float16: "))
    yield lambda: to_batch(nv12, torch.uint8, one)
    yield lambda: to_batch(p010, whole, one)
    yield lambda: to_batch(nv12, whole, goals.of_letterbox("letterbox, float32: "), INNER)
    yield lambda: to_batch(nv12, half, goals.of_letterbox("letterbox, float16: "), INNER)
    pixels = torch.stack([smooth(seed) for seed in range(N)]).cuda()
    planes = pixels.permute(0, 3, 1, 2).contiguous()
    yield lambda: to_frames(planes, "NCHW", "planes, uint8,")
    yield lambda: to_frames(planes * SCALE, "NCHW", "planes, float32 of 0 to 1,", SCALE)
    yield lambda: to_frames(pixels, "NHWC", "R,G,B, uint8,")


# ---- report ---------------------------------------------------------------------------------------

PEER_NOTE = (
    "All but ours and NPP have their frames in one tensor already. torch: each step by itself, U and V by expand, "
    "float16 in float16; back with U and V of the mean of each group. "
    "`CV-CUDA`: cvtcolor, resize and copymakeborder of bytes where there is padding, resize_crop_convert_reformat, "
    "normalize; of bytes cvtcolor and reformat; back reformat of planes, convertto of floats, cvtcolor. `CV-CUDA "
    "fused`: crop_flip_normalize_reformat for the last two. Its cvtcolor has BT.601 alone, and float16 is by torch. "
    "NPP: a call for each frame "
    "(nppiNV12ToRGB_709CSC_8u_P2C3R, of P010 nppiNV12ToRGB_16u_ColorTwist32f_P2C3R; back "
    "nppiRGBToNV12_8u_ColorTwist32f), and pixview.stack for the rest. kornia_rs reads NV12 from host memory alone."
)


def report(facts, rows, quick):
    about = (
        f"1080p, BT.709 limited; surfaces of {ROWS} rows with a pitch of {PITCH} samples, each its own memory, of "
        "random samples (back: of smooth pictures). Floats are normalised by scale, mean and std."
    )
    title = "Video frames" + (" (--quick)" if quick else "")
    return cases.report(title, facts, about, rows, PEERS, PEER_NOTE)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no torch.compile")
    parser.add_argument("--without", action="append", default=[], metavar="PEER",
                        help=f"leave it out: {', '.join(PEERS)}")  # fmt: skip
    machine.add_save(parser, "the report and the plot")
    return machine.parse_known(parser, None)


def main():
    args = parse()
    if not torch.cuda.is_available():
        raise SystemExit("bench: no GPU: nothing was measured; in host memory: video_host.py")
    faulthandler.enable()  # a peer may end the process
    facts = machine.describe(with_gpu=True)
    rows, failed = cases.measure(makers(), args.quick, args.without)
    if not rows:
        raise SystemExit("bench: nothing was measured")
    text = report(facts, rows, args.quick)
    print(text)
    if args.save:
        path = machine.save(args.save, "video", facts, text)
        cases.draw(rows, path.with_suffix(".png"), PEERS)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
