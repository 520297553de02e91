"""Nanoseconds per call of every conversion, beside the usual Python way in the same process.

    python bench/overhead.py              the GPU rows where there is a GPU, and the host rows
    python bench/overhead.py --host       the host rows only
    python bench/overhead.py --save       also write bench/results/overhead-<gpu>-cv<version>-<date>.md

Outputs are checked before anything is timed. How the times are taken: rounds.py. What "usual" is:
usual.py. The goals are ratios within one run: bench/README.md.
"""

import argparse
import contextlib
import json
import pathlib
import sys
import time
from dataclasses import dataclass, field

import machine
from rounds import Statement, progress, ratio, run

HEIGHT, WIDTH = 1080, 1920


@dataclass
class Goal:
    """`other` takes at least `times` as long as ours; below 1: ours at most 1 / times as long."""

    other: str
    times: float
    issue: bool = False  # asked for by the first slice, not the final goal


@dataclass
class Group:
    """Statements with the same result. The first is ours, the second the usual way."""

    name: str
    statements: list
    check: object = None  # called with (name, result) of every statement
    goals: list = field(default_factory=list)

    def find(self, name):
        return next((s for s in self.statements if s.name == name), None)


def host_namespace():
    import numpy as np
    import pixview
    import torch

    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return {
        "np": np,
        "torch": torch,
        "pixview": pixview,
        "image": image,
        "gray": np.ascontiguousarray(image[..., 0]),
        "cpu": torch.from_numpy(image).permute(2, 0, 1),
        "cpu_gray": torch.from_numpy(image[..., 0].copy()),
    }


def host_groups(ns):
    np, torch = ns["np"], ns["torch"]

    def same(expected):
        expected = expected.numpy() if isinstance(expected, torch.Tensor) else expected

        def check(name, found):
            found = found.numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
            assert found.shape == expected.shape and found.strides == expected.strides, name
            assert found.ctypes.data == expected.ctypes.data, f"{name}: a copy"

        return check

    groups = [
        Group(
            "NumPy -> torch (CHW)",
            [
                Statement("pixview.as_torch", "pixview.as_torch(image)"),
                Statement("torch.from_numpy, permute", "torch.from_numpy(image).permute(2, 0, 1)"),
                Statement("torch.as_tensor, permute", "torch.as_tensor(image).permute(2, 0, 1)"),
                Statement(
                    "torch.from_dlpack, permute", "torch.from_dlpack(image).permute(2, 0, 1)"
                ),
            ],
            same(image_planes(ns["image"])),
        ),
        Group(
            "NumPy -> torch (HW)",
            [
                Statement("pixview.as_torch", "pixview.as_torch(gray)"),
                Statement("torch.from_numpy", "torch.from_numpy(gray)"),
                Statement("torch.from_dlpack", "torch.from_dlpack(gray)"),
            ],
            same(ns["gray"]),
        ),
        Group(
            "torch -> NumPy (HWC)",
            [
                Statement("pixview.as_numpy", "pixview.as_numpy(cpu)"),
                Statement("permute, numpy", "cpu.permute(1, 2, 0).numpy()"),
                Statement("np.from_dlpack, transpose", "np.from_dlpack(cpu).transpose(1, 2, 0)"),
            ],
            same(ns["cpu"].permute(1, 2, 0)),
        ),
        Group(
            "torch -> NumPy (HW)",
            [
                Statement("pixview.as_numpy", "pixview.as_numpy(cpu_gray)"),
                Statement("numpy", "cpu_gray.numpy()"),
                Statement("np.asarray", "np.asarray(cpu_gray)"),
                Statement("np.from_dlpack", "np.from_dlpack(cpu_gray)"),
            ],
            same(ns["cpu_gray"]),
        ),
        Group(
            "parts, Image",
            [
                Statement("pixview.view of NumPy", "pixview.view(image)"),
                Statement("pixview.view of torch", "pixview.view(cpu)"),
                Statement("memoryview of NumPy", "memoryview(image)"),
            ],
        ),
    ]
    parts = [
        Statement("cpu.detach()", "cpu.detach()"),
        Statement("cpu.permute(1, 2, 0)", "cpu.permute(1, 2, 0)"),
    ]
    return groups + [Group("parts, host", empty_call(ns) + parts)]


