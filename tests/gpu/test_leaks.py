# SPDX-License-Identifier: Apache-2.0
"""100 000 conversions in each direction leave host and device memory as they were."""

import gc
import os
import sys
import time

import pytest

from .util import cp, cv2, free_memory, new_mat, np, pixels, pixview, settle, torch

pytestmark = pytest.mark.alone

COUNT = 100_000
IMAGE = pixels((48, 64, 3))

planes = torch.from_numpy(IMAGE).cuda().permute(2, 0, 1).contiguous()
tensor = torch.from_numpy(IMAGE).cuda().permute(2, 0, 1)
array = cp.array(IMAGE)
mat = new_mat(IMAGE)
roi = cv2.cuda.GpuMat(mat, (3, 5, 30, 20))
ours = pixview.as_gpumat(array)
cpu = torch.from_numpy(IMAGE).permute(2, 0, 1)

DIRECTIONS = {
    "torch -> GpuMat": (pixview.as_gpumat, tensor),
    "torch planes -> GpuMat, copy": (pixview.as_gpumat, planes),
    "CuPy -> GpuMat": (pixview.as_gpumat, array),
    "GpuMat -> torch": (pixview.as_torch, mat),
    "GpuMat ROI -> torch": (pixview.as_torch, roi),
    "our GpuMat -> torch": (pixview.as_torch, ours),
    "GpuMat -> CuPy": (pixview.as_cupy, mat),
    "our GpuMat -> CuPy": (pixview.as_cupy, ours),
    "torch -> CuPy": (pixview.as_cupy, tensor),
    "CuPy -> torch": (pixview.as_torch, array),
    "GpuMat -> Image": (pixview.view, mat),
    "torch -> Image": (pixview.view, tensor),
    "NumPy -> torch": (pixview.as_torch, IMAGE),
    "torch -> NumPy": (pixview.as_numpy, cpu),
}


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def many(function, source, count):
    for _ in range(count):
        function(source)


@pytest.mark.parametrize("name", DIRECTIONS)
def test_memory_is_flat(name, capsys):
    function, source = DIRECTIONS[name]
    many(function, source, 5000)
    settle()
    before = resident(), free_memory(), torch.cuda.memory_allocated(), sys.getrefcount(source)
    blocks = sys.getallocatedblocks()
    gc.disable()
    start = time.perf_counter()
    for _ in range(10):
        many(function, source, COUNT // 10)
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    gc.enable()
    settle()
    after = resident(), free_memory(), torch.cuda.memory_allocated(), sys.getrefcount(source)
    with capsys.disabled():
        print(f"\n  {name:30} {seconds / COUNT * 1e9:7.0f} ns each", end="", flush=True)
    assert after[0] - before[0] < COUNT * 24, "host memory grew"
    assert before[1] - after[1] <= 4 << 20, "device memory grew"
    assert after[2] == before[2], "torch's memory grew"
    assert after[3] == before[3], "references to the source grew"
    assert sys.getallocatedblocks() - blocks < 500, "Python objects were left"


def test_a_frame_loop_is_flat():
    """Fresh memory each time, as in a pipeline: allocate, convert, work, drop."""
    pool = cp.get_default_memory_pool()

    def frame():
        uploaded = cv2.cuda.GpuMat()
        uploaded.upload(IMAGE)
        bright = pixview.as_torch(uploaded) // 2
        back = pixview.as_gpumat(bright)
        small = cv2.cuda.resize(back, (32, 24))
        return pixview.as_cupy(small).sum()

    for _ in range(200):
        frame()
    settle()
    before = resident(), free_memory(), torch.cuda.memory_allocated(), pool.used_bytes()
    for _ in range(3000):
        frame()
    settle()
    after = resident(), free_memory(), torch.cuda.memory_allocated(), pool.used_bytes()
    assert after[0] - before[0] < 3 << 20
    assert before[1] - after[1] <= 4 << 20
    assert after[2:] == before[2:]
    assert np.array_equal(mat.download(), IMAGE), "the sources were written"
