# SPDX-License-Identifier: Apache-2.0
"""Video frames of 1080p in host memory, beside PyAV's swscale and cv2, in one process.

    python bench/video_host.py            on 1 thread, and on all
    python bench/video_host.py --quick    fewer rounds
    python bench/video_host.py --save     also write bench/results/video-host.md

Everybody writes into memory that exists, but for swscale, whose frames PyAV allocates. A result is
checked before it is timed. How times are taken: rounds.py.
"""

import argparse
import os
import sys
import time

import machine
import numpy as np
import pixview
import processes
from preprocess_peers import smooth
from rounds import Statement, progress, ratio, run

import host

HEIGHT, WIDTH = 1080, 1920
INNER, SIZE, TOP, PAD = (360, 640), (640, 640), 140, 114
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
VALUES = {"scale": 1 / 255, "mean": MEAN, "std": STD}
GAIN = (1 / 255 / np.array(STD)).astype(np.float32)[:, None, None]
SHIFT = (-np.array(MEAN) / np.array(STD)).astype(np.float32)[:, None, None]
LEVEL = 1 / 255 / min(STD)
# SWS_ACCURATE_RND, FULL_CHR_H_INT and FULL_CHR_H_INP: without them it is off by more than one.
ACCURATE, POINT, BILINEAR = 0x40000 | 0x2000 | 0x4000, 0x10, 0x2


class Scaler:
    """swscale, BT.709 limited to full range and back."""

    def __init__(self):
        from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

        self.reformatter, self.threads = VideoReformatter(), 1
        self.space, self.range = Colorspace.ITU709, (ColorRange.MPEG, ColorRange.JPEG)

    def frame(self, planes, name):
        from av import VideoFrame

        return VideoFrame.from_ndarray(planes, format=name)

    def __call__(self, frame, name, kind=POINT, size=(None, None), back=False):
        ranges = self.range[::-1] if back else self.range
        return self.reformatter.reformat(
            frame, size[1], size[0], name, self.space, self.space, kind | ACCURATE, *ranges,
            threads=self.threads,
        )  # fmt: skip


def plane_of(frame, shape, dtype):
    return np.frombuffer(frame.planes[0], dtype)[: np.prod(shape)].reshape(shape)


def normalise(pixels, into):
    np.multiply(pixels, GAIN, out=into)
    np.add(into, SHIFT, out=into)


def nv12(matrix):
    """An array (H*3/2, W) and the frame over it, of a smooth picture."""
    memory = np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)
    frame = pixview.video_frame(memory, format="NV12", matrix=matrix, range="limited")
    pixview.to_video_frame(smooth(1).numpy(), out=frame)
    return memory, frame


