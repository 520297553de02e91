# SPDX-License-Identifier: Apache-2.0
"""Device memory without a GPU: the fake driver, CPU torch's exchange table, CuPy over any pointer."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pixview
import pytest
from support import (
    CPU,
    CUDA,
    IS_COPIED,
    MANAGED,
    READ_ONLY,
    Dlpack,
    StreamDlpack,
    address,
    byte_strides,
    call_deleter,
    check_fork,
    check_python,
    consume,
    cuda_array_interface,
    eventually,
    image,
    pitched,
)


def cupy_array(cupy: Any, a: np.ndarray[Any, Any], device: int = 0) -> Any:
    """A CuPy array over the memory of a."""
    memory = cupy.cuda.UnownedMemory(a.ctypes.data, a.nbytes, a, device)
    return cupy.ndarray(a.shape, a.dtype, cupy.cuda.MemoryPointer(memory, 0), strides=a.strides)


# ---- from_pointer and where memory is ----


@pytest.mark.parametrize("device", [None, 0, "cuda", "cuda:0", ("cuda", 0)])
def test_devices_by_every_name(fake: Any, device: Any) -> None:
    v = fake.image(image(4, 5, 3), device=device)
    assert v.device == ("cuda", 0)
    assert v.__dlpack_device__() == (CUDA, 0)
    assert "cuda" in repr(v)


@pytest.mark.parametrize("device", [7, "cuda:7", ("cuda", 7)])
def test_a_gpu_that_is_not_there(fake: Any, device: Any) -> None:
    a = fake.register(image(4, 5, 3))
    with pytest.raises((pixview.DeviceError, pixview.CudaError), match="7"):
        v = pixview.from_pointer(address(a), a.shape, "uint8", device=device, owner=a)
        pixview.as_numpy(v, copy=True)


# ---- views ----


def test_as_torch_makes_a_cuda_tensor(fake: Any, torch: Any) -> None:
    a = image(4, 5, 3, dtype="float32")
    v = fake.image(a)
    t = pixview.as_torch(v)
    assert t.device == torch.device("cuda", 0) and t.dtype == torch.float32
    assert tuple(t.shape) == (3, 4, 5) and byte_strides(t) == (4, 60, 12)
    assert t.data_ptr() == address(a)
    back = pixview.view(t)
    assert back.device == ("cuda", 0) and back.layout == "CHW" and address(back) == address(a)
    assert pixview.as_torch(t) is t


def test_as_cupy_makes_a_cupy_array(fake: Any, cupy: Any) -> None:
    a = pitched(4, 5, dtype="int16")
    c = pixview.as_cupy(fake.image(a))
    assert type(c) is cupy.ndarray
    assert c.shape == a.shape and c.strides == a.strides and c.dtype == a.dtype
    assert c.data.ptr == address(a) and c.data.device_id == 0
    assert pixview.as_cupy(c) is c
    back = pixview.view(c)
    assert (back.layout, back.strides, address(back)) == ("HWC", a.strides, address(a))


def test_cupy_and_torch(fake: Any, cupy: Any, torch: Any) -> None:
    a = fake.register(image(4, 5, 3))
    t = pixview.as_torch(cupy_array(cupy, a))
    assert tuple(t.shape) == (3, 4, 5) and t.data_ptr() == address(a)
    c = pixview.as_cupy(t)
    assert c.shape == (4, 5, 3) and c.strides == a.strides and c.data.ptr == address(a)


def test_cupy_slices_transposes_and_flips(fake: Any, cupy: Any, torch: Any) -> None:
    a = fake.register(image(10, 20, 3))
    c = cupy_array(cupy, a)
    for index in (np.s_[2:7, 3:9], np.s_[::2], np.s_[:, ::-1]):
        v = pixview.view(c[index])
        assert v.shape == a[index].shape and v.strides == a[index].strides
        assert address(v) == address(a[index])
    assert pixview.as_torch(c[2:7, 3:9]).data_ptr() == address(a[2:7, 3:9])
    assert pixview.view(c.transpose(2, 0, 1), src_layout="CHW").strides == (1, 60, 3)
    assert pixview.plan(c[:, ::-1], "torch").kind == "copy"


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "uint16", "float16", "float64", "int64", "complex64"]
)
def test_dtypes(fake: Any, cupy: Any, torch: Any, dtype: str) -> None:
    v = fake.image(image(4, 5, 3, dtype=dtype))
    t, c = pixview.as_torch(v), pixview.as_cupy(v)
    assert t.dtype == getattr(torch, dtype) and c.dtype == np.dtype(dtype)
    assert pixview.view(t).dtype == pixview.view(c).dtype == np.dtype(dtype)


def test_bfloat16(fake: Any, cupy: Any, torch: Any) -> None:
    a = fake.register(image(4, 5, 3, dtype="uint16"))
    v = pixview.from_pointer(address(a), a.shape, "bfloat16", device=0, owner=a)
    t = pixview.as_torch(v)
    assert t.dtype == torch.bfloat16 and pixview.view(t).dtype == "bfloat16"


def test_empty_images(fake: Any, cupy: Any, torch: Any) -> None:
    v = pixview.from_pointer(0, (0, 5, 3), "uint8", device=0)
    assert pixview.as_cupy(v).shape == (0, 5, 3)
    assert pixview.as_numpy(v, copy=True).shape == (0, 5, 3)


def test_dlpack_producers_on_the_gpu(fake: Any, cupy: Any, torch: Any) -> None:
    a = fake.register(image(4, 5, 3))
    for device in ((CUDA, 0), (MANAGED, 0)):
        p = Dlpack(a, device=device)
        t = pixview.as_torch(p)
        assert t.is_cuda and t.data_ptr() == address(a)
        assert p.asked[-1]["stream"] == 1
        del t
        assert p.settled()
    old = StreamDlpack(a, device=(CUDA, 0), versioned=False)
    cupy.streams.ptr = fake.stream
    c = pixview.as_cupy(old)
    assert old.asked == [{"stream": fake.stream}] and c.data.ptr == address(a)
    readonly = Dlpack(a, device=(CUDA, 0), flags=READ_ONLY)
    with pytest.raises(pixview.ReadOnlyError):
        pixview.as_cupy(readonly, copy=False)
    del c
    assert old.settled() and readonly.settled()


# ---- no driver call for a view, one launch for a copy ----


def test_views_make_no_driver_call(fake: Any, cupy: Any, torch: Any) -> None:
    a = image(4, 5, 3)
    v = fake.image(a)
    t, c = pixview.as_torch(v), pixview.as_cupy(v)
    x = cuda_array_interface(a)
    fake.reset()
    for source in (v, t, c, x):
        for call in (pixview.as_torch, pixview.as_cupy, pixview.view):
            made = call(source)
            assert fake.calls() == "", (type(source), call)
            del made
            assert fake.calls() == "", (type(source), call)
        assert pixview.plan(source, "torch").kind == "view"
    pixview.from_pointer(address(a), a.shape, "uint8", device=0, owner=a)
    assert fake.calls() == ""


def test_different_streams_are_ordered_by_one_record_and_one_wait(
    fake: Any, cupy: Any, torch: Any
) -> None:
    v = fake.image(image(4, 5, 3), stream=fake.stream)
    pixview.as_cupy(v)
    eventually(lambda: True)
    fake.reset()
    c = pixview.as_cupy(v)
    assert fake.work() == ["record", "wait"]
    del c
    fake.reset()
    cupy.streams.ptr = fake.stream
    made = pixview.as_cupy(v)
    assert fake.calls() == ""
    del made
    assert fake.calls() == ""


def test_minus_one_means_no_ordering(fake: Any, cupy: Any, torch: Any) -> None:
    v = fake.image(image(4, 5, 3), stream=-1)
    cupy.streams.ptr = fake.stream
    pixview.as_cupy(v)
    fake.reset()
    made = pixview.as_cupy(v)
    assert fake.calls() == ""
    del made


def test_stream_where_both_ends_have_one_is_an_error(fake: Any, cupy: Any, torch: Any) -> None:
    a = fake.register(image(4, 5, 3))
    c = cupy_array(cupy, a)
    t = pixview.as_torch(c)
    for call, x in ((pixview.as_torch, c), (pixview.as_cupy, t), (pixview.as_torch, t.detach())):
        with pytest.raises(ValueError, match="stream"):
            call(x, stream=0)


class Handle:
    def __init__(self, handle: int) -> None:
        self.handle = handle

    def __cuda_stream__(self) -> tuple[int, int]:
        return (0, self.handle)


class Attribute:
    """As a stream of torch or of CuPy."""

    def __init__(self, name: str, handle: Any) -> None:
        setattr(self, name, handle)


def test_streams_of_every_kind(fake: Any, cupy: Any) -> None:
    a = fake.register(image(4, 5, 3))
    cupy.streams.ptr = handle = fake.stream
    for stream in (
        handle,
        np.int64(handle),
        Handle(handle),
        Attribute("ptr", handle),
        Attribute("cuda_stream", handle),
    ):
        v = pixview.from_pointer(address(a), a.shape, "uint8", device=0, owner=a, stream=stream)
        pixview.as_cupy(v)
        fake.reset()
        made = pixview.as_cupy(v)
        assert fake.calls() == "", stream
        del made
    for bad in ("x", 1.5, object(), [], Attribute("ptr", "x")):
        with pytest.raises(TypeError):
            pixview.from_pointer(address(a), a.shape, "uint8", device=0, stream=bad)
    for bad in (-2, -(2**70), 2**64):
        with pytest.raises((ValueError, OverflowError)):
            pixview.from_pointer(address(a), a.shape, "uint8", device=0, stream=bad)


# ---- host and device do not mix by themselves ----


def test_the_error_names_the_call_to_use(fake: Any, cupy: Any, torch: Any) -> None:
    a = image(4, 5, 3)
    v = fake.image(image(4, 5, 3))
    t = pixview.as_torch(v)
    for x in (v, t, pixview.as_cupy(v), cuda_array_interface(np.asarray(v.owner))):
        for copy in (None, False):
            with pytest.raises(pixview.DeviceError, match="copy=True"):
                pixview.as_numpy(x, copy=copy)
    for x in (a, torch.zeros(3, 4, 5), pixview.view(a)):
        for copy in (None, False):
            with pytest.raises(pixview.DeviceError, match="copy=True"):
                pixview.as_cupy(x, copy=copy)
    assert pixview.as_torch(a).device.type == "cpu"


def test_numpy_does_not_look_at_device_memory(fake: Any) -> None:
    v = fake.image(image(4, 5, 3))
    for call in (np.asarray, np.array, lambda x: x.__array__()):
        with pytest.raises(pixview.DeviceError, match="as_numpy"):
            call(v)
    with pytest.raises(BufferError):
        memoryview(v)
    with pytest.raises((BufferError, RuntimeError, ValueError)):
        np.from_dlpack(v)
    assert not hasattr(v, "__array_interface__")


def test_cuda_array_interface_of_an_image(fake: Any) -> None:
    a = pitched(4, 5)
    v = fake.image(a)
    interface = v.__cuda_array_interface__
    assert interface["version"] == 3 and interface["shape"] == a.shape
    assert interface["strides"] == a.strides and interface["typestr"] == "|u1"
    assert interface["data"] == (address(a), False) and interface["stream"] == 1
    assert fake.image(a, readonly=True).__cuda_array_interface__["data"][1] is True
    assert fake.image(a, stream=fake.stream).__cuda_array_interface__["stream"] == fake.stream
    empty = pixview.from_pointer(0, (0, 5, 3), "uint8", device=0)
    assert empty.__cuda_array_interface__["data"][0] == 0


def test_dlpack_of_an_image(fake: Any) -> None:
    a = pitched(4, 5)
    v = fake.image(a)
    for keywords in (
        {},
        {"stream": 1},
        {"stream": -1},
        {"stream": None},
        {"max_version": (1, 0), "stream": 1},
    ):
        managed = consume(v.__dlpack__(**keywords))
        t = managed.tensor
        assert (t.device_type, t.device_id, t.data) == (CUDA, 0, address(a))
        assert t.strides[: t.ndim] == list(a.strides)
        call_deleter(managed)
    consumed = consume(v.__dlpack__(1))
    call_deleter(consumed)
    for stream in (0, -2, 2**64 - 1, 2**64):
        with pytest.raises(ValueError, match="stream="):
            v.__dlpack__(stream=stream)
    with pytest.raises(TypeError):
        v.__dlpack__(stream="1")
    with pytest.raises(BufferError):
        v.__dlpack__(dl_device=(CUDA, 5))


@pytest.mark.parametrize("versioned", [True, False])
@pytest.mark.parametrize("copy", [None, True])
def test_dlpack_of_an_image_to_the_host(fake: Any, copy: Any, versioned: bool) -> None:
    a = pitched(4, 5)
    v = fake.image(a, stream=fake.stream)
    version = (1, 0) if versioned else None
    fake.reset()
    managed = consume(v.__dlpack__(max_version=version, dl_device=(CPU, 0), copy=copy))
    assert "sync" in fake.work()
    t = managed.tensor
    assert (t.device_type, t.device_id) == (CPU, 0) and t.data != address(a)
    assert ctypes.string_at(t.data, a.size) == a.tobytes()
    if versioned:
        assert managed.flags == IS_COPIED
    call_deleter(managed)
    with pytest.raises(BufferError, match="copy=False"):
        v.__dlpack__(dl_device=(CPU, 0), copy=False)
    # torch before 2.13 names its stream as well; the download has waited.
    named = consume(v.__dlpack__(dl_device=(CPU, 0), stream=fake.stream))
    assert ctypes.string_at(named.tensor.data, a.size) == a.tobytes()
    call_deleter(named)


def test_dlpack_copies_on_the_device(fake: Any, kernels: None) -> None:
    a = pitched(4, 5)
    v = fake.image(a)
    managed = consume(v.__dlpack__(stream=1, max_version=(1, 0), copy=True))
    assert managed.flags == IS_COPIED and managed.tensor.data != address(a)
    assert managed.tensor.device_type == CUDA
    call_deleter(managed)
    managed = consume(v.__dlpack__(stream=1, max_version=(1, 0), copy=False))
    assert managed.flags == 0 and managed.tensor.data == address(a)
    call_deleter(managed)


def test_copies_of_managed_memory_are_not_managed(fake: Any, kernels: None) -> None:
    a = fake.register(image(4, 5, 3))
    v = pixview.view(Dlpack(a, device=(MANAGED, 0)))
    assert v.__dlpack_device__() == (MANAGED, 0)
    assert pixview.view(v, copy=True).__dlpack_device__() == (CUDA, 0)
    managed = consume(v.__dlpack__(copy=True))
    assert managed.tensor.device_type == CUDA
    call_deleter(managed)


def test_an_image_of_a_dlpack_producer_is_in_the_stream_that_was_asked_for(
    fake: Any, torch: Any
) -> None:
    a = fake.register(image(4, 5, 3))
    p = Dlpack(a, device=(CUDA, 0))
    v = pixview.view(p)  # in the legacy stream: the producer was told so
    assert p.asked[0]["stream"] == 1
    assert v.__cuda_array_interface__["stream"] == 1
    fake.reset()
    assert pixview.view(v, stream=fake.stream).shape == (4, 5, 3)
    assert fake.work()[:2] == ["record", "wait"]
    del v
    assert p.settled()


def test_dlpack_of_an_image_makes_the_stream_wait(fake: Any) -> None:
    v = fake.image(image(4, 5, 3))
    v.__dlpack__(stream=fake.stream)
    fake.reset()
    v.__dlpack__(stream=1)
    assert fake.calls() == ""
    v.__dlpack__(stream=-1)
    assert fake.calls() == ""
    capsule = v.__dlpack__(stream=fake.stream)
    assert fake.work() == ["record", "wait"]
    del capsule


TWO_GPUS = """
import ctypes, os, numpy as np, torch, cupy, pixview
from support import address, cuda_array_interface, image
lib = ctypes.CDLL(os.environ["PIXVIEW_FAKE_DRIVER"])
lib.fake_register.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
asked = []
class Stream: ptr = 0
def current(device=None):
    asked.append(device)
    return Stream
