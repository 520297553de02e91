# SPDX-License-Identifier: Apache-2.0
"""Layout changes and conversions in host memory, beside memcpy, NumPy, torch and cv2 in one process.

    python bench/host.py                   on 1 thread, and on 2 or --threads
    python bench/host.py --save            also write bench/results/host.md

Everybody writes into memory that exists. Every result is checked before anything is timed. How the
times are taken: rounds.py. "memcpy" is np.copyto between two dense arrays that take together the
bytes that the case reads and writes; for bits, of the same memory, so that nobody finds it colder
than the others.
"""

import argparse
import os
import re
import sys
import time

import machine
from rounds import Statement, progress, ratio, run

HEIGHT, WIDTH = 1080, 1920
PEERS = ("NumPy", "torch", "cv2")
MEAN, STD, SCALE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1 / 255


class Case:
    """Statements with one result; the first is memcpy, the second ours. `goals`: at least so many
    times as fast as that one."""

    def __init__(self, name, namespace, nbytes, codes, goals=()):
        self.name, self.nbytes, self.goals = name, nbytes, dict(goals)
        self.namespace = namespace
        self.statements = [Statement("memcpy", "np.copyto(b_, a_)")]
        self.statements += [Statement(way, code) for way, code in codes]

    def find(self, name):
        return next((s for s in self.statements if s.name == name), None)

    def factor(self, name):
        """How many times as fast as that way ours is."""
        return ratio(self.find(name), self.find("pixview"))

    def forget(self):
        """Keeps the samples, not the memory."""
        self.namespace = None


def modules():
    import numpy as np
    import pixview
    import torch

    found = {"np": np, "pixview": pixview, "torch": torch}
    try:
        import cv2

        found["cv2"] = cv2
    except ImportError:
        print("bench: no cv2: its columns are empty", file=sys.stderr)
    return found


def pixels(np, shape, dtype):
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return rng.random(shape, np.float64).astype(dtype)
    return rng.integers(0, 256, shape, np.uint8).astype(dtype)


# ---- bits -----------------------------------------------------------------------------------------


def copy_case(found, name, src, view, layout, extra=(), goals=(), out=None):
    """`src` seen as `view`, into `out`: dense memory if none is given; `src` and `view` are NumPy
    arrays over the same memory."""
    np, torch = found["np"], found["torch"]
    out = np.empty(view.shape, view.dtype) if out is None else out
    memory = out if out.flags.c_contiguous else np.empty(out.shape, out.dtype)
    ns = dict(found, src=src, view=view, out=out, b_=memory.reshape(-1).view(np.uint8))
    ns["a_"] = src.reshape(-1).view(np.uint8)[: out.nbytes]
    codes = [
        ("pixview", f"pixview.copy_into(out, view, dst_layout='{layout}', src_layout='{layout}')"),
        ("NumPy", "np.copyto(out, view)"),
    ]
    if view.dtype != np.uint16 and all(stride >= 0 for stride in view.strides):
        ns["tview"], ns["tout"] = torch.from_numpy(view), torch.from_numpy(ns["out"])
        codes.append(("torch", "tout.copy_(tview)"))
    elif view.dtype == np.uint16:
        ns["tview"] = torch.from_numpy(view.view(np.int16))
        ns["tout"] = torch.from_numpy(ns["out"].view(np.int16))
        codes.append(("torch", "tout.copy_(tview)"))
    ns["planes"] = list(ns["out"])
    codes += [(way, code) for way, code in extra if "cv2" in found]
    case = Case(name, ns, 2 * view.nbytes, codes, goals)
    check(case, lambda: ns["out"], view)
    return case


def check(case, out, expected, near=0):
    """Every way but memcpy writes what is expected. Slow ones get short turns."""
    import numpy as np

    for statement in case.statements:
        case.namespace["out"].fill(0)
        begin = time.monotonic()
        exec(statement.code, case.namespace)
        statement.most = max(1, min(50, int(0.01 / (time.monotonic() - begin))))
        if statement.name == "memcpy":
            continue
        found = out()
        good = np.abs(found - expected).max() <= near if near else (found == expected).all()
        assert good, f"{case.name}: {statement.name} is wrong"


