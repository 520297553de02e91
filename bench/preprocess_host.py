# SPDX-License-Identifier: Apache-2.0
"""The preprocessing bench in host memory: frames of 1080p letterboxed onto 640 x 640 and normalised.

preprocess.py starts it. torchvision and kornia_rs give memory of their own, everybody else writes into
memory that exists; a result is checked before it is timed, and a peer that is not installed or fails the
check is left out with a line on stderr. How times are taken: rounds.py.
"""

import os
import sys
import time

import layout
import machine
import numpy as np
import pixview
import processes
import torch
from preprocess_goals import host_lines
from preprocess_peers import (
    HEIGHT,
    LEVEL,
    MEAN,
    NEAR,
    NEAR_OTHERS,
    PAD,
    STD,
    VALUES,
    WIDTH,
    affine,
    borders,
    resizer,
    smooth,
)
from rounds import Statement, progress, ratio, run
from torch.nn.functional import interpolate, pad

import host

INNER, SIZE = (360, 640), (640, 640)
EDGES = borders(INNER, SIZE)
PEERS = ("cv2", "Pillow", "torch", "torchvision", "kornia_rs")
GOALS = {"cv2": 2, "torchvision": 1}  # of cv2's pixels, on one thread


def numpy_affine():
    return [x.numpy()[0] for x in affine("cpu")]


def cv2_way(images, out):
    """resize, copyMakeBorder, and NumPy."""
    import cv2

    gain, shift = numpy_affine()
    small, canvas = np.empty((*INNER, 3), np.uint8), np.empty((*SIZE, 3), np.uint8)

    def call():
        for image, into in zip(images, out, strict=True):
            cv2.resize(image, INNER[::-1], small)
            cv2.copyMakeBorder(small, *EDGES, cv2.BORDER_CONSTANT, canvas, (PAD,) * 3)
            np.multiply(canvas[..., ::-1].transpose(2, 0, 1), gain, out=into)
            np.add(into, shift, out=into)

    return call


def pillow_way(images, out):
    """Its bilinear filter, and NumPy."""
    from PIL import Image

    gain, shift = numpy_affine()
    canvas = np.full((*SIZE, 3), PAD, np.uint8)
    middle = canvas[EDGES[0] : EDGES[0] + INNER[0], EDGES[2] : EDGES[2] + INNER[1]]

    def call():
        for image, into in zip(images, out, strict=True):
            made = Image.fromarray(image).resize(INNER[::-1], Image.Resampling.BILINEAR)
            middle[...] = made
            np.multiply(canvas[..., ::-1].transpose(2, 0, 1), gain, out=into)
            np.add(into, shift, out=into)

    return call


def torch_way(images, out, antialias):
    """interpolate of bytes, which is its quickest, pad and addcmul."""
    a, b = affine("cpu")
    views = [torch.from_numpy(image).permute(2, 0, 1)[None] for image in images]
    into = torch.from_numpy(out)
    above, below, left, right = EDGES

    def call():
        for i, view in enumerate(views):
            small = interpolate(view, INNER, mode="bilinear", antialias=antialias).flip(1)
            framed = pad(small, (left, right, above, below), value=PAD)
            torch.addcmul(b, framed, a, out=into[i : i + 1])

    return call


def torchvision_way(images, antialias):
    """v2's functions, image by image."""
    from torchvision.transforms.v2 import functional as v2

    views = [torch.from_numpy(image).permute(2, 0, 1) for image in images]
    above, below, left, right = EDGES

    def call():
        made = []
        for view in views:
            small = v2.resize(view, list(INNER), antialias=antialias).flip(0)
            framed = v2.pad(small, [left, above, right, below], fill=PAD)
            framed = v2.to_dtype(framed, torch.float32, scale=True)
            made.append(v2.normalize(framed, MEAN, STD, inplace=True))
        return made

    return call


def kornia_way(images):
    """Its Preprocessor, whose threads are its own. The frames are R,G,B already."""
    import kornia_rs
    from kornia_rs.image import Image

    worker = kornia_rs.Preprocessor(mode="letterbox", mean=MEAN, std=STD, pad_value=PAD)
    views = [Image.from_numpy(np.ascontiguousarray(image[..., ::-1])) for image in images]

    def call():
        return [worker.run(view, WIDTH, HEIGHT, *SIZE).numpy()[0] for view in views]

    return call


