"""Where the time of a conversion goes: what torch and the driver take of it by themselves.

    python bench/parts.py        needs a GPU, a CUDA-enabled OpenCV, and cc on the PATH

Compiles parts.c, which calls torch's exchange table in a loop, and which stands in for the driver to
time its launches. Prints medians of a few runs, in ns per call; then where a copy's time goes, each
stage timed where it happens, less what the clock takes: with caches that the launch before left cold,
and a torch that has to find its memory again.
"""

import ctypes
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import timeit

HERE = pathlib.Path(__file__).parent
RUNS, CALLS = 9, 20_000
STAGES = (  # as parts.c counts them
    "cuLaunchKernel",
    "cuCtxGetCurrent",
    "cuCtxGetId",
    "cuStreamIsCapturing",
    "the table's dltensor_from_py",
    "the table's current_work_stream",
    "the table's allocator",
    "the end of its tensor",
)


def build(folder):
    ctypes.CDLL("libcuda.so.1")
    maps = pathlib.Path("/proc/self/maps").read_text().split()
    driver = next(word for word in maps if "/libcuda.so" in word)
    library = os.path.join(folder, "libparts.so")
    source = [str(HERE / "parts.c"), f"-I{HERE.parent / 'src'}"]
    flags = ["-O2", "-shared", "-fPIC", "-Wl,--no-as-needed"]
    subprocess.run(["cc", *flags, *source, driver, "-o", library], check=True)
    return library


def again(library):
    """The driver's name is read when it is first needed, so the rest runs in a new process."""
    env = os.environ | {"PIXVIEW_LIBCUDA": library}
    return subprocess.run([sys.executable, __file__, library], env=env).returncode


def measure(library):
    import cv2
    import numpy as np
    import pixview
    import torch

    lib = ctypes.PyDLL(library)
    for name in (
        "allocate_ns stream_ns tensor_ns launch_ns empty_launch_ns raw_ns current_device_ns "
        "clock_ns stage_ns"
    ).split():
        getattr(lib, name).restype = ctypes.c_double
    lib.stage_calls.restype = ctypes.c_long
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = ctypes.c_void_p(pointer(torch.Tensor.__dlpack_c_exchange_api__, b"dlpack_exchange_api"))
    image = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), np.uint8)
    mat = cv2.cuda.GpuMat()
    mat.upload(image)
    planes = torch.from_numpy(image).cuda().permute(2, 0, 1).contiguous()
    chw = pixview.as_torch(mat)
    data = (ctypes.c_void_p(mat.cudaPtr()), ctypes.c_int64(1080), ctypes.c_int64(1920))
    names = {"pixview": pixview, "mat": mat, "planes": planes, "chw": chw}
    names["mats"] = [cv2.cuda.GpuMat(64, 64, cv2.CV_8UC3) for _ in range(8)]
    names["out"] = torch.empty((8, 3, 64, 64), device="cuda", dtype=torch.uint8)

    def python(code, calls=CALLS):
        return lambda: timeit.timeit(code, globals=names, number=calls) / calls * 1e9

    def launch(code, calls=100):
        def run():
            torch.cuda.synchronize()
            lib.launch_ns()
            timeit.timeit(code, globals=names, number=calls)
            return lib.launch_ns() / calls

        return run

    rows = {
        "GpuMat -> torch": python("pixview.as_torch(mat)"),
        "  to_py and the tensor's end": lambda: lib.tensor_ns(
            table, *data, ctypes.c_int64(mat.step), CALLS
        ),
        "  current_work_stream": lambda: lib.stream_ns(table, CALLS),
        "tensor.detach()": python("chw.detach()"),
        "planes -> GpuMat": python("pixview.as_gpumat(planes)", 100),
        "  its cuLaunchKernel": launch("pixview.as_gpumat(planes)"),
        "  allocator of the table, and the end": lambda: lib.allocate_ns(
            table, ctypes.c_int64(image.size), CALLS
        ),
        "  memory of the C shim, and its end": lambda: lib.raw_ns(
            ctypes.c_int64(image.size), CALLS
        ),
        "  the C shim's current device": lambda: lib.current_device_ns(CALLS),
        "copy_into": python("pixview.copy_into(mat, planes)", 100),
        "  the cuLaunchKernel of that": launch("pixview.copy_into(mat, planes)"),
    }
    for size in (8, 256, 512, 1024, 4096):
        name = f"cuLaunchKernel of nothing, {size} bytes of parameters"
        rows[name] = lambda size=size: lib.empty_launch_ns(size, 100)
    rows |= {
        "stack of 8, prepared": python("pixview.stack(mats, out=out)", 100),
        "  its cuLaunchKernel, with 4096": launch("pixview.stack(mats, out=out)"),
    }
    samples = {name: [] for name in rows}
    for _ in range(RUNS + 1):
        for name, run in rows.items():
            samples[name].append(run())
            torch.cuda.synchronize()
    for name, values in samples.items():
        print(f"{name:50} {statistics.median(values[1:]):8.0f}")
    for code in ("pixview.as_gpumat(planes)", "pixview.copy_into(mat, planes)"):
        stages(lib, table, code, names)
    return 0


def stages(lib, table, code, names, calls=100):
    """The median call without timed stages, then every stage's share of calls with them."""
    import torch

    def run():
        torch.cuda.synchronize()
        return timeit.timeit(code, globals=names, number=calls) / calls * 1e9

    whole = statistics.median(run() for _ in range(5 * RUNS))
    shares = {name: [] for name in STAGES}
    counts = {}
    if lib.time_table(table):
        print("the table cannot be replaced")
        return
    run()
    for _ in range(5 * RUNS):
        lib.reset_stages()
        run()
        clock = lib.clock_ns()
        for i, name in enumerate(STAGES):
            count = lib.stage_calls(i) / calls
            counts[name] = count
            shares[name].append(lib.stage_ns(i) / calls - count * clock)
    lib.untime_table(table)
    medians = {name: statistics.median(values) for name, values in shares.items()}
    print(f"{code:50} {whole:8.0f}")
    for name, value in medians.items():
        if counts[name]:
            print(f"  {name:42} x {counts[name]:3.1f} {value:8.0f}")
    print(f"  {'the rest: pixview, Python, the clock':48} {whole - sum(medians.values()):8.0f}")


def main():
    if len(sys.argv) > 1:
        return measure(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        return again(build(folder))


if __name__ == "__main__":
    sys.exit(main())