cupy.cuda.get_current_stream = current
arrays = [image(4, 5, 3), image(4, 5, 3)]
for device, a in enumerate(arrays):
    lib.fake_register(a.ctypes.data, a.nbytes, device)
    v = pixview.from_pointer(address(a), a.shape, "uint8", owner=a)
    assert v.device == ("cuda", device)
    assert pixview.view(cuda_array_interface(a)).device == ("cuda", device)
    t, c = pixview.as_torch(v), pixview.as_cupy(v)
    assert t.device == torch.device("cuda", device) and pixview.view(t).device == ("cuda", device)
    assert c.data.device_id == device and pixview.view(c).device == ("cuda", device)
    assert set(asked) == {device}
    asked.clear()
    np.testing.assert_array_equal(pixview.as_numpy(t, copy=True), a)
    # No context was made on a GPU that holds none of the data, and none stays current.
    assert lib.fake_contexts_made() == (1, 3)[device] and lib.fake_context_depth() == 0
for device in (1, "cuda:1", ("cuda", 1)):
    assert pixview.from_pointer(address(a), a.shape, "uint8", device=device, owner=a).device == ("cuda", 1)
lib.fake_set_current_device(0)
pixview.as_numpy(t, copy=True), pixview.copy_into(t, a)
assert lib.fake_current_device() == 0 and lib.fake_context_depth() == 1
host = image(4, 5, 3)
for call in (
    lambda: pixview.view(cuda_array_interface(host)),
    lambda: pixview.from_pointer(address(host), host.shape, "uint8", owner=host),
):
    try:
        call()
    except pixview.DeviceError as error:
        assert str(error)
    else:
        raise AssertionError("host memory was taken for a GPU's")
