# SPDX-License-Identifier: Apache-2.0
"""Compiles the kernels for release with CUDA 12's NVRTC. usage: compile_kernels.py OUT.fatbin ARCH...

OUT.fatbin.code lists what it holds, for `pixview doctor`. One architecture takes one to two minutes
of a core, so each stays in the folder OUT.parts until its sources change.

Machine code from CUDA 13's nvcc needs driver R580; from CUDA 12 it runs on R525 and later. NVIDIA
has no CUDA 12 nvcc on PyPI, but NVRTC. The nvcc of CUDA 13, found as for a developer's build, packs
what comes out, and compiles what CUDA 12 does not know: 11.0, whose first driver is R580.
"""

import concurrent.futures
import ctypes
import os
import pathlib
import struct
import subprocess
import sys
import sysconfig

ROOT = pathlib.Path(__file__).parent.parent
SOURCE = ROOT / "src" / "kernels" / "kernels.cu"
SMALL = "--compress-mode=size"
# NVRTC has no C library.
STDINT = b"""
typedef signed char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef long int64_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long uint64_t;
typedef unsigned long uintptr_t;
#define INT32_MAX 0x7fffffff
#define UINT32_MAX 0xffffffffu
#define NULL 0
"""


def open_nvrtc():
    folder = pathlib.Path(sysconfig.get_path("platlib"), "nvidia", "cuda_nvrtc", "lib")
    if not (folder / "libnvrtc.so.12").exists():
        sys.exit("no NVRTC of CUDA 12: pip install -r tools/requirements-kernels.txt")
    # Before the other, which looks for it without knowing the folder.
    for path in folder.glob("libnvrtc-builtins.so.12*"):
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(str(folder / "libnvrtc.so.12"))


def read(nvrtc, program, what):
    size = ctypes.c_size_t()
    getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    getattr(nvrtc, f"nvrtcGet{what}")(program, text)
    return text.raw


def knows(nvrtc, target):
    count = ctypes.c_int()
    nvrtc.nvrtcGetNumSupportedArchs(ctypes.byref(count))
    known = (ctypes.c_int * count.value)()
    nvrtc.nvrtcGetSupportedArchs(known)
    return int(target.split("_")[1]) in known


def compile_by_nvrtc(nvrtc, target):
    headers, names = (ctypes.c_char_p * 1)(STDINT), (ctypes.c_char_p * 1)(b"stdint.h")
    options = [
        f"--gpu-architecture={target}",
        "--std=c++17",
        "-default-device",
        f"-I{SOURCE.parent}",
    ]
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(
        ctypes.byref(program), SOURCE.read_bytes(), b"kernels.cu", 1, headers, names
    )
    arguments = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
    if nvrtc.nvrtcCompileProgram(program, len(options), arguments) != 0:
        sys.exit(read(nvrtc, program, "ProgramLog").decode())
    code = read(nvrtc, program, "PTX" if target.startswith("compute") else "CUBIN")
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return code


def compile_to(path, target, nvcc):
    """Machine code for "sm_90", PTX for "compute_75"."""
    nvrtc = open_nvrtc()
    # Under another name until it is whole: what is there is not made again.
    unfinished = path.with_suffix(".new")
    if knows(nvrtc, target):
        unfinished.write_bytes(compile_by_nvrtc(nvrtc, target))
    else:
        command = [nvcc, "-cubin", f"-arch={target}", "-std=c++17", "-allow-unsupported-compiler"]
        subprocess.check_call([*command, "-o", unfinished, SOURCE])
    unfinished.rename(path)


def is_fresh(path):
    made_from = [*SOURCE.parent.iterdir(), ROOT / "tools" / "requirements-kernels.txt"]
    return path.exists() and path.stat().st_mtime > max(one.stat().st_mtime for one in made_from)


def needs_old_driver(target):
    """Could a driver before R550 be asked for it? From 10.0 on GPUs need a later one, and so does
    the PTX of CUDA 12.9. 8.7 is Jetson Orin: JetPack 6 has CUDA 12.6, JetPack 5 none of CUDA 12."""
    return target.startswith("sm_") and int(target[3:]) < 100 and target != "sm_87"


def pack(out, parts, targets, fatbinary):
    """Compressed by zstd, machine code is half as large in a wheel, but drivers before R550 cannot
    read that. A fatbin is a header of 16 bytes, which ends with how many follow, and its parts."""
    contents = b""
    for target in targets:
        kind, arch = "ptx" if target.startswith("compute") else "elf", target.split("_")[1]
        how = ["--compress=false"] if needs_old_driver(target) else ["--compress-all", SMALL]
        image = f"--image3=kind={kind},sm={arch},file={parts / target}"
        pathlib.Path(out).unlink(missing_ok=True)  # fatbinary keeps what is there
        subprocess.check_call([fatbinary, f"--create={out}", "-64", *how, image])
        made = pathlib.Path(out).read_bytes()
        contents += made[16:]
    pathlib.Path(out).write_bytes(made[:8] + struct.pack("<Q", len(contents)) + contents)


def main():
    out, *architectures = sys.argv[1:]
    nvcc = subprocess.check_output([sys.executable, ROOT / "tools" / "find_nvcc.py"], text=True)
    nvcc = pathlib.Path(nvcc.strip())
    targets = [f"sm_{arch}" for arch in architectures] + [f"compute_{architectures[0]}"]
    parts = pathlib.Path(f"{out}.parts")
    parts.mkdir(parents=True, exist_ok=True)
    # Processes: NVRTC compiles one program at a time.
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = {}
        for target in targets:
            if not is_fresh(parts / target):
                jobs[pool.submit(compile_to, parts / target, target, nvcc)] = target
        for count, job in enumerate(concurrent.futures.as_completed(jobs), 1):
            job.result()
            print(f"pixview: kernels for {jobs[job]} ({count} of {len(jobs)})", file=sys.stderr)
    pack(out, parts, targets, nvcc.parent / "fatbinary")
    pathlib.Path(f"{out}.code").write_text(" ".join(targets))


if __name__ == "__main__":
    main()
