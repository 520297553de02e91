"""The preprocessing bench in host memory: frames of 1080p letterboxed onto 640 x 640 and normalised.

preprocess.py starts it. Everybody writes into memory that exists; a result is checked before it is
timed. How times are taken: rounds.py.
"""

import os
import sys
import time

import machine
import numpy as np
import pixview
import processes
import torch
from preprocess_peers import (
    HEIGHT,
    LEVEL,
    NEAR,
    PAD,
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
PEERS = ("cv2", "Pillow", "torch")


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


class Case:
    """`n` frames at once. Peers that do the same as this interpolation."""

    def __init__(self, n, interpolation):
        images, out = [smooth(i).numpy() for i in range(n)], np.empty((n, 3, *SIZE), np.float32)
        antialias = interpolation != "linear"
        self.name = f"{n} x 1080p, {interpolation}"
        ways = {"pixview": self.ours(images, out, interpolation)}
        ways["torch"] = torch_way(images, out, antialias)
        name, make = ("Pillow", pillow_way) if antialias else ("cv2", cv2_way)
        try:
            ways[name] = make(images, out)
        except ImportError as error:
            print(f"bench: {name} is left out: {error}", file=sys.stderr)
        exact = resizer("cpu", INNER, SIZE, antialias=antialias)
        expected = exact(torch.from_numpy(np.stack(images))).numpy()
        for call in ways.values():
            out.fill(0)
            call()
            np.testing.assert_allclose(out, expected, rtol=0, atol=NEAR["others"] * LEVEL)
        self.statements = [Statement(name, f"ways['{name}']()") for name in ways]
        self.namespace = {"ways": ways}

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


def measure(quick):
    """(facts, the report)"""
    rounds, begin, rows = 5 if quick else 15, time.monotonic(), []
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        host.set_threads(modules(), threads)
        settle, clock = host.let_workers_sleep, time.perf_counter
        if threads == 1:  # other work on the machine is then not in the times
            settle, clock = lambda: None, time.thread_time
        for interpolation in ("linear", "pil-bilinear"):
            for n in (1, 8):
                case = Case(n, interpolation)
                run(case.statements, case.namespace, rounds, 0.02, settle, clock)
                rows.append(row(case, threads))
                progress(f"{threads} threads, {time.monotonic() - begin:.0f} s: {case.name}")
    head = ("case", "threads", "pixview, ms", *(f"{name}, ms" for name in PEERS))
    facts = machine.describe(with_gpu=False)
    facts["Pillow"] = machine.version("PIL") or "none"
    note = (
        f"{HEIGHT} x {WIDTH} x 3 uint8 onto {SIZE[0]} x {SIZE[1]} float32 N,C,H,W: letterboxed, channels "
        f"swapped, normalised. The median of {rounds} rounds that take turns in one process; in brackets "
        "how many times as fast ours is. cv2 is resize and copyMakeBorder, Pillow its bilinear filter, both "
        "normalised by NumPy, which has one thread always, as Pillow has; torch is interpolate (with "
        "antialias for Pillow's), pad and addcmul. One thread is timed by its own clock."
    )
    parts = [machine.heading("Preprocessing in host memory", facts), note]
    return facts, "\n\n".join(
        [*parts, processes.aligned([head, *rows], range(1, len(head)))]
    ) + "\n"