def image_planes(image):
    return image.transpose(2, 0, 1)


def empty_call(ns):
    """What any call into C costs."""
    import operator

    nop = getattr(getattr(ns["pixview"], "_core", None), "_nop", None)
    ns["nop"] = nop or operator.index
    name = "an empty C call" + ("" if nop else " (operator.index)")
    return [Statement(name, "nop(1)")]


def gpu_namespace():
    import cupy as cp
    import cv2
    import numpy as np
    import pixview
    import torch
    import usual

    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    interleaved = torch.from_numpy(image).cuda()
    array = cp.array(image)
    mat = cv2.cuda.GpuMat()
    mat.upload(image)
    ns = {
        "np": np,
        "torch": torch,
        "cp": cp,
        "cv2": cv2,
        "pixview": pixview,
        "usual": usual,
        "image": image,
        "array": array,
        "mat": mat,
        "hwc": interleaved,
        "chw": interleaved.permute(2, 0, 1),
        "planes": interleaved.permute(2, 0, 1).contiguous(),
        "size": image.size,
        "byte": {"dtype": torch.uint8, "device": "cuda"},
        # from_dlpack of OpenCV keeps what it is given for ever: a small one, and few calls
        "small": torch.zeros(4, 4, 3, dtype=torch.uint8, device="cuda"),
        "kind": cv2.CV_8UC3,
        "tensor_ptr": interleaved.data_ptr(),
        "array_ptr": array.data.ptr,
        "mat_ptr": mat.cudaPtr(),
        "pitch": mat.step,
        "rows": HEIGHT,
        "cols": WIDTH,
        "UnownedMemory": cp.cuda.UnownedMemory,
        "MemoryPointer": cp.cuda.MemoryPointer,
    }
    with contextlib.suppress(ImportError):
        from savant.utils import memory_repr, memory_repr_pytorch

        ns["memory_repr"] = memory_repr
        ns["memory_repr_pytorch"] = memory_repr_pytorch
    return ns


BARE = "createGpuMatFromCudaMemory, bare"


