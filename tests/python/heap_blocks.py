# SPDX-License-Identifier: Apache-2.0
"""Prints how many blocks a view takes from the heap: of pixview's own, and of Python's objects.

usage: python heap_blocks.py [gpumat], in a process of its own, with libfakemalloc.so preloaded
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Callable
from typing import Any

import cupy
import pixview
import torch
from support import image

COUNT = 64
preloaded = ctypes.CDLL(None)
lib = ctypes.CDLL(os.environ["PIXVIEW_FAKE_DRIVER"])
lib.fake_register.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def blocks(call: Callable[[], Any]) -> tuple[int, int]:
    """Of COUNT views that live at once, per view."""
    for _ in range(3):
        kept = [call() for _ in range(COUNT)]
        kept.clear()
    kept = [None] * COUNT
    ours, python = preloaded.fake_malloc_calls(), sys.getallocatedblocks()
    for i in range(COUNT):
        kept[i] = call()
    ours, python = preloaded.fake_malloc_calls() - ours, sys.getallocatedblocks() - python
    return round(ours / COUNT), round(python / COUNT)


def main() -> None:
    module = ctypes.CDLL(pixview._core.__file__)
    assert preloaded.fake_malloc_watch(ctypes.cast(module.PyInit__core, ctypes.c_void_p))
    cupy.cuda.get_current_stream = lambda device=None: cupy.cuda.Stream.null
    near, far = image(4, 5, 3), image(4, 5, 3)
    lib.fake_register(far.ctypes.data, far.nbytes, 0)
    on_gpu = pixview.from_pointer(far.ctypes.data, far.shape, "uint8", device=0, owner=far)
    tensor, gpu_tensor = torch.from_numpy(near).permute(2, 0, 1), pixview.as_torch(on_gpu)
    array = pixview.as_cupy(on_gpu)
    views: dict[str, Callable[[], Any]] = {
        "view(numpy)": lambda: pixview.view(near),
        "view(torch)": lambda: pixview.view(tensor),
        "view.crop": lambda: on_gpu.crop(0, 0, 2, 2),
        "view(cupy)": lambda: pixview.view(array),
        "as_torch(numpy)": lambda: pixview.as_torch(near),
        "as_numpy(torch)": lambda: pixview.as_numpy(tensor),
        "as_torch(cupy)": lambda: pixview.as_torch(array),
        "as_cupy(torch)": lambda: pixview.as_cupy(gpu_tensor),
    }
    if sys.argv[1:] == ["gpumat"]:
        import cv2

        mat = pixview.as_gpumat(gpu_tensor)
        assert isinstance(mat, cv2.cuda.GpuMat)
        views = {
            "as_gpumat(torch)": lambda: pixview.as_gpumat(gpu_tensor),
            "as_torch(gpumat)": lambda: pixview.as_torch(mat),
            "view(gpumat)": lambda: pixview.view(mat),
            "as_cupy(gpumat)": lambda: pixview.as_cupy(mat),
        }
    gc.disable()
    for name, call in views.items():
        print(name, *blocks(call))


main()