v, w = [pixview.from_pointer(address(x), x.shape, "uint8", owner=x) for x in arrays]
for call in (lambda: pixview.copy_into(v, w), lambda: pixview.copy_into(w, v)):
    try:
        call()
    except pixview.DeviceError as error:
        assert str(error)
    else:
        raise AssertionError("copied between two GPUs")
"""


def test_two_gpus(fake: Any, cupy: Any, torch: Any) -> None:
    """pixview asks once a process how many there are, so this is one of its own."""
    check_fork(TWO_GPUS, FAKE_CUDA_DEVICES="2")


def test_no_gpu(fake: Any) -> None:
    check_python(
        """
import numpy as np, pixview
a = np.zeros((4, 5), "u1")
assert pixview._core._doctor()["driver"].get("devices", []) == []
for device in (None, 0):
    try:
        v = pixview.from_pointer(a.ctypes.data, a.shape, a.dtype, owner=a, device=device)
        pixview.as_numpy(v, copy=True)
    except pixview.Error as error:
        assert str(error)
    else:
        raise AssertionError(device)
pixview.as_numpy(pixview.view(a))
""",
        FAKE_CUDA_DEVICES="0",
    )


def test_cupy_in_place_and_by_attributes(cupy: Any, fake: Any) -> None:
    """The two ways to read an array see the same, whatever its strides."""
    from pixview import _core

    assert _core._doctor()["cupy"] == "struct"
    a = image(64, 65, 3)
    fake.register(a)
    whole = pixview.as_cupy(pixview.from_pointer(address(a), a.shape, "uint8", device=0, owner=a))
    arrays = [
        whole,
        whole[3:, 5:],
        whole[::-1],
        whole[:, ::2],
        whole.T,
        whole[..., 0],
        whole[:1],
        whole[:0],
    ]
    for array in arrays:
        seen = []
        for shortcuts in (True, False):
            _core._force(cupy_shortcuts=shortcuts)
            try:
                v = pixview.view(array, src_layout="HW" if array.ndim == 2 else "HWC")
                seen.append((v.shape, v.strides, v.dtype, v.device, pixview.as_cupy(v).data.ptr))
            finally:
                _core._force(cupy_shortcuts=True)
        assert seen[0] == seen[1]
        assert seen[0][0] == array.shape and (array.size == 0 or seen[0][4] == array.data.ptr)