def channel_cases(found):
    np = found["np"]
    goals = {"memcpy": 0.5, "NumPy": 5, "torch": 7, "cv2": 1}
    for dtype in (np.uint8, np.uint16, np.float32, np.float64):
        for channels in (3, 4):
            name = f"{channels} x {np.dtype(dtype).name}"
            wanted = goals if (dtype, channels) == (np.uint8, 3) else {}
            hwc = pixels(np, (HEIGHT, WIDTH, channels), dtype)
            yield lambda hwc=hwc, name=name, wanted=wanted: copy_case(
                found, f"HWC to CHW, {name}", hwc, hwc.transpose(2, 0, 1), "CHW",
                [("cv2", "cv2.split(src, planes)")], wanted)  # fmt: skip
            chw = np.ascontiguousarray(hwc.transpose(2, 0, 1))
            yield lambda chw=chw, name=name, wanted=wanted: copy_case(
                found, f"CHW to HWC, {name}", chw, chw.transpose(1, 2, 0), "HWC",
                [("cv2", "cv2.merge(list(src), out)")], wanted)  # fmt: skip


def other_cases(found):
    np = found["np"]
    hwc, gray = pixels(np, (HEIGHT, WIDTH, 3), np.uint8), pixels(np, (HEIGHT, WIDTH), np.uint8)
    rgba, many = pixels(np, (HEIGHT, WIDTH, 4), np.uint8), pixels(np, (HEIGHT, WIDTH, 8), np.uint8)
    batch = pixels(np, (8, HEIGHT, WIDTH, 3), np.uint8)

    def case(name, src, view, layout, *extra):
        return lambda: copy_case(found, name, src, view, layout, extra)

    yield case("8 images, NHWC to NCHW", batch, batch.transpose(0, 3, 1, 2), "NCHW")
    yield case("8 channels, HWC to CHW", many, many.transpose(2, 0, 1), "CHW")
    yield case("B,G,R to R,G,B", hwc, hwc[..., ::-1], "HWC",
               ("cv2", "cv2.cvtColor(src, cv2.COLOR_BGR2RGB, out)"))  # fmt: skip
    yield case("R,G,B of R,G,B,A", rgba, rgba[..., :3], "HWC",
               ("cv2", "cv2.cvtColor(src, cv2.COLOR_RGBA2RGB, out)"))  # fmt: skip
    yield case("mirrored, HWC", hwc, hwc[:, ::-1], "HWC", ("cv2", "cv2.flip(src, 1, out)"))
    yield case("transposed, HWC", hwc, hwc.transpose(1, 0, 2), "HWC",
               ("cv2", "cv2.transpose(src, out)"))  # fmt: skip
    yield case("transposed, 1 channel", gray, gray.T, "HW", ("cv2", "cv2.transpose(src, out)"))
    yield case("a crop", hwc, hwc[100:900, 200:1700], "HWC")


def step_cases(found):
    """Columns with a step on either side, as `[:, ::2, ::2]` makes them, or backwards."""
    np = found["np"]

    def case(name, src, view, layout="CHW", out=None):
        return lambda: copy_case(found, name, src, view, layout, out=out)

    for dtype in (np.uint8, np.float32):
        kind = f"3 x {np.dtype(dtype).name}"
        chw, hwc = pixels(np, (3, HEIGHT, WIDTH), dtype), pixels(np, (HEIGHT, WIDTH, 3), dtype)
        for step in (2, 3):
            part, whole = chw[:, ::step, ::step], hwc[::step, ::step]
            by = f"::{step}, ::{step}"
            yield case(f"CHW[:, {by}] to CHW, {kind}", chw, part)
            yield case(f"CHW[:, {by}] to HWC, {kind}", chw, part.transpose(1, 2, 0), "HWC")
            yield case(f"HWC[{by}] to HWC, {kind}", hwc, whole, "HWC")
            yield case(f"HWC[{by}] to CHW, {kind}", hwc, whole.transpose(2, 0, 1))
        small = np.ascontiguousarray(chw[:, ::2, ::2])
        pixel = np.ascontiguousarray(hwc[::2, ::2])
        into, onto = np.zeros_like(chw)[:, ::2, ::2], np.zeros_like(hwc)[::2, ::2]
        yield case(f"CHW to CHW[:, ::2, ::2], {kind}", small, small, out=into)
        yield case(f"HWC to CHW[:, ::2, ::2], {kind}", pixel, pixel.transpose(2, 0, 1), out=into)
        yield case(f"HWC to HWC[::2, ::2], {kind}", pixel, pixel, "HWC", onto)
        yield case(f"CHW to HWC[::2, ::2], {kind}", small, small.transpose(1, 2, 0), "HWC", onto)
        flipped = chw[:, :, ::-1]
        yield case(f"CHW[:, :, ::-1] to CHW, {kind}", chw, flipped)
        yield case(f"CHW[:, :, ::-1] to HWC, {kind}", chw, flipped.transpose(1, 2, 0), "HWC")


