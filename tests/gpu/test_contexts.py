# SPDX-License-Identifier: Apache-2.0
"""Where CUDA is not used as torch uses it: other contexts, per-thread streams, forks, foreign threads."""

import ctypes
import subprocess
import sys

import pytest

from .util import busy, cp, host, np, pixels, pixview, settle, torch

SHAPE = (60, 80, 3)
IMAGE = pixels(SHAPE)
PER_THREAD = 2
two_gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")


class Driver:
    """libcuda without a wrapper; each call is checked."""

    def __init__(self):
        self.library = ctypes.CDLL("libcuda.so.1")

    def __getattr__(self, name):
        def call(*arguments):
            assert getattr(self.library, name)(*arguments) == 0, name

        return call


@pytest.fixture
def driver():
    torch.zeros(1, device="cuda")  # its context is current
    return Driver()


@pytest.fixture
def other(driver):
    """A context that is not the primary one, current nowhere, and the image in its memory."""
    context, address = ctypes.c_void_p(), ctypes.c_uint64()
    try:
        driver.cuCtxCreate_v2(ctypes.byref(context), 0, 0)
    except AttributeError:  # CUDA 13 keeps only the newest
        driver.cuCtxCreate_v4(ctypes.byref(context), None, 0, 0)
    driver.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(IMAGE.nbytes))
    pointer = ctypes.c_void_p(IMAGE.ctypes.data)
    driver.cuMemcpyHtoD_v2(address, pointer, ctypes.c_size_t(IMAGE.nbytes))
    driver.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
    yield context, address.value
    torch.cuda.synchronize()
    driver.cuCtxDestroy_v2(context)


def current_context(driver):
    context = ctypes.c_void_p()
    driver.cuCtxGetCurrent(ctypes.byref(context))
    return context.value


def test_memory_of_another_context(driver, other):
    """Seen on one GPU: its addresses are good in the primary context too."""
    before, (_, address) = current_context(driver), other
    view = pixview.from_pointer(address, SHAPE, "uint8", device=0)
    np.testing.assert_array_equal(pixview.as_numpy(view, copy=True), IMAGE)
    np.testing.assert_array_equal(host(pixview.as_torch(view, layout="HWC", copy=True)), IMAGE)
    np.testing.assert_array_equal(host(pixview.as_cupy(view, copy=True)), IMAGE)
    np.testing.assert_array_equal(host(pixview.as_gpumat(view), "uint8"), IMAGE)
    batch = pixview.stack([view, view], to="torch", layout="NHWC")
    np.testing.assert_array_equal(host(batch), np.stack([IMAGE, IMAGE]))
    assert current_context(driver) == before
    del view, batch
    settle()
    assert int(torch.ones(4, device="cuda").sum()) == 4


def test_a_call_with_another_context_current(driver, other):
    """PyCUDA and FFmpeg leave theirs current: the call works in the primary one and puts theirs back."""
    tensor, context = torch.from_numpy(IMAGE).cuda(), other[0]
    torch.cuda.synchronize()
    driver.cuCtxPushCurrent_v2(context)
    try:
        view = pixview.view(tensor, src_layout="HWC", layout="HWC")
        found = pixview.as_numpy(view, copy=True)
        copy = pixview.view(view, copy=True)
        again = pixview.as_numpy(copy, copy=True)
        del view, copy
        assert current_context(driver) == context.value
    finally:
        driver.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
    np.testing.assert_array_equal(found, IMAGE)
    np.testing.assert_array_equal(again, IMAGE)


@pytest.mark.alone
def test_per_thread_default_stream():
    """CuPy's per-thread stream as producer and as consumer: late pixels arrive, early drops are safe."""
    with cp.cuda.Stream.ptds:
        array = cp.full(SHAPE, 1, cp.uint8)
    side = torch.cuda.Stream()
    for value in range(2, 8):
        torch.cuda.synchronize()
        with cp.cuda.Stream.ptds:
            busy(torch.cuda.ExternalStream(PER_THREAD), 10)
            array.fill(value)
            with torch.cuda.stream(side):
                view = pixview.as_torch(array, layout="HWC")
        with torch.cuda.stream(side):
            busy(side, 10)
            out = view + 0
        del view
        with cp.cuda.Stream.ptds:
            array.fill(99)  # waits for the consumer, whose view is gone
        torch.cuda.synchronize()
        assert bool((out == value).all()) and bool((array == 99).all())
    assert pixview.stream_of(pixview.view(array, stream=PER_THREAD)) == PER_THREAD


