# SPDX-License-Identifier: Apache-2.0
"""The last count of a GpuMat's memory, where a view of pixview has it: on which GPU, without the GIL, and
not at the end of the process. In processes of their own: OpenCV's allocator frees by a function of
tests/c/fake_gpumat.c there."""

from __future__ import annotations

from typing import Any

import pytest
from support import check_python, facts, run_python

pytestmark = pytest.mark.cv2

START = """
import atexit, ctypes, os, sys
late = []
atexit.register(lambda: [f() for f in late])  # after pixview's own, which ends its work
import cv2, pixview
from support import address, consume, drop_on_unknown_thread, header, pitched, wrap
lib = ctypes.CDLL(os.environ["PIXVIEW_FAKE_DRIVER"])
lib.fake_register.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
lib.fake_gpumat_watch.argtypes = [ctypes.c_void_p]
lib.fake_gpumat_watch(ctypes.cast(ctypes.pythonapi.PyGILState_Check, ctypes.c_void_p))

def seen(name):
    return ctypes.c_int.in_dll(lib, "fake_gpumat_" + name).value

def take_over(allocator):
    global table
    vtable = ctypes.c_void_p.from_address(allocator)
    table = (ctypes.c_void_p * 4)(*(ctypes.c_void_p * 4).from_address(vtable.value))
    table[3] = ctypes.cast(lib.fake_gpumat_free, ctypes.c_void_p).value
    vtable.value = ctypes.addressof(table)

kept = []
def counted(device):
    "A GpuMat with a count and OpenCV's own allocator, as after create()."
    a, count = pitched(4, 5), ctypes.c_int(1)
    kept.extend([a, count])
    lib.fake_register(address(a), 4 * a.strides[0], device)
    g = wrap(cv2, a)
    header(g).refcount = ctypes.pointer(count)
    return g, count

g, count = counted(DEVICE)
take_over(header(g).allocator)
v = pixview.view(g)
assert v.device == ("cuda", DEVICE) and count.value == 2
del g
assert (seen("frees"), count.value) == (0, 1)
"""


@pytest.fixture
def counting(cv2: Any) -> None:
    if facts(cv2)["own"] != "native":
        pytest.skip("this OpenCV was built without CUDA: its GpuMats have no memory of their own")


def script(device: int, end: str) -> str:
    return START.replace("DEVICE", str(device)) + end


@pytest.mark.parametrize("device", [0, 1])
def test_freed_on_its_gpu_without_the_gil(fake: Any, counting: None, device: int) -> None:
    check_python(
        script(
            device,
            f"""
del v
assert (seen("frees"), seen("freed_on"), seen("freed_locked")) == (1, {device}, 0)
g, count = counted({device})
taken = consume(pixview.view(g).__dlpack__())
del g
assert (seen("frees"), count.value) == (1, 1)
drop_on_unknown_thread(taken)
assert (seen("frees"), seen("freed_on"), seen("freed_locked")) == (2, {device}, 0)
""",
        ),
        FAKE_CUDA_DEVICES="2",
    )


def test_not_freed_when_the_process_ends(fake: Any, counting: None) -> None:
    """OpenCV's allocator may be gone."""
    done = run_python(
        script(
            0,
            """
def drop():
    global v
    del v
    os._exit(17 if (seen("frees"), count.value) == (0, 1) else 1)
late.append(drop)
""",
        )
    )
    assert (done.returncode, done.stderr) == (17, "")