def gpu_groups(ns):
    cp, torch, image = ns["cp"], ns["torch"], ns["image"]

    def pixels(found):
        """Read back without pixview, in H,W,C."""
        if isinstance(found, torch.Tensor):
            found = found.cpu().numpy()
        elif isinstance(found, cp.ndarray):
            found = found.get()
        else:
            found = found.download()
        return found.transpose(1, 2, 0) if found.shape[0] == 3 else found

    def address(found):
        if isinstance(found, torch.Tensor):
            return found.data_ptr()
        return found.data.ptr if isinstance(found, cp.ndarray) else found.cudaPtr()

    def shows(ptr):
        def check(name, found):
            assert (pixels(found) == image).all(), f"{name}: wrong pixels"
            assert ptr is None or address(found) == ptr, f"{name}: a copy"

        return check

    def savant(name, code):
        """The Savant-named function, where the second distribution is installed."""
        return [Statement(name, code)] if "memory_repr" in ns else []

    few = {"most": 20, "checked": False}
    unchecked = {"most": 100, "checked": False}
    queued = {"most": 100}  # kernels: the launch queue must not fill up
    bare = Statement(BARE, "cv2.cuda.createGpuMatFromCudaMemory(rows, cols, kind, tensor_ptr)")
    groups = [
        Group(
            "torch -> GpuMat, owned view",
            [
                Statement("pixview.as_gpumat", "pixview.as_gpumat(chw)"),
                Statement("usual: interface, createGpuMat", "usual.mat_of_interleaved_tensor(chw)"),
                bare,
                Statement("usual, of an H,W,C tensor", "usual.mat_of_array(hwc)"),
                *savant(
                    "pytorch_tensor_as_opencv_gpu_mat",
                    "memory_repr_pytorch.pytorch_tensor_as_opencv_gpu_mat(chw)",
                ),
                Statement(
                    "GpuMat.from_dlpack(small), leaks", "cv2.cuda.GpuMat.from_dlpack(small)", **few
                ),
            ],
            shows(ns["tensor_ptr"]),
            [
                Goal(BARE, 1.0),
                Goal("usual, of an H,W,C tensor", 6.0),
                Goal(BARE, 0.5, issue=True),
            ],
        ),
        Group(
            "GpuMat -> torch (CHW), owned view",
            [
                Statement("pixview.as_torch", "pixview.as_torch(mat)"),
                Statement(
                    "usual: interface, as_tensor",
                    "torch.as_tensor(usual.GpuMatInterface(mat), device='cuda').permute(2, 0, 1)",
                ),
                Statement("tensor.detach()", "chw.detach()", checked=False),
                Statement("pixview.as_torch, HWC", "pixview.as_torch(mat, layout='HWC')"),
                *savant(
                    "opencv_gpu_mat_as_pytorch",
                    "memory_repr_pytorch.opencv_gpu_mat_as_pytorch(mat)",
                ),
                Statement(
                    "torch.from_dlpack(mat), permute", "torch.from_dlpack(mat).permute(2, 0, 1)"
                ),
            ],
            shows(ns["mat_ptr"]),
            [
                Goal("usual: interface, as_tensor", 11.0),
                Goal("tensor.detach()", 1 / 1.1),
                Goal("usual: interface, as_tensor", 6.0, issue=True),
            ],
        ),
        Group(
            "CuPy -> GpuMat, owned view",
            [
                Statement("pixview.as_gpumat", "pixview.as_gpumat(array)"),
                Statement("usual: interface, createGpuMat", "usual.mat_of_array(array)"),
                Statement(BARE, "cv2.cuda.createGpuMatFromCudaMemory(rows, cols, kind, array_ptr)"),
                *savant("cupy_as_opencv_gpu_mat", "memory_repr.cupy_as_opencv_gpu_mat(array)"),
            ],
            shows(ns["array_ptr"]),
            [Goal("usual: interface, createGpuMat", 5.0)],
        ),
        Group(
            "GpuMat -> CuPy, owned view",
            [
                Statement("pixview.as_cupy", "pixview.as_cupy(mat)"),
                Statement("usual: interface, cp.asarray", "cp.asarray(usual.GpuMatInterface(mat))"),
                Statement(
                    "UnownedMemory, MemoryPointer, ndarray",
                    "cp.ndarray((rows, cols, 3), 'u1', MemoryPointer(UnownedMemory(mat_ptr,"
                    " rows * pitch, mat, 0), 0), (pitch, 3, 1))",
                ),
                *savant("opencv_gpu_mat_as_cupy", "memory_repr.opencv_gpu_mat_as_cupy(mat)"),
                Statement("cp.from_dlpack(mat)", "cp.from_dlpack(mat)"),
            ],
            shows(ns["mat_ptr"]),
            [
                Goal("usual: interface, cp.asarray", 3.0),
                Goal("UnownedMemory, MemoryPointer, ndarray", 1 / 1.5),
            ],
        ),
        Group(
            "CuPy -> torch",
            [
                Statement("pixview.as_torch", "pixview.as_torch(array, layout='HWC')"),
                Statement("torch.as_tensor", "torch.as_tensor(array, device='cuda')"),
                Statement("torch.from_dlpack", "torch.from_dlpack(array)"),
                Statement("pixview.as_torch, CHW", "pixview.as_torch(array)"),
            ],
            shows(ns["array_ptr"]),
            [Goal("torch.as_tensor", 4.0)],
        ),
        Group(
            "torch -> CuPy",
            [
                Statement("pixview.as_cupy", "pixview.as_cupy(hwc, src_layout='HWC')"),
                Statement("cp.asarray", "cp.asarray(hwc)"),
                Statement("cp.from_dlpack", "cp.from_dlpack(hwc)"),
                Statement("pixview.as_cupy, of C,H,W", "pixview.as_cupy(chw)"),
            ],
            shows(ns["tensor_ptr"]),
            [Goal("cp.asarray", 4.0)],
        ),
        Group(
            "torch CHW -> GpuMat, one kernel (host side)",
            [
                Statement("pixview.as_gpumat", "pixview.as_gpumat(planes)", **queued),
                Statement("usual: permute, contiguous", "usual.mat_of_planes(planes)", **queued),
                Statement(
                    "copy_into: no allocation", "pixview.copy_into(mat, planes)", **unchecked
                ),
                Statement("torch.empty of its bytes", "torch.empty(size, **byte)", **unchecked),
                *[
                    Statement(s.name, s.code, **queued)
                    for s in savant(
                        "pytorch_tensor_as_opencv_gpu_mat",
                        "memory_repr_pytorch.pytorch_tensor_as_opencv_gpu_mat(planes)",
                    )
                ],
            ],
            None,  # check_planes: the usual result dangles at once
            [Goal("usual: permute, contiguous", 3.0)],
        ),
        Group(
            "parts, GPU",
            [
                *empty_call(ns),
                Statement("GpuMat()", "cv2.cuda.GpuMat()"),
                Statement("tensor.detach()", "chw.detach()"),
                Statement("tensor.permute(1, 2, 0)", "chw.permute(1, 2, 0)"),
                Statement("UnownedMemory with device", "UnownedMemory(mat_ptr, 1, mat, 0)"),
                Statement("pixview.view of a tensor", "pixview.view(chw)"),
                Statement("pixview.view of a GpuMat", "pixview.view(mat)"),
                Statement("pixview.view of a CuPy array", "pixview.view(array)"),
            ],
        ),
    ]
    return groups


