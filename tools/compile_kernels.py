"""Compiles the kernels for release with CUDA 12's NVRTC. usage: compile_kernels.py OUT.fatbin ARCH...

OUT.fatbin.code lists what it holds, for `pixview doctor`.

Machine code from CUDA 13's nvcc needs driver R580; from CUDA 12 it runs on R525 and later, and 12.9
knows every architecture that 13 knows. NVIDIA has no CUDA 12 nvcc on PyPI, but NVRTC; only the
packing is done by the tool beside nvcc, which is found as for a developer's build.
"""

import ctypes
import pathlib
import subprocess
import sys
import sysconfig
import tempfile

ROOT = pathlib.Path(__file__).parent.parent
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
        sys.exit("no NVRTC of CUDA 12: pip install -r tools/requirements-release.txt")
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


def compile_for(nvrtc, target):
    """Machine code for "sm_90", PTX for "compute_75"."""
    source = ROOT / "src" / "kernels" / "kernels.cu"
    headers, names = (ctypes.c_char_p * 1)(STDINT), (ctypes.c_char_p * 1)(b"stdint.h")
    options = [
        f"--gpu-architecture={target}",
        "--std=c++17",
        "-default-device",
        f"-I{source.parent}",
    ]
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(
        ctypes.byref(program), source.read_bytes(), b"kernels.cu", 1, headers, names
    )
    arguments = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
    if nvrtc.nvrtcCompileProgram(program, len(options), arguments) != 0:
        sys.exit(read(nvrtc, program, "ProgramLog").decode())
    code = read(nvrtc, program, "PTX" if target.startswith("compute") else "CUBIN")
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return code


def main():
    out, *architectures = sys.argv[1:]
    nvrtc = open_nvrtc()
    nvcc = subprocess.check_output([sys.executable, ROOT / "tools" / "find_nvcc.py"], text=True)
    pack = [pathlib.Path(nvcc.strip()).parent / "fatbinary", f"--create={out}", "-64"]
    targets = [f"sm_{arch}" for arch in architectures] + [f"compute_{architectures[0]}"]
    pathlib.Path(f"{out}.code").write_text(" ".join(targets))
    with tempfile.TemporaryDirectory() as folder:
        for target in targets:
            print(f"pixview: kernels for {target}", file=sys.stderr)
            path = pathlib.Path(folder, target)
            path.write_bytes(compile_for(nvrtc, target))
            kind = "ptx" if target.startswith("compute") else "elf"
            pack.append(f"--image3=kind={kind},sm={target.split('_')[1]},file={path}")
        subprocess.check_call(pack)


if __name__ == "__main__":
    main()
