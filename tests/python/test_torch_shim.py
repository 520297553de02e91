# SPDX-License-Identifier: Apache-2.0
"""What pixview takes from torch's C shim, with a stand-in for it: tests/c/fake_torch.c."""

from __future__ import annotations

from typing import Any

import pytest
from support import check_fork

pytestmark = pytest.mark.cv2

START = """
import atexit, ctypes, os, threading
at_last = []
atexit.register(lambda: [f() for f in at_last])  # after pixview's own
os.environ["FAKE_CUDA_DEVICES"] = "{devices}"
driver = ctypes.CDLL(os.environ["PIXVIEW_FAKE_DRIVER"])
shim = ctypes.CDLL(os.path.join(os.path.dirname(driver._name), "libtorch_cuda.so"))
import cv2, numpy as np, pixview, torch
from support import drain, image
a = image(3, 40, 50)
driver.fake_register(ctypes.c_void_p(a.ctypes.data), ctypes.c_size_t(a.nbytes), {on})
t = pixview.as_torch(pixview.from_pointer(a.ctypes.data, a.shape, "uint8", layout="CHW", device={on}))
def seen(name): return ctypes.c_int32.in_dll(shim, "fake_torch_" + name).value
def set_stream(value): ctypes.c_int64.in_dll(shim, "fake_torch_stream").value = value
def asked(): return ctypes.c_int64.in_dll(shim, "fake_torch_asked").value
def set(name, value): ctypes.c_int32.in_dll(shim, "fake_torch_" + name).value = value
def refused(what):
    try:
        what(t)
    except (MemoryError, RuntimeError):  # a torch without CUDA has no memory of a GPU
        assert seen("given") == 0
    else:
        raise AssertionError("torch gave it")
"""


def run(source: str, devices: int = 1, on: int = 0) -> None:
    check_fork(START.format(devices=devices, on=on) + source)


def test_bytes_without_a_tensor(fake: Any, torch: Any, cv2: Any, kernels: None) -> None:
    run("""
pixview._core._force(torch_memory=True)
for what in (pixview.as_gpumat, lambda x: pixview.view(x, copy=True)):
    given = seen("given")
    made = what(t)
    assert (seen("given"), seen("back")) == (given + 1, given)
    n = pixview.as_numpy(made, copy=True)
    assert (n == a.transpose(1, 2, 0)).all() or (n == a).all()
    del made
    assert seen("back") == given + 1
""")


def test_no_more_driver_calls_than_the_launch_needs(
    fake: Any, torch: Any, cv2: Any, kernels: None
) -> None:
    run("""
driver.fake_calls.restype = ctypes.c_char_p
pixview._core._force(torch_memory=True)
driver.fake_set_current_device(0)
pixview.as_gpumat(t)
driver.fake_reset()
pixview.as_gpumat(t)
calls = driver.fake_calls().decode().split()
assert calls == ["cuCtxGetCurrent", "cuCtxGetId", "cuStreamIsCapturing", "cuLaunchKernel"], calls
""")


def test_the_first_comes_from_torch_itself(fake: Any, torch: Any, cv2: Any, kernels: None) -> None:
    """The shim fails loudly before torch has set its allocator up."""
    run("refused(pixview.as_gpumat)")


def test_when_the_shim_has_none_torch_says_why(
    fake: Any, torch: Any, cv2: Any, kernels: None
) -> None:
    run("""
pixview._core._force(torch_memory=True)
set("full", 1)
refused(pixview.as_gpumat)
""")


@pytest.mark.parametrize("current", [0, 1])
def test_another_gpu_is_current(
    fake: Any, torch: Any, cv2: Any, kernels: None, current: int
) -> None:
    """The shim allocates on torch's current GPU, so only there."""
    run(
        f"""
pixview._core._force(torch_memory=True)
set("device", {current})
if {current} == 1:
    pixview.as_gpumat(t)
    assert seen("given") == 1
else:
    refused(pixview.as_gpumat)
""",
        devices=2,
        on=1,
    )


def test_goes_back_once_and_on_any_thread(fake: Any, torch: Any, cv2: Any, kernels: None) -> None:
    run("""
pixview._core._force(torch_memory=True)
mat = pixview.as_gpumat(t)
counted = pixview._core._doctor()["gpumat"]["own"] == "native"
roi = cv2.cuda.GpuMat(mat, (1, 2, 3, 4)) if counted else mat
del mat
assert seen("back") == 0
dropper = threading.Thread(target=lambda: globals().pop("roi"))
dropper.start(), dropper.join()
assert seen("back") == 1
""")


def test_neither_a_forked_child_nor_an_ending_process_gives_it_back(
    fake: Any, torch: Any, cv2: Any, kernels: None
) -> None:
    run("""
pixview._core._force(torch_memory=True)
mat = pixview.as_gpumat(t)
def drop():
    global mat
    del mat
    os._exit(seen("back"))
child = os.fork()
if child == 0:
    drop()
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
at_last.append(drop)
""")


def test_the_current_stream(fake: Any, torch: Any, cv2: Any) -> None:
    """Of both ends: torch's own work is ordered with what is on another stream."""
    run("""
driver.fake_calls.restype = ctypes.c_char_p
driver.fake_stream.restype = ctypes.c_uint64
def calls():
    driver.fake_reset()
    before = asked()
    pixview.as_torch(mat)
    assert asked() == before + 1
    to_torch = driver.fake_calls().decode().split()
    driver.fake_reset()
    pixview.as_gpumat(t)
    return to_torch, driver.fake_calls().decode().split()
t = pixview.as_torch(pixview.from_pointer(a.ctypes.data, (40, 50, 3), "uint8", device=0))
mat = pixview.as_gpumat(t)
pixview.as_torch(mat)  # the first asks for the context
assert calls() == ([], [])
class Pooled: cuda_stream, stream_id = driver.fake_stream(0), 3
torch.cuda.current_stream = lambda device: Pooled
set_stream(Pooled.cuda_stream)
for found in calls():
    assert found.count("cuEventRecord") == found.count("cuStreamWaitEvent") == 2, found
set_stream(-1)  # then the table says it: the legacy one
assert calls() == ([], [])
""")


def test_a_wrapped_stream_is_not_stored(fake: Any, torch: Any, cv2: Any) -> None:
    """torch.cuda.ExternalStream can be the current one, and die before the view. Its id is its handle."""
    run("""
driver.fake_stream.restype = ctypes.c_uint64
driver.fake_destroy_stream.argtypes = [ctypes.c_uint64]
made = []
t = pixview.as_torch(pixview.from_pointer(a.ctypes.data, (40, 50, 3), "uint8", device=0))
mat = pixview.as_gpumat(t)
for owned in (True, False, True, False):
    class Current:
        cuda_stream = driver.fake_stream(0)
        stream_id = 3 if owned else cuda_stream
    torch.cuda.current_stream = lambda device: Current
    set_stream(Current.cuda_stream)
    made += [pixview.as_torch(mat), pixview.as_gpumat(t), pixview.view(t), pixview.view(t).__dlpack__(stream=1)]
    assert pixview.stream_of(made[-2]) == (Current.cuda_stream if owned else 0)
    if not owned:
        driver.fake_destroy_stream(Current.cuda_stream)
set_stream(0)
views = [pixview.view(x, stream=1) for x in made if isinstance(x, pixview.Image)]
del made, views
drain()
assert driver.fake_dead_uses() == 0
""")