def check_planes(ns):
    """The usual GpuMat of a temporary is dangling as soon as it is made: keep the temporary."""
    temporary = ns["planes"].permute(1, 2, 0).contiguous()
    ours = ns["pixview"].as_gpumat(ns["planes"])
    for name, mat in (("pixview", ours), ("usual", ns["usual"].mat_of_array(temporary))):
        assert (mat.download() == ns["image"]).all(), f"planes to GpuMat, {name}: wrong pixels"


def check(groups, ns):
    for group in groups:
        if group.check is None:
            continue
        for statement in filter(lambda s: s.checked, group.statements):
            group.check(f"{group.name}, {statement.code}", eval(statement.code, dict(ns)))


def measure(groups, ns, args, settle):
    start = time.perf_counter()
    for number, group in enumerate(groups, 1):
        seconds = time.perf_counter() - start
        progress(f"[{number}/{len(groups)}] {group.name}  ({seconds:.0f} s so far)")
        run(group.statements, ns, args.rounds, args.block_ms / 1e3, settle)
    progress("")


def goal_line(group, goal):
    """(text, reached or None where it could not be measured)"""
    ours, other = group.statements[0], group.find(goal.other)
    if other is None or not other.samples:
        return f"{group.name}: {goal.other} not measured", None
    found = ratio(other, ours)
    if goal.times < 1:
        text = f"at most {1 / goal.times:.1f} x {goal.other}: {1 / found:.2f} x"
    elif goal.times == 1:
        text = f"no dearer than {goal.other}: {1 / found:.2f} x"
    else:
        text = f"at least {goal.times:g} times as fast as {goal.other}: {found:.1f} times"
    return f"{group.name}: {text}", found >= goal.times