class Case:
    """`n` frames at once. Peers that do the same as this interpolation."""

    def __init__(self, n, interpolation, threads):
        images, out = [smooth(i).numpy() for i in range(n)], np.empty((n, 3, *SIZE), np.float32)
        antialias = interpolation != "linear"
        self.name = f"{n} x 1080p, {interpolation}"
        exact = resizer("cpu", INNER, SIZE, antialias=antialias)
        expected = exact(torch.from_numpy(np.stack(images))).numpy()
        ways = {}
        for name, make in self.makers(images, out, interpolation, threads):
            try:
                ways[name] = make()
                self.check(name, ways[name], out, expected)
            except Exception as error:
                ways.pop(name, None)
                if name == "pixview":
                    raise
                print(f"bench: {name} is left out: {layout.first_line(error)}", file=sys.stderr)
        self.statements = [Statement(name, f"ways['{name}']()") for name in ways]
        self.namespace = {"ways": ways}

    def makers(self, images, out, interpolation, threads):
        antialias = interpolation != "linear"
        yield "pixview", lambda: self.ours(images, out, interpolation)
        yield "torch", lambda: torch_way(images, out, antialias)
        yield "torchvision", lambda: torchvision_way(images, antialias)
        if antialias:
            yield "Pillow", lambda: pillow_way(images, out)
            return
        yield "cv2", lambda: cv2_way(images, out)
        if threads > 1:  # it takes all cores
            yield "kornia_rs", lambda: kornia_way(images)

    @staticmethod
    def check(name, call, out, expected):
        out.fill(0)
        found = call()
        found = out if found is None or name == "pixview" else np.stack(found)
        near = NEAR.get(name, NEAR_OTHERS) * LEVEL
        np.testing.assert_allclose(found, expected, rtol=0, atol=near)

    @staticmethod
    def ours(images, out, interpolation):
        keywords = {"size": SIZE, "fit": "letterbox", "interpolation": interpolation}
        keywords |= {"pad_value": PAD, "out": out, **VALUES}
        return lambda: pixview.stack(images, **keywords)

    def find(self, name):
        return next((s for s in self.statements if s.name == name), None)


def row(case, threads):
    ours = case.find("pixview")
    cells = [case.name, str(threads), f"{ours.median / 1e6:.3f}"]
    for name in PEERS:
        peer = case.find(name)
        cells.append(f"{peer.median / 1e6:.2f} ({ratio(peer, ours):.2f} x)" if peer else "")
    return tuple(cells)


def modules():
    found = {"torch": torch, "pixview": pixview}
    try:
        import cv2
    except ImportError:
        return found
    return found | {"cv2": cv2}


NOTE = (
    f"{HEIGHT} x {WIDTH} x 3 uint8 onto {SIZE[0]} x {SIZE[1]} float32 N,C,H,W: letterboxed, channels "
    "swapped, normalised. The median of rounds that take turns in one process; in brackets how many times as fast "
    "ours is. cv2 is resize and copyMakeBorder, Pillow its bilinear filter, both normalised by NumPy, which has one "
    "thread always, as Pillow has; torch is interpolate (with antialias for Pillow's), pad and addcmul; torchvision is "
    "v2's resize, pad, to_dtype and normalize. kornia_rs is its Preprocessor, which takes all cores, of frames that are R,G,B "
    "already. One thread is timed by its own clock."
)


def goals(cases):
    """cases: those of one thread with cv2's pixels"""
    found = []
    for case in cases:
        for name, limit in GOALS.items():
            if peer := case.find(name):
                what = f"host memory, {case.name}, one thread"
                found.append((what, name, ratio(peer, case.find("pixview")), limit))
    return host_lines(found)


def measure(quick):
    """(facts, the report)"""
    rounds, begin, rows, judged = 5 if quick else 15, time.monotonic(), [], []
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        host.set_threads(modules(), threads)
        settle, clock = host.let_workers_sleep, time.perf_counter
        if threads == 1:  # other work on the machine is then not in the times
            settle, clock = lambda: None, time.thread_time
        for interpolation in ("linear", "pil-bilinear"):
            for n in (1, 8):
                case = Case(n, interpolation, threads)
                run(case.statements, case.namespace, rounds, 0.02, settle, clock)
                rows.append(row(case, threads))
                if threads == 1 and interpolation == "linear":
                    judged.append(case)
                progress(f"{threads} threads, {time.monotonic() - begin:.0f} s: {case.name}")
    head = ("case", "threads", "pixview, ms", *(f"{name}, ms" for name in PEERS))
    facts = machine.describe(with_gpu=False)
    for name in ("PIL", "torchvision", "kornia_rs"):
        facts[name] = machine.version(name) or "none"
    parts = [machine.heading("Preprocessing in host memory", facts), NOTE]
    parts += [processes.aligned([head, *rows], range(1, len(head))), "## Goals", goals(judged)]
    return facts, "\n\n".join(parts) + "\n"
