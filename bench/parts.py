# SPDX-License-Identifier: Apache-2.0
"""Where the time of a conversion goes: what torch and the driver take of it by themselves.

    python bench/parts.py           needs a GPU, a CUDA-enabled OpenCV, and cc
    python bench/parts.py --save    also write bench/results/parts-<gpu>.md

Compiles parts.c, which calls torch's exchange table in a loop, and which stands in for the driver to
time its launches. Medians of a few runs, in ns per call; then where a copy's time goes, each stage
timed where it happens, less what the clock takes: with caches that the launch before left cold, and a
torch that has to find its memory again.
"""

import argparse
import ctypes
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import timeit

import machine
import native

RUNS, CALLS = 9, 20_000
SIZES = (8, 256, 512, 1024, 4096)  # bytes of parameters
STAGES = (  # as parts.c counts them
    "cuLaunchKernel",
    "cuCtxGetCurrent",
    "cuCtxGetId",
    "cuStreamIsCapturing",
    "the table's dltensor_from_py",
)


def build(folder):
    ctypes.CDLL("libcuda.so.1")
    maps = pathlib.Path("/proc/self/maps").read_text().split()
    driver = next(word for word in maps if "/libcuda.so" in word)
    header = next((machine.ROOT / "src").rglob("dlpack_abi.h"))
    more = [f"-I{header.parent}", "-Wl,--no-as-needed", driver, "-ldl"]
    return native.shared_library(folder, "parts.c", *more)


def again(library):
    """The driver's name is read when it is first needed, so the rest runs in a new process."""
    env = os.environ | {"PIXVIEW_LIBCUDA": str(library)}
    command = [sys.executable, __file__, *sys.argv[1:], "--library", str(library)]
    return subprocess.run(command, env=env).returncode


def load(path):
    lib = ctypes.PyDLL(str(path))
    for name in (
        "allocate_ns stream_ns tensor_ns launch_ns raw_ns current_device_ns clock_ns stage_ns"
    ).split():
        getattr(lib, name).restype = ctypes.c_double
    lib.stage_calls.restype = ctypes.c_long
    return lib


def exchange_table():
    import torch

    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    capsule = torch.Tensor.__dlpack_c_exchange_api__
    return ctypes.c_void_p(pointer(capsule, b"dlpack_exchange_api"))


def namespace():
    import cv2
    import numpy as np
    import pixview
    import torch

    image = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), np.uint8)
    mat = cv2.cuda.GpuMat()
    mat.upload(image)
    return {
        "pixview": pixview,
        "mat": mat,
        "planes": torch.from_numpy(image).cuda().permute(2, 0, 1).contiguous(),
        "chw": pixview.as_torch(mat),
        "mats": [cv2.cuda.GpuMat(64, 64, cv2.CV_8UC3) for _ in range(8)],
        "out": torch.empty((8, 3, 64, 64), device="cuda", dtype=torch.uint8),
        "size": ctypes.c_int64(image.size),
    }


def calls(lib, table, names, empty):
    """{what: a function that gives ns per call}; a part begins with "- "."""
    import torch

    mat, size = names["mat"], names["size"]
    data = ctypes.c_void_p(mat.cudaPtr()), ctypes.c_int64(1080), ctypes.c_int64(1920)

    def python(code, count=CALLS):
        return lambda: timeit.timeit(code, globals=names, number=count) / count * 1e9

    def launch(call, count=100):
        def run():
            torch.cuda.synchronize()
            lib.launch_ns()
            call(count)
            return lib.launch_ns() / count

        return run

    def launch_of(code):
        return launch(lambda count: timeit.timeit(code, globals=names, number=count))

    rows = {
        "GpuMat -> torch": python("pixview.as_torch(mat)"),
        "- to_py and the tensor's end": lambda: lib.tensor_ns(
            table, *data, ctypes.c_int64(mat.step), CALLS
        ),
        "- current_work_stream": lambda: lib.stream_ns(table, CALLS),
        "tensor.detach()": python("chw.detach()"),
        "planes -> GpuMat": python("pixview.as_gpumat(planes)", 100),
        "- its cuLaunchKernel": launch_of("pixview.as_gpumat(planes)"),
        "- allocator of the table, and the end": lambda: lib.allocate_ns(table, size, CALLS),
        "- memory of the C shim, and its end": lambda: lib.raw_ns(size, CALLS),
        "- the C shim's current device": lambda: lib.current_device_ns(CALLS),
        "copy_into": python("pixview.copy_into(mat, planes)", 100),
        "- the cuLaunchKernel of that": launch_of("pixview.copy_into(mat, planes)"),
    }
    for bytes_ in SIZES:
        name = f"cuLaunchKernel of nothing, {bytes_} bytes of parameters"
        rows[name] = launch(lambda count, bytes_=bytes_: empty(bytes_, count))
    return rows | {
        "stack of 8, prepared": python("pixview.stack(mats, out=out)", 100),
        "- its cuLaunchKernel, with 4096 bytes": launch_of("pixview.stack(mats, out=out)"),
    }


def medians(rows):
    import torch

    samples = {name: [] for name in rows}
    for _ in range(RUNS + 1):
        for name, run in rows.items():
            samples[name].append(run())
            torch.cuda.synchronize()
    return [(name, statistics.median(values[1:])) for name, values in samples.items()]


def stages(lib, table, code, names, count=100):
    """The median call without timed stages, then every stage's share of calls with them."""
    import torch

    def run():
        torch.cuda.synchronize()
        return timeit.timeit(code, globals=names, number=count) / count * 1e9

    whole = statistics.median(run() for _ in range(5 * RUNS))
    if lib.time_table(table):
        print("bench: the table cannot be replaced: no stages", file=sys.stderr)
        return [(code, whole)]
    run()
    shares, counts = {name: [] for name in STAGES}, {}
    for _ in range(5 * RUNS):
        lib.reset_stages()
        run()
        clock = lib.clock_ns()
        for i, name in enumerate(STAGES):
            counts[name] = lib.stage_calls(i) / count
            shares[name].append(lib.stage_ns(i) / count - counts[name] * clock)
    lib.untime_table(table)
    found = {name: statistics.median(values) for name, values in shares.items()}
    rest = ("- the rest: pixview, Python, the clock", whole - sum(found.values()))
    parts = [
        (f"- {name}, {counts[name]:.1f} times", ns) for name, ns in found.items() if counts[name]
    ]
    return [(code, whole), *parts, rest]


def measure(path):
    lib, table, names = load(path), exchange_table(), namespace()
    with tempfile.TemporaryDirectory() as folder:
        empty = native.EmptyKernels(folder, SIZES)
        found = medians(calls(lib, table, names, empty))
    for code in ("pixview.as_gpumat(planes)", "pixview.copy_into(mat, planes)"):
        found += stages(lib, table, code, names)
    return found


def report(facts, found):
    lines = ["| what | ns |", "| --- | ---: |", *(f"| {name} | {ns:.0f} |" for name, ns in found)]
    note = f"Medians of {RUNS} runs, of {5 * RUNS} in the last two calls; one process."
    title = "What torch and the driver take by themselves"
    return "\n\n".join([machine.heading(title, facts), note, "\n".join(lines)]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", help=argparse.SUPPRESS)
    machine.add_save(parser)
    args = parser.parse_args()
    if not args.library:
        with tempfile.TemporaryDirectory() as folder:
            return again(build(folder))
    found = measure(args.library)
    facts = machine.describe(with_gpu=True)
    text = report(facts, found)
    print(text)
    if args.save:
        machine.save(args.save, "parts", facts, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
