# SPDX-License-Identifier: Apache-2.0
"""The little C that benches need: compiled when it is needed, into a folder that goes afterwards."""

import ctypes
import os
import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent


def shared_library(folder, source, *more):
    """The path of bench/SOURCE as a shared library; `more`: arguments of the compiler."""
    library = pathlib.Path(folder) / f"lib{pathlib.Path(source).stem}.so"
    command = [os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-D_GNU_SOURCE"]
    subprocess.run([*command, str(HERE / source), *more, "-o", str(library)], check=True)
    return library


class EmptyKernels:
    """Launches that do nothing, for a context that is current: call it with bytes of parameters, and
    how many."""

    def __init__(self, folder, sizes):
        # By PyDLL: no other thread can take the GIL between.
        self.library = ctypes.PyDLL(str(shared_library(folder, "empty.c", "-ldl")))
        self.library.empty_kernel.restype = ctypes.c_void_p
        self.library.empty_launches.argtypes = [ctypes.c_void_p, ctypes.c_int]
        self.kernels = {size: self.library.empty_kernel(size) for size in sizes}
        missing = [size for size, kernel in self.kernels.items() if not kernel]
        if missing:
            raise RuntimeError(f"no empty kernel with {missing} bytes of parameters")

    def __call__(self, size, count):
        code = self.library.empty_launches(self.kernels[size], count)
        if code:
            raise RuntimeError(f"an empty launch: CUDA error {code}")
