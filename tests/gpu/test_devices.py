# SPDX-License-Identifier: Apache-2.0
"""The device is the memory's own; the current one stays as it was."""

import contextlib
import ctypes
import os
import subprocess
import sys
import textwrap
import threading

import pytest

from .util import convert, cp, cv2, host, make, new_mat, np, pixels, pixview, torch

two_gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
IMAGE = pixels((30, 40, 3))


def current_devices():
    return torch.cuda.current_device(), cp.cuda.runtime.getDevice(), cv2.cuda.getDevice()


@contextlib.contextmanager
def current_gpu(gpu):
    """Of torch, CuPy and OpenCV for the block; gives what current_devices() says in it."""
    before = cv2.cuda.getDevice()
    try:
        with torch.cuda.device(gpu), cp.cuda.Device(gpu):
            cv2.cuda.setDevice(gpu)
            yield current_devices()
    finally:
        cv2.cuda.setDevice(before)


def conversions(torch_tensor, cupy_array, mat):
    """Every direction, as a view and as a copy."""
    for copy in (None, True):
        yield pixview.as_gpumat(torch_tensor, src_layout="HWC", copy=copy)
        yield pixview.as_gpumat(cupy_array, copy=copy)
        yield pixview.as_torch(mat, layout="HWC", copy=copy)
        yield pixview.as_torch(cupy_array, layout="HWC", copy=copy)
        yield pixview.as_cupy(mat, copy=copy)
        yield pixview.as_cupy(torch_tensor, src_layout="HWC", copy=copy)


def test_one_gpu():
    before = current_devices()
    sources = make("torch", IMAGE), make("cupy", IMAGE), new_mat(IMAGE)
    for result in conversions(*sources):
        np.testing.assert_array_equal(host(result, "uint8"), IMAGE)
        if isinstance(result, torch.Tensor):
            assert result.device == torch.device("cuda", 0)
        if isinstance(result, cp.ndarray):
            assert result.device.id == 0 and result.data.device_id == 0
        assert current_devices() == before
    for source in sources[1:]:
        assert pixview.view(source).device == ("cuda", 0)


@two_gpus
@pytest.mark.parametrize("current", [0, 1])
@pytest.mark.parametrize("where", [0, 1])
def test_two_gpus(current, where):
    with current_gpu(where):
        sources = make("torch", IMAGE), make("cupy", IMAGE), new_mat(IMAGE)
        torch.cuda.synchronize()
    with current_gpu(current) as before:
        for result in conversions(*sources):
            assert current_devices() == before
            if isinstance(result, torch.Tensor):
                assert result.device.index == where
            elif isinstance(result, cp.ndarray):
                assert result.device.id == where
            else:
                assert pixview.view(result).device == ("cuda", where)
                result = pixview.as_torch(result, layout="HWC")
            np.testing.assert_array_equal(host(result), IMAGE)
            del result
            assert current_devices() == before


def memory_of_every_kind():
    """Of the current GPU: what it is called, what has to stay alive, where it begins."""
    allocators = {
        "malloc": cp.cuda.alloc,
        "async pool": cp.cuda.MemoryAsyncPool().malloc,
        "managed": cp.cuda.malloc_managed,
        "managed, on the host": cp.cuda.malloc_managed,
    }
    for name, allocate in allocators.items():
        memory = allocate(IMAGE.nbytes)
        if name.endswith("host"):
            cp.cuda.runtime.deviceSynchronize()
            ctypes.memset(memory.ptr, 7, IMAGE.nbytes)
        yield name, memory, memory.ptr
    tensor = make("torch", IMAGE)
    yield "torch", tensor, tensor.data_ptr()
    mat = new_mat(IMAGE)
    yield "GpuMat", mat, mat.cudaPtr()


def on_a_fresh_thread(call):
    """Where no context is current."""
    out = []
    thread = threading.Thread(target=lambda: out.append(call()))
    thread.start()
    thread.join()
    return out[0]


@two_gpus
@pytest.mark.parametrize("current", [0, 1])
@pytest.mark.parametrize("where", [0, 1])
def test_the_gpu_of_an_address(current, where):
    with current_gpu(where):
        kinds = list(memory_of_every_kind())
        torch.cuda.synchronize()
    with current_gpu(current) as before:
        for name, _, ptr in kinds:

            def device_of(ptr=ptr):
                return pixview.from_pointer(ptr, IMAGE.shape, "uint8").device

            assert device_of() == ("cuda", where), name
            assert on_a_fresh_thread(device_of) == ("cuda", where), name
        assert current_devices() == before


@two_gpus
def test_an_address_of_no_gpu():
    """Host memory, pinned or not, and what was freed: the same error with a context and without."""
    pinned = torch.from_numpy(IMAGE).pin_memory()
    memory = cp.cuda.memory.Memory(1 << 26)  # not of a pool: really freed
    freed = memory.ptr
    del memory
    for name, ptr in {
        "host": IMAGE.ctypes.data,
        "pinned": pinned.data_ptr(),
        "freed": freed,
        "nobody's": 1 << 30,
    }.items():

        def ask(ptr=ptr):
            with pytest.raises(pixview.DeviceError, match="not GPU memory"):
                pixview.from_pointer(ptr, IMAGE.shape, "uint8")
            return True

        assert ask() and on_a_fresh_thread(ask), name


@two_gpus
def test_no_context_on_a_gpu_without_data():
    program = textwrap.dedent("""
        import ctypes
        import cv2, cupy, torch, pixview
        driver = ctypes.CDLL("libcuda.so.1")

        def context_on_gpu_0():
            flags, active = ctypes.c_uint(), ctypes.c_int()
            driver.cuDevicePrimaryCtxGetState(0, ctypes.byref(flags), ctypes.byref(active))
            return active.value

        cv2.cuda.setDevice(1)
        with torch.cuda.device(1), cupy.cuda.Device(1):
            x = torch.ones(30, 40, 3, device="cuda")
            cupy.ones(3).sum().get()
            before = context_on_gpu_0()
            mat = pixview.as_gpumat(x, src_layout="HWC")
            y = pixview.as_cupy(x, src_layout="HWC", copy=True)
            z = pixview.as_torch(pixview.as_gpumat(x.permute(2, 0, 1).contiguous()))
            del mat, y, z
            torch.cuda.synchronize()
            print(before, context_on_gpu_0())
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, env=os.environ
    )
    assert (done.returncode, done.stdout.strip()) == (0, "0 0"), done.stderr


@two_gpus
def test_copy_into_between_two_gpus_is_refused():
    a = torch.zeros(3, 4, 5, device="cuda:0")
    b = torch.zeros(3, 4, 5, device="cuda:1")
    with pytest.raises(pixview.DeviceError):
        pixview.copy_into(a, b)


def test_deleter_on_a_fresh_thread():
    """A thread that never touched CUDA may be the one that drops the last view."""
    image = pixels((30, 40, 3))
    piles = [
        [convert(new_mat(image), "torch"), convert(new_mat(image), "cupy")],
        [convert(make("torch", image), "gpumat"), convert(make("cupy", image), "gpumat")],
    ]
    for pile in piles:
        thread = threading.Thread(target=pile.clear)
        thread.start()
        thread.join()
        assert not pile
    again = convert(make("torch", image), "gpumat")
    np.testing.assert_array_equal(host(again, "uint8"), image)