def table(groups):
    """Markdown, aligned, so that it is read as well on a terminal."""
    rows = [("call", "way", "median ns", "min ns", "ours is faster by", "goals")]
    for group in groups:
        ours = group.statements[0]
        for index, statement in enumerate(group.statements):
            reached = []
            for goal in group.goals:
                if goal.other == statement.name and not goal.issue:
                    passed = goal_line(group, goal)[1]
                    reached.append(f"{goal.times:.2g} x: {'PASS' if passed else 'miss'}")
            factor = "" if group.name.startswith("parts") or not index else ratio(statement, ours)
            rows.append(
                (
                    group.name if not index else "",
                    statement.name,
                    f"{statement.median:.0f}",
                    f"{statement.minimum:.0f}",
                    f"{factor:.2f} x" if factor else "",
                    ", ".join(reached),
                )
            )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = [
            cell.rjust(width) if 2 <= i <= 4 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("| " + " | ".join(cells) + " |")
        if not number:
            rule = ["-" * (w - 1) + ":" if 2 <= i <= 4 else "-" * w for i, w in enumerate(widths)]
            lines.append("| " + " | ".join(rule) + " |")
    return "\n".join(lines)


def conditions(groups):
    """The goals in words; those of the first slice last."""
    lines = []
    for issue in (False, True):
        goals = [(g, goal) for g in groups for goal in g.goals if goal.issue == issue]
        if goals:
            lines += ["", "Conditions of the first slice:" if issue else "Goals:", ""]
        for group, goal in goals:
            text, reached = goal_line(group, goal)
            word = {True: "PASS", False: "miss", None: "?   "}[reached]
            lines.append(f"- {word}  {text}")
    return "\n".join(lines).strip()


def report(facts, groups, args):
    about = "\n".join(f"- {key}: {value}" for key, value in facts.items())
    note = (
        f"{HEIGHT} x {WIDTH} x 3, 8 bit; legacy default stream on both ends; one thread; gc off; "
        f"{args.rounds} rounds of {args.block_ms:g} ms blocks that take turns; "
        "a call's time includes dropping its result. A factor is the median over the rounds."
    )
    parts = ["# Overhead of a conversion", about, note, table(groups)]
    if any(group.goals for group in groups):
        parts.append(conditions(groups))
    return "\n\n".join(parts) + "\n"


def as_json(facts, groups):
    return {
        "machine": facts,
        "groups": [
            {
                "name": group.name,
                "statements": [
                    {
                        "name": s.name,
                        "code": s.code,
                        "median_ns": s.median,
                        "min_ns": s.minimum,
                        "ours_is_faster_by": ratio(s, group.statements[0]),
                    }
                    for s in group.statements
                ],
                "goals": [
                    {
                        "other": goal.other,
                        "times": goal.times,
                        "first_slice": goal.issue,
                        "reached": goal_line(group, goal)[1],
                    }
                    for goal in group.goals
                ],
            }
            for group in groups
        ],
    }


def why_no_gpu():
    try:
        import cupy  # noqa: F401
        import cv2
        import torch
    except ImportError as error:
        return str(error)
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} sees no GPU"
    if cv2.cuda.getCudaEnabledDeviceCount() < 1:
        return f"cv2 {cv2.__version__} is built without CUDA"
    return None


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", action="store_true", help="the host rows only")
    parser.add_argument("--rounds", type=int, default=40, help="turns of each way (%(default)s)")
    parser.add_argument("--block-ms", type=float, default=3, help="length of a turn (%(default)s)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the numbers too")
    machine.add_save(parser)
    return parser.parse_args(arguments)


def main(arguments=None):
    args = parse(arguments)
    missing = "asked for the host only" if args.host else why_no_gpu()
    if missing:
        print(f"bench: no GPU rows: {missing}", file=sys.stderr)

    progress("checking the outputs")
    groups, parts = [], []
    if not missing:
        ns = gpu_namespace()
        found = gpu_groups(ns)
        check_planes(ns)
        parts.append((found, ns, ns["torch"].cuda.synchronize))
    ns = host_namespace()
    parts.append((host_groups(ns), ns, lambda: None))
    for found, ns, settle in parts:
        check(found, ns)
        settle()
    for found, ns, settle in parts:
        measure(found, ns, args, settle)
        groups += found

    facts = machine.describe(with_gpu=not missing)
    text = report(facts, groups, args)
    print(text)
    if args.json:
        args.json.write_text(json.dumps(as_json(facts, groups), indent=1) + "\n")
    if args.save:
        machine.save(args.save, "overhead", facts, text, opencv=True)


if __name__ == "__main__":
    main()