def c_deleter(capsule):
    """The deleter of a DLPack capsule and its argument, taken as a consumer in C takes them."""
    python = ctypes.pythonapi
    python.PyCapsule_GetPointer.restype = ctypes.c_void_p
    python.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    python.PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]
    managed = python.PyCapsule_GetPointer(capsule, b"dltensor")
    python.PyCapsule_SetName(capsule, b"used_dltensor")
    return ctypes.c_void_p.from_address(managed + 56).value, managed  # after DLTensor, manager_ctx


def call_on_foreign_thread(function, argument):
    """On a thread that the interpreter has never seen: no callback of ctypes, which would introduce it."""
    create, join = ctypes.CDLL(None).pthread_create, ctypes.CDLL(None).pthread_join
    create.argtypes, join.argtypes = [ctypes.c_void_p] * 4, [ctypes.c_ulong, ctypes.c_void_p]
    thread = ctypes.c_ulong()
    assert create(ctypes.addressof(thread), None, function, argument) == 0
    assert join(thread, None) == 0


@pytest.mark.alone
@pytest.mark.parametrize("kind", ["torch", "cupy"])
def test_a_drop_on_a_thread_that_python_never_saw(kind):
    """It orders the release like any other, and the memory is given back."""
    side = torch.cuda.Stream()
    for value in range(1, 6):
        if kind == "torch":
            source = torch.full(SHAPE, value, dtype=torch.uint8, device="cuda")
        else:
            source = cp.full(SHAPE, value, cp.uint8)
        layout = {"src_layout": "HWC"} if kind == "torch" else {}
        torch.cuda.synchronize()
        image = pixview.view(source, **layout)
        with torch.cuda.stream(side):  # current: else an int would be used in the call and not kept
            capsule = image.__dlpack__(stream=side.cuda_stream)
        deleter, managed = c_deleter(capsule)
        seen = pixview.as_torch(image, layout="HWC")  # the same pixels, read on the other stream
        with torch.cuda.stream(side):
            busy(side, 10)
            out = seen + 0
        del seen, image, capsule
        call_on_foreign_thread(deleter, managed)
        pixview.view(np.zeros((2, 2), np.uint8))  # what could not be given up without the GIL
        source.fill_(99) if kind == "torch" else source.fill(99)
        torch.cuda.synchronize()
        assert bool((out == value).all())
    del source
    settle()


FORK = """if True:
    import os, sys, numpy as np, torch, pixview
    first = {first!r}
    tensor = torch.full((60, 80, 3), 7, dtype=torch.uint8, device="cuda")
    kept = []
    if first != "torch":
        kept = [pixview.view(tensor, src_layout="HWC"), pixview.as_cupy(tensor, src_layout="HWC")]
    torch.cuda.synchronize()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            kept.clear()  # nothing may touch the driver here
            host = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
            assert (pixview.as_numpy(pixview.view(host, copy=True)) == host).all()
            try:
                pixview.view(tensor, src_layout="HWC", copy=True)
            except Exception as error:  # pixview's, or torch's own: both see the fork
                print("child:", repr(error), flush=True)
                status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    view = pixview.view(tensor, src_layout="HWC")
    assert (pixview.as_numpy(view, copy=True) == 7).all()
    print("parent: right", flush=True)
"""


@pytest.mark.parametrize("first", ["pixview", "torch"])
def test_fork(first):
    """The child's GPU calls raise, its host calls work, and the parent does not notice."""
    code = FORK.format(first=first)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "parent: right" in run.stdout and "child: " in run.stdout


def test_doctor():
    """It names the GPU, and says that the kernels load and that all of OpenCV, torch and CuPy works."""
    command = [sys.executable, "-m", "pixview", "doctor"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    name = torch.cuda.get_device_name().removeprefix("NVIDIA ")
    assert name in run.stdout
    assert "on the GPU GpuMat <-> torch <-> CuPy <-> DLPack" in run.stdout, run.stdout
    assert "views only" not in run.stdout


@two_gpus
def test_a_stream_of_another_gpu():
    tensor = torch.from_numpy(IMAGE).to("cuda:1")
    image = pixview.view(tensor, src_layout="HWC")
    for stream in (torch.cuda.Stream("cuda:0"), torch.cuda.Stream("cuda:0").cuda_stream):
        with pytest.raises(pixview.DeviceError):
            pixview.view(tensor, src_layout="HWC", stream=stream)
        with pytest.raises(pixview.DeviceError):
            pixview.view(image, stream=stream)
    np.testing.assert_array_equal(pixview.as_numpy(image, copy=True), IMAGE)