def p010():
    y = np.empty((HEIGHT, WIDTH), np.uint16)
    uv = np.empty((HEIGHT // 2, WIDTH // 2, 2), np.uint16)
    frame = pixview.video_frame((y, uv), format="P010", matrix="bt709", range="limited")
    pixview.to_video_frame(smooth(1).numpy(), out=frame)
    return np.concatenate([y.reshape(-1), uv.reshape(-1)]), frame


def at_most(off, seldom=1.0):
    """Off by no more than that, in no more than that share of values off at all."""

    def check(found, wanted):
        apart = np.abs(found.astype(np.float64) - wanted.astype(np.float64))
        assert apart.max() <= off + 1e-6, f"off by {apart.max():g}"
        assert (apart > 1e-3 * off).mean() <= seldom, f"{(apart > 1e-3 * off).mean():.4f} differ"

    return check


class Case:
    """Ways that fill `out`; each gives what is compared with `expected` by its check."""

    def __init__(self, name, out, ours, ways, expected):
        self.name = name
        self.ways = {"pixview": (ours, at_most(0))} | ways
        for way, (call, check) in self.ways.items():
            out.fill(0)
            found = call()
            check(out if found is None else found, expected[way if way in expected else ""])
        self.statements = [Statement(way, f"ways['{way}'][0]()") for way in self.ways]
        self.namespace = {"ways": self.ways}

    def find(self, name):
        return next((s for s in self.statements if s.name == name), None)


def reference(frame, out, **keywords):
    """What ours is, in memory of its own."""
    return np.array(pixview.stack([frame], out=np.empty_like(out), **keywords))


# ---- the cases --------------------------------------------------------------------------------


def to_bytes(cv2, scaler):
    memory, frame = nv12("bt709")
    out = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    ways, expected = {}, {"": np.array(pixview.as_numpy(frame))}
    if cv2:
        same = pixview.video_frame(memory, format="NV12", matrix="opencv", range="limited")
        expected["cv2"] = np.array(pixview.as_numpy(same))
        code = cv2.COLOR_YUV2RGB_NV12
        ways["cv2"] = (lambda: cv2.cvtColor(memory, code, dst=out) is None or None, at_most(0))
    if scaler:
        source = scaler.frame(memory, "nv12")
        ways["swscale"] = (
            lambda: plane_of(scaler(source, "rgb24"), out.shape, np.uint8),
            at_most(1, 0.01),
        )
    return Case("NV12 to RGB uint8", out, lambda: pixview.copy_into(out, frame) is None or None,
                ways, expected)  # fmt: skip


def to_floats(cv2, scaler):
    memory, frame = nv12("bt709")
    out = np.empty((1, 3, HEIGHT, WIDTH), np.float32)
    pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    ways, expected = {}, {"": reference(frame, out, **VALUES)}

    def cv2_way():
        cv2.cvtColor(memory, cv2.COLOR_YUV2RGB_NV12, dst=pixels)
        normalise(pixels.transpose(2, 0, 1), out[0])

    def scaled():
        normalise(
            plane_of(scaler(source, "rgb24"), pixels.shape, np.uint8).transpose(2, 0, 1), out[0]
        )

    if cv2:
        same = pixview.video_frame(memory, format="NV12", matrix="opencv", range="limited")
        expected["cv2"] = reference(same, out, **VALUES)
        ways["cv2"] = (cv2_way, at_most(1e-3 * LEVEL))
    if scaler:
        source = scaler.frame(memory, "nv12")
        ways["swscale"] = (scaled, at_most(1.01 * LEVEL))
    return Case("NV12 to float32 N,C,H,W, normalised", out,
                lambda: pixview.stack([frame], out=out, **VALUES) is None or None, ways, expected)  # fmt: skip


def deep_to_floats(_, scaler):
    memory, frame = p010()
    out = np.empty((1, 3, HEIGHT, WIDTH), np.float32)
    ways = {}

    def scaled():  # planes G, B, R of 0 to 1
        made = scaler(source, "gbrpf32le")
        for plane, channel in zip(made.planes, (1, 2, 0), strict=True):
            values = np.frombuffer(plane, np.float32).reshape(HEIGHT, WIDTH)
            np.multiply(values, GAIN[channel, 0, 0] * 255, out=out[0, channel])
            np.add(out[0, channel], SHIFT[channel, 0, 0], out=out[0, channel])

    if scaler:
        from av import VideoFrame

        source = VideoFrame(WIDTH, HEIGHT, "p010le")
        source.planes[0].update(memory[: HEIGHT * WIDTH].tobytes())
        source.planes[1].update(memory[HEIGHT * WIDTH :].tobytes())
        ways["swscale"] = (scaled, at_most(2 * LEVEL))
    return Case("P010 to float32 N,C,H,W, normalised", out,
                lambda: pixview.stack([frame], out=out, **VALUES) is None or None, ways,
                {"": reference(frame, out, **VALUES)})  # fmt: skip


def letterbox(cv2, scaler):
    memory, frame = nv12("bt709")
    out = np.empty((1, 3, *SIZE), np.float32)
    keywords = {"size": SIZE, "fit": "letterbox", "pad_value": PAD, **VALUES}
    pixels, small = np.empty((HEIGHT, WIDTH, 3), np.uint8), np.empty((*INNER, 3), np.uint8)
    canvas = np.full((*SIZE, 3), PAD, np.uint8)
    middle = canvas[TOP : TOP + INNER[0]]
    ways, expected = {}, {"": reference(frame, out, **keywords)}

    def cv2_way():
        cv2.cvtColor(memory, cv2.COLOR_YUV2RGB_NV12, dst=pixels)
        middle[...] = cv2.resize(pixels, INNER[::-1], small)
        normalise(canvas.transpose(2, 0, 1), out[0])

    def scaled():
        middle[...] = plane_of(scaler(source, "rgb24", BILINEAR, INNER), small.shape, np.uint8)
        normalise(canvas.transpose(2, 0, 1), out[0])

    if cv2:
        same = pixview.video_frame(memory, format="NV12", matrix="opencv", range="limited")
        expected["cv2"] = reference(same, out, **keywords)
        ways["cv2"] = (cv2_way, at_most(1e-3 * LEVEL))
    if scaler:
        source = scaler.frame(memory, "nv12")
        ways["swscale"] = (scaled, at_most(30 * LEVEL))  # it averages Y, U and V, and more of them
    return Case("NV12 letterboxed to 640, float32", out,
                lambda: pixview.stack([frame], out=out, **keywords) is None or None, ways, expected)  # fmt: skip


def written(cv2, scaler):
    pixels, (out, frame) = smooth(1).numpy(), nv12("bt709")
    wanted = np.array(out)
    ways = {}
    if cv2:  # it has no NV12: U and V apart, of one pixel in four
        apart = np.empty_like(out)
        code = cv2.COLOR_RGB2YUV_I420
        ways["cv2"] = (lambda: cv2.cvtColor(pixels, code, dst=apart), lambda found, _: None)
    if scaler:
        from av import VideoFrame

        source = VideoFrame.from_ndarray(pixels, format="rgb24")

        def scaled():
            made = scaler(source, "nv12", BILINEAR, back=True)
            return np.concatenate([plane_of(made, (HEIGHT, WIDTH), np.uint8), wanted[HEIGHT:]])

        ways["swscale"] = (lambda: scaler(source, "nv12", BILINEAR, back=True), lambda *_: None)
        at_most(1)(scaled(), wanted)
    return Case("RGB uint8 to NV12 (cv2: I420)", out,
                lambda: pixview.to_video_frame(pixels, out=frame) is None or None, ways, {"": wanted})  # fmt: skip


# ---- the report -------------------------------------------------------------------------------


def peers():
    cv2 = scaler = None
    try:
        import cv2
    except ImportError as error:
        print(f"bench: cv2 is left out: {error}", file=sys.stderr)
    try:
        scaler = Scaler()
    except ImportError as error:
        print(f"bench: swscale is left out: {error}", file=sys.stderr)
    return cv2, scaler


def row(case, threads):
    ours = case.find("pixview")
    cells = [case.name, str(threads), f"{ours.median / 1e6:.3f}"]
    for name in ("cv2", "swscale"):
        peer = case.find(name)
        cells.append(f"{peer.median / 1e6:.2f} ({ratio(peer, ours):.2f} x)" if peer else "")
    return tuple(cells)


def measure(quick):
    """(facts, the report)"""
    rounds, begin, rows = 5 if quick else 15, time.monotonic(), []
    cv2, scaler = peers()
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        pixview._core._host_threads(threads)
        if cv2:
            cv2.setNumThreads(threads)
        if scaler:
            scaler.threads = threads
        settle, clock = (lambda: None), time.perf_counter
        if threads == 1:  # other work on the machine is then not in the times
            clock = time.thread_time
        else:
            settle = host.let_workers_sleep
        for make in (to_bytes, to_floats, deep_to_floats, letterbox, written):
            case = make(cv2, scaler)
            run(case.statements, case.namespace, rounds, 0.02, settle, clock)
            rows.append(row(case, threads))
            progress(f"{threads} threads, {time.monotonic() - begin:.0f} s: {case.name}")
    progress("")
    head = ("case", "threads", "pixview, ms", "cv2, ms", "swscale, ms")
    facts = machine.describe(with_gpu=False)
    facts["PyAV"] = machine.version("av") or "none"
    note = (
        f"{HEIGHT} x {WIDTH}, BT.709 limited; cv2 has its own matrix. The median of {rounds} rounds that take "
        "turns in one process; in brackets how many times as fast ours is. swscale is PyAV's, with accurate "
        "rounding and full chroma, nearest where the size stays; it and cv2 are normalised by NumPy, which has one "
        "thread always. One thread is timed by its own clock."
    )
    parts = [machine.heading("Video frames in host memory", facts), note]
    return facts, "\n\n".join(
        [*parts, processes.aligned([head, *rows], range(1, len(head)))]
    ) + "\n"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    machine.add_save(parser)
    args = machine.parse_known(parser, arguments)
    facts, text = measure(args.quick)
    print(text, end="")
    if args.save:
        machine.save(args.save, "video", facts, text)


if __name__ == "__main__":
    main()