# ---- values ---------------------------------------------------------------------------------------

TORCH_STACK = """\
for i, image in enumerate(images):
    torch.mul(image, SCALE, out=part)
    part.sub_(mean).div_(std)
    tout[i].copy_(part.permute(2, 0, 1))"""
TORCH_STACK_2 = """\
for i, image in enumerate(images):
    torch.addcmul(shift, image.permute(2, 0, 1), gain, out=tout[i])"""
NUMPY_STACK = """\
for i, image in enumerate(arrays):
    np.multiply(image.transpose(2, 0, 1), gain_np, out=out[i])
    np.add(out[i], shift_np, out=out[i])"""
CV2_STACK = "cv2.dnn.blobFromImages(arrays, SCALE, mean=mean255)"


def stack_case(found, n):
    """n separate H,W,3 u8 images to one N,C,H,W f32 tensor, normalised."""
    np, torch = found["np"], found["torch"]
    arrays = [pixels(np, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(n)]
    gain = np.array([SCALE / s for s in STD], np.float32).reshape(3, 1, 1)
    shift = np.array([-m / s for m, s in zip(MEAN, STD, strict=True)], np.float32).reshape(3, 1, 1)
    out = np.empty((n, 3, HEIGHT, WIDTH), np.float32)
    ns = dict(found, arrays=arrays, images=[torch.from_numpy(a) for a in arrays], out=out,
              tout=torch.from_numpy(out), SCALE=SCALE, MEAN=MEAN, STD=STD, gain_np=gain,
              shift_np=shift, gain=torch.from_numpy(gain), shift=torch.from_numpy(shift),
              mean=torch.tensor(MEAN), std=torch.tensor(STD),
              part=torch.empty(HEIGHT, WIDTH, 3))  # fmt: skip
    nbytes = n * 15 * HEIGHT * WIDTH
    ns["a_"], ns["b_"] = np.ones(nbytes // 2, np.uint8), np.ones(nbytes // 2, np.uint8)
    codes = [
        ("pixview", "pixview.stack(arrays, to='numpy', layout='NCHW', dtype='float32', "
                    "scale=SCALE, mean=MEAN, std=STD, out=out)"),
        ("NumPy", NUMPY_STACK),
        ("torch", TORCH_STACK_2),
        ("torch, step by step", TORCH_STACK),
    ]  # fmt: skip
    case = Case(f"stack {n} x 1080p x 3: u8 to f32 NCHW, normalised", ns, nbytes, codes)
    expected = (np.stack(arrays).transpose(0, 3, 1, 2) * gain + shift).astype(np.float32)
    check(case, lambda: out, expected, near=1e-5)
    return case


def value_case(found, name, src, view, layout):
    """u8 to f32, scaled, the source read with a step; two passes are usual."""
    np, torch = found["np"], found["torch"]
    out = np.empty(view.shape, np.float32)
    ns = dict(found, view=view, out=out, outs=out[None], images=[view], SCALE=SCALE,
              tview=torch.from_numpy(view), tout=torch.from_numpy(out))  # fmt: skip
    nbytes = view.nbytes + out.nbytes
    ns["a_"], ns["b_"] = np.ones(nbytes // 2, np.uint8), np.ones(nbytes // 2, np.uint8)
    codes = [
        ("pixview", f"pixview.stack(images, to='numpy', layout='N{layout}', "
                    f"src_layout='{layout}', dtype='float32', scale=SCALE, out=outs)"),
        ("NumPy", "np.multiply(view, np.float32(SCALE), out=out)"),
        ("torch", "torch.mul(tview, SCALE, out=tout)"),
    ]  # fmt: skip
    case = Case(name, ns, nbytes, codes)
    check(case, lambda: out, view * np.float32(SCALE), near=1e-6)
    return case


def value_cases(found):
    np = found["np"]
    chw, hwc = pixels(np, (3, HEIGHT, WIDTH), np.uint8), pixels(np, (HEIGHT, WIDTH, 3), np.uint8)
    kind = "uint8 to float32"
    for step in (2, 3):
        by, part = f"::{step}, ::{step}", chw[:, ::step, ::step]
        for name, src, view, layout in (
            (f"CHW[:, {by}] to CHW, {kind}", chw, part, "CHW"),
            (f"CHW[:, {by}] to HWC, {kind}", chw, part.transpose(1, 2, 0), "HWC"),
            (f"HWC[{by}] to CHW, {kind}", hwc, hwc[::step, ::step].transpose(2, 0, 1), "CHW"),
        ):
            yield lambda case=(name, src, view, layout): value_case(found, *case)


# ---- report ---------------------------------------------------------------------------------------


def makers(found):
    yield from channel_cases(found)
    yield from other_cases(found)
    yield from step_cases(found)
    yield from value_cases(found)
    if hasattr(found["pixview"], "stack"):
        for n in (1, 8):
            yield lambda n=n: stack_case(found, n)


def table(cases):
    names = ["memcpy", *PEERS, "torch, step by step"]
    names = [name for name in names if any(case.find(name) for case in cases)]
    lines = [
        "| case | ours, ms | GB/s | " + " | ".join(names) + " |",
        "| --- | ---: | ---: |" + " ---: |" * len(names),
    ]
    for case in cases:
        ours = case.find("pixview").median
        cells = [f"{case.factor(name):.2f}" if case.find(name) else "" for name in names]
        lines.append(
            f"| {case.name} | {ours / 1e6:.3f} | {case.nbytes / ours:.1f} | "
            + " | ".join(cells) + " |"
        )  # fmt: skip
    return "\n".join(lines)


def goals(cases):
    lines = []
    for case in cases:
        for name, times in case.goals.items():
            if case.find(name) is None:
                lines.append(f"- ?     {case.name}, one thread: no {name}")
                continue
            factor = case.factor(name)
            word = "PASS" if factor >= times else "MISS"
            text = f"{case.name}, one thread: at least {times:g} x as fast as {name}"
            lines.append(f"- {word}  {text}: {factor:.2f} x")
    return "\n".join(lines)


def set_threads(found, count):
    found["torch"].set_num_threads(count)
    found["pixview"]._core._host_threads(count)
    if "cv2" in found:
        found["cv2"].setNumThreads(count)


def let_workers_sleep():
    """torch's OpenMP workers spin for some 7 ms after its turn, on cores that the next one wants."""
    time.sleep(0.01)


def measure(found, args, threads):
    set_threads(found, threads)
    settle = let_workers_sleep if threads > 1 else lambda: None
    cases, begin = [], time.monotonic()
    for make in makers(found):
        case = make()
        if not re.search(args.only, case.name):
            continue
        run(case.statements, case.namespace, args.rounds, args.block_ms / 1e3, settle)
        case.forget()
        cases.append(case)
        progress(f"{threads} threads, {time.monotonic() - begin:.0f} s: {case.name}")
    progress("")
    return cases


def section(cases, threads):
    title = f"## {threads} thread" + "s" * (threads > 1)
    return f"{title}\n\n{table(cases)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="turns of each way (%(default)s)")
    parser.add_argument("--block-ms", type=float, default=10, help="length of a turn (%(default)s)")
    parser.add_argument("--threads", type=int, default=min(2, len(os.sched_getaffinity(0))),
                        help="of the second table (%(default)s)")  # fmt: skip
    parser.add_argument("--only", default="", help="cases whose name this pattern finds")
    machine.add_save(parser)
    args = parser.parse_args()
    found = modules()
    by_threads = {n: measure(found, args, n) for n in sorted({1, args.threads})}
    facts = machine.describe(with_gpu=False)
    note = (
        f"{HEIGHT} x {WIDTH}; GB/s read and written; the other columns: how many times as fast as "
        f"that way ours is, the median over {args.rounds} rounds of {args.block_ms:g} ms blocks "
        "that take turns, in one process. NumPy has one thread always."
    )
    sections = [section(cases, n) for n, cases in by_threads.items()]
    reached = goals(by_threads[1])
    if reached:
        sections += ["## Goals", reached]
    text = "\n\n".join([machine.heading("Host memory", facts), note, *sections]) + "\n"
    print(text)
    if args.save:
        machine.save(args.save, "host", facts, text)


if __name__ == "__main__":
    main()
