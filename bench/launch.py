"""Host time of one launch: copies into GpuMats and stack into `out`, all memory prepared.

    python bench/launch.py            needs a GPU and a CUDA-enabled OpenCV
    python bench/launch.py --save     also write bench/results/launch-<gpu>-cv<version>-<date>.md

The images are small, and a block has at most 200 calls before the GPU is waited for (not timed): the
queue never fills, so a call's time is the host's alone. The results are checked first. What the
driver takes of it by itself: parts.py.
"""

import argparse
import statistics

import machine
from overhead import why_no_gpu
from rounds import Statement, progress, run

SIZE = 64
COUNTS = (1, 8, 32, 128, 390)  # 390 GpuMats of one pitch fill the parameters of one launch
COPY_GOAL, FIXED_GOAL, IMAGE_GOAL = 3000, 5000, 60  # ns
NORMALISED = "scale=1 / 255, mean=MEAN, std=STD, swap_rb=True"
KINDS = {"u8": "", "f32 normalised": ", " + NORMALISED}
COPIES = {
    "copy_into, C,H,W torch -> GpuMat": "pixview.copy_into(mats[0], planes)",
    "copy_into, GpuMat -> C,H,W torch": "pixview.copy_into(planes, mats[0])",
    "as_gpumat of C,H,W torch, allocation included": "pixview.as_gpumat(planes)",
}
GOAL_OF_COPIES = "copy_into, C,H,W torch -> GpuMat"


def namespace():
    import cv2
    import pixview
    import torch

    pixels = torch.randint(0, 256, (COUNTS[-1], SIZE, SIZE, 3), dtype=torch.uint8)
    mats = []
    for image in pixels.numpy():
        mats.append(cv2.cuda.GpuMat())
        mats[-1].upload(image)
    ns = {
        "pixview": pixview,
        "mats": mats,
        "pixels": pixels.cuda(),
        "planes": pixels[0].cuda().permute(2, 0, 1).contiguous(),
        "MEAN": (0.485, 0.456, 0.406),
        "STD": (0.229, 0.224, 0.225),
    }
    for n in COUNTS:
        ns[f"mats{n}"] = mats[:n]
        for kind, dtype in zip(KINDS, (torch.uint8, torch.float32), strict=True):
            shape = (n, 3, SIZE, SIZE)
            ns[f"out{n}_{kind[:3].strip()}"] = torch.zeros(shape, dtype=dtype, device="cuda")
    return ns


def statements():
    """({name: Statement} of the copies, {(kind, N): Statement} of stack)"""
    copies = {name: Statement(name, code, most=200) for name, code in COPIES.items()}
    stacks = {}
    for kind, keywords in KINDS.items():
        for n in COUNTS:
            code = f"pixview.stack(mats{n}, out=out{n}_{kind[:3].strip()}{keywords})"
            stacks[kind, n] = Statement(f"stack of {n}, {kind}", code, most=200)
    return copies, stacks


def check(ns, copies, stacks):
    """Every statement once, by its pixels."""
    import torch

    for (kind, n), statement in stacks.items():
        found = eval(statement.code, dict(ns))
        expected = ns["pixels"][:n].permute(0, 3, 1, 2)
        if kind != "u8":
            mean, std = (torch.tensor(ns[k], device="cuda").view(3, 1, 1) for k in ("MEAN", "STD"))
            expected = (expected.flip(1).float() / 255 - mean) / std
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    first = ns["pixels"][0].cpu().numpy()
    for name, statement in copies.items():
        if name != GOAL_OF_COPIES:
            eval(statement.code, dict(ns))
    ns["planes"].copy_(ns["pixels"][1].permute(2, 0, 1))
    eval(copies[GOAL_OF_COPIES].code, dict(ns))
    assert (ns["mats"][0].download() == ns["pixels"][1].cpu().numpy()).all(), "wrong pixels"
    ns["mats"][0].upload(first)


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


def fit_of(stacks, kind):
    """Of lists of several images (one is launched as a batch): the medians over the rounds."""
    chosen = {n: s.samples for (k, n), s in stacks.items() if k == kind and n > 1}
    rounds = zip(*chosen.values(), strict=True)
    fits = [fit(dict(zip(chosen, values, strict=True))) for values in rounds]
    return tuple(statistics.median(values) for values in zip(*fits, strict=True))


def verdict(found, goal):
    return f"goal {goal / 1e3:.2f}: {'PASS' if found <= goal else 'miss'}"


def table(copies, stacks):
    lines = [
        "| call | median us | min us | ns per image | goal, us |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for name, s in copies.items():
        goal = verdict(s.median, COPY_GOAL) if name == GOAL_OF_COPIES else ""
        lines.append(f"| {name} | {s.median / 1e3:.2f} | {s.minimum / 1e3:.2f} |  | {goal} |")
    for (_, n), s in stacks.items():
        goal = verdict(s.median, FIXED_GOAL + IMAGE_GOAL * n)
        lines.append(
            f"| {s.name} | {s.median / 1e3:.2f} | {s.minimum / 1e3:.2f} | {s.median / n:.0f} | {goal} |"
        )
    return "\n".join(lines)


def goals(copies, stacks):
    found = copies[GOAL_OF_COPIES].median
    rows = [(found <= COPY_GOAL, f"{GOAL_OF_COPIES}: {found / 1e3:.2f} us, at most 3")]
    for kind in KINDS:
        fixed, each = fit_of(stacks, kind)
        text = f"stack, {kind}: {fixed / 1e3:.2f} us, at most 5, and {each:.1f} ns per image, at most 60"
        rows.append((fixed <= FIXED_GOAL and each <= IMAGE_GOAL, text + " (fit over 8 to 390)"))
    return "\n".join(f"- {'PASS' if reached else 'miss'}  {text}" for reached, text in rows)


def report(facts, copies, stacks, rounds):
    about = "\n".join(f"- {key}: {value}" for key, value in facts.items())
    note = (
        f"{SIZE} x {SIZE} x 3, 8 bit, GpuMats of OpenCV's own memory; legacy default stream on both "
        f"ends; one thread; gc off; {rounds} rounds of at most 200 calls that take turns. "
        "parts.py says what the driver takes of a launch."
    )
    parts = ["# Host time of a launch", about, note, table(copies, stacks)]
    return "\n\n".join([*parts, "Goals:", goals(copies, stacks)]) + "\n"


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60, help="turns of each call (%(default)s)")
    machine.add_save(parser)
    return parser.parse_known_args(arguments)[0]  # make bench gives all benches the same


def main(arguments=None):
    args = parse(arguments)
    missing = why_no_gpu()
    if missing:
        raise SystemExit(f"bench: nothing was measured: {missing}")
    import torch

    ns = namespace()
    copies, stacks = statements()
    check(ns, copies, stacks)
    progress("timing launches")
    every = [*copies.values(), *stacks.values()]
    run(every, ns, args.rounds, 1, torch.cuda.synchronize)
    progress("")
    facts = machine.describe(with_gpu=True)
    text = report(facts, copies, stacks, args.rounds)
    print(text)
    if args.save:
        machine.save(args.save, "launch", facts, text, opencv=True)


if __name__ == "__main__":
    main()
