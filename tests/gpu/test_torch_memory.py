# SPDX-License-Identifier: Apache-2.0
"""Copies of torch tensors into memory of torch's allocator, which no tensor holds."""

import subprocess
import sys
import threading

import pytest

from .util import cv2, np, pixels, pixview, torch

SHAPE = (270, 481, 3)


@pytest.fixture
def planes():
    image = pixels(SHAPE)
    tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).cuda()
    pixview.as_gpumat(tensor)  # the first memory comes with a tensor around it
    if not pixview._core._doctor()["torch_memory"]:
        pytest.skip(f"torch {torch.__version__} has no functions for memory alone")
    return image, tensor


def test_is_counted_and_goes_back(planes):
    image, tensor = planes
    before = torch.cuda.memory_allocated()
    mat = pixview.as_gpumat(tensor)
    assert torch.cuda.memory_allocated() - before >= image.size
    roi = cv2.cuda.GpuMat(mat, (3, 5, 64, 32))
    del mat
    assert torch.cuda.memory_allocated() > before
    np.testing.assert_array_equal(roi.download(), image[5:37, 3:67])
    box = [roi]
    del roi
    dropper = threading.Thread(target=box.clear)
    dropper.start()
    dropper.join()
    assert torch.cuda.memory_allocated() == before


def test_belongs_to_the_current_stream(planes):
    """As torch.empty's: what is freed is used again on that stream, and on no other."""
    image, tensor = planes
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    with torch.cuda.stream(side):
        mat = pixview.as_gpumat(tensor, stream=side)
        at, size = mat.cudaPtr(), mat.step * SHAPE[0]
        side.synchronize()
        np.testing.assert_array_equal(mat.download(), image)
        del mat
    other = torch.empty(size, dtype=torch.uint8, device="cuda")
    assert other.data_ptr() != at
    with torch.cuda.stream(side):
        assert torch.empty(size, dtype=torch.uint8, device="cuda").data_ptr() == at


def test_waits_for_the_stream_that_used_it(planes):
    """Freed on its own stream only after the work of the stream that the GpuMat is used on."""
    image, tensor = planes
    side, size = torch.cuda.Stream(), int(np.prod(SHAPE))
    side.wait_stream(torch.cuda.current_stream())
    for _ in range(50):
        mat = pixview.as_gpumat(tensor, stream=side)
        with torch.cuda.stream(side):
            torch.cuda._sleep(2_000_000)
            seen = pixview.as_torch(mat, stream=side).clone()
        del mat
        torch.empty(size, dtype=torch.uint8, device="cuda").fill_(7)  # the same memory
        side.synchronize()
        np.testing.assert_array_equal(seen.permute(1, 2, 0).cpu().numpy(), image)


@pytest.mark.parametrize("mode", ["global", "thread_local", "relaxed"])
def test_in_a_capture_it_is_of_the_graphs_pool(planes, mode):
    image, static = planes
    before = pixview.as_gpumat(static)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode=mode):
        mat = pixview.as_gpumat(static)
        result = pixview.as_torch(mat) + 1
        at = mat.cudaPtr()
        del mat, before  # of the capture, and from before it
    others = [torch.empty(image.size, dtype=torch.uint8, device="cuda") for _ in range(20)]
    assert at not in [other.data_ptr() for other in others]  # kept for the replay
    for seed in (1, 2):
        image = pixels(SHAPE, seed=seed) % 100
        static.copy_(torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))))
        graph.replay()
        torch.cuda.synchronize()
        np.testing.assert_array_equal(result.permute(1, 2, 0).cpu().numpy(), image + 1)


def test_a_pool_of_the_user(planes):
    image, tensor = planes
    pool = torch.cuda.MemPool()
    with torch.cuda.use_mem_pool(pool):
        mat = pixview.as_gpumat(tensor)
    at = mat.cudaPtr()
    assert any(s["address"] <= at < s["address"] + s["total_size"] for s in pool.snapshot())
    np.testing.assert_array_equal(mat.download(), image)


def test_no_memory_is_said_by_torch(planes):
    total = torch.cuda.get_device_properties(0).total_memory
    small = torch.zeros((1, 1, 1), dtype=torch.uint8, device="cuda")
    before = torch.cuda.memory_allocated()
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + (8 << 20)) / total)
    try:
        with pytest.raises((MemoryError, torch.cuda.OutOfMemoryError), match="memory"):
            pixview.as_gpumat(small.expand(3, 8000, 8000))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert torch.cuda.memory_allocated() == before
    pixview.as_gpumat(planes[1])


def test_at_exit():
    """Memory that lives until the end, and a first copy before torch has its allocator."""
    source = """
import builtins, cv2, numpy as np, pixview, torch
mat = cv2.cuda.GpuMat(40, 50, cv2.CV_8UC3)
tensor = pixview.as_torch(mat)
builtins.kept = [pixview.as_gpumat(tensor, copy=True) for _ in range(3)]
builtins.kept.append(pixview.view(tensor, copy=True))
"""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", source], capture_output=True, text=True
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
