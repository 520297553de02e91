# SPDX-License-Identifier: Apache-2.0
"""Libraries that take an Image of GPU memory, each for real. A library that is missing is skipped."""

import os
import sys

import pytest

from .util import address, busy, cp, host, new_mat, np, pixels, pixview, settle, torch

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX takes most of the GPU else

SHAPE = (240, 320, 3)


def numba_array(image):
    cuda = pytest.importorskip("numba.cuda", reason="no numba.cuda: pip install numba-cuda")
    return cuda.as_cuda_array(image)


def jax_array(image):
    jax = pytest.importorskip("jax", reason="no jax: pip install 'jax[cuda13]'")
    try:
        jax.devices("gpu")
    except RuntimeError as error:
        pytest.skip(f"JAX sees no GPU: {error}")
    return jax.dlpack.from_dlpack(image)


def memory_view(image, how="from_dlpack"):
    core = pytest.importorskip("cuda.core.utils", reason="no cuda.core: pip install cuda-core")
    # 1: the legacy default stream, on which the pixels are read below.
    return getattr(core.StridedMemoryView, how)(image, stream_ptr=1)


def tvm_tensor(image):
    ffi = pytest.importorskip("tvm_ffi", reason="no tvm_ffi: pip install apache-tvm-ffi")
    return ffi.from_dlpack(image)


def cvcuda_tensor(image):
    cvcuda = pytest.importorskip("cvcuda", reason="no cvcuda: pip install cvcuda-cu13")
    return cvcuda.as_tensor(image, "HWC")


TAKE = {
    "torch.from_dlpack": torch.from_dlpack,
    "torch.as_tensor": lambda image: torch.as_tensor(image, device="cuda"),
    "cupy.asarray": cp.asarray,
    "cupy.from_dlpack": cp.from_dlpack,
    "numba": numba_array,
    "jax": jax_array,
    "cuda.core dlpack": memory_view,
    "cuda.core interface": lambda image: memory_view(image, "from_cuda_array_interface"),
    "tvm_ffi": tvm_tensor,
    "cvcuda": cvcuda_tensor,
}
# torch ignores the stream of the CUDA array interface (2.11): with as_tensor the caller has to order, or
# to use from_dlpack. That the others do not read too early by luck shows with stream=-1: then all do.
UNORDERED = ("torch.as_tensor",)
each = pytest.mark.parametrize("name", TAKE)


def pointer(x):
    """Where the library thinks that the first pixel is."""
    if isinstance(x, (torch.Tensor, cp.ndarray)):
        return address(x)
    if hasattr(x, "unsafe_buffer_pointer"):
        return x.unsafe_buffer_pointer()
    if hasattr(x, "data_ptr"):
        return x.data_ptr()
    if hasattr(x, "cuda"):
        return x.cuda().__cuda_array_interface__["data"][0]
    return x.ptr if hasattr(x, "ptr") else x.__cuda_array_interface__["data"][0]


def read(x):
    """The pixels as the library has them, on the host."""
    if isinstance(x, (torch.Tensor, cp.ndarray)):
        return host(x)
    if hasattr(x, "unsafe_buffer_pointer"):
        return np.asarray(x)
    if hasattr(x, "copy_to_host"):
        return x.copy_to_host()
    if hasattr(x, "data_ptr"):
        return host(torch.from_dlpack(x))
    if hasattr(x, "cuda"):
        return cp.asarray(x.cuda()).get()
    strides = x.strides and tuple(s * x.dtype.itemsize for s in x.strides)
    memory = cp.cuda.UnownedMemory(x.ptr, 1 << 20, x)
    return cp.ndarray(x.shape, x.dtype, cp.cuda.MemoryPointer(memory, 0), strides).get()


def sources(pixels_, kind):
    if kind == "gpumat":
        return new_mat(pixels_)
    return cp.asarray(pixels_) if kind == "cupy" else torch.from_numpy(pixels_).cuda()


@each
@pytest.mark.parametrize("kind", ["torch", "cupy", "gpumat"])
def test_it_sees_the_same_memory(name, kind):
    expected = pixels(SHAPE)
    image = pixview.view(sources(expected, kind), src_layout="HWC")
    packed = image.strides == (SHAPE[1] * 3, 3, 1)
    if name == "jax" and not packed:
        pytest.skip("JAX takes dense memory only")
    x = TAKE[name](image)
    assert pointer(x) == image.__cuda_array_interface__["data"][0]
    np.testing.assert_array_equal(read(x), expected)


@each
def test_rectangles_and_types(name):
    for dtype in ("uint8", "float32"):
        expected = pixels(SHAPE, dtype)
        image = pixview.view(sources(expected, "torch"), src_layout="HWC").crop(3, 8, 100, 64)
        if name == "jax":  # dense memory only
            with pytest.raises(Exception, match="strid"):
                TAKE[name](image)
            continue
        x = TAKE[name](image)
        assert pointer(x) == image.__cuda_array_interface__["data"][0]
        np.testing.assert_array_equal(read(x), expected[3:103, 8:72])


@each
def test_it_holds_the_memory_and_lets_go(name):
    tensor = sources(pixels(SHAPE), "torch")
    count = sys.getrefcount(tensor)
    x = TAKE[name](pixview.view(tensor, src_layout="HWC"))
    settle()
    assert sys.getrefcount(tensor) > count
    np.testing.assert_array_equal(read(x), host(tensor))
    del x
    if name == "cvcuda":
        sys.modules["cvcuda"].clear_cache()  # it keeps wrappers for later
    settle()
    assert sys.getrefcount(tensor) == count


@pytest.mark.parametrize("name", [n for n in TAKE if n not in UNORDERED])
def test_it_reads_after_the_producer_wrote(name):
    """The Image is on a stream that is busy for 50 ms before the pixels are there."""
    TAKE[name](
        pixview.view(sources(pixels(SHAPE), "torch"), src_layout="HWC")
    )  # loads what it needs
    for seed in range(3):
        tensor, side = sources(pixels(SHAPE, seed=seed) % 250, "torch"), torch.cuda.Stream()
        expected = host(tensor) + 1
        torch.cuda.synchronize()
        with torch.cuda.stream(side):
            busy(side)
            tensor += 1
            image = pixview.view(tensor, src_layout="HWC")
        assert image.__cuda_array_interface__["stream"] == side.cuda_stream
        np.testing.assert_array_equal(read(TAKE[name](image)), expected)


def test_tvm_ffi_gives_an_image_back():
    ffi = pytest.importorskip("tvm_ffi", reason="no tvm_ffi: pip install apache-tvm-ffi")
    seen = []

    def body(x):
        seen.append((x.data_ptr(), str(x.device)))
        return x

    image = pixview.view(sources(pixels(SHAPE), "gpumat"))
    result = ffi.convert(body)(image)
    at = image.__cuda_array_interface__["data"][0]
    assert type(result) is pixview.Image and seen == [(at, "cuda:0")]
    assert result.__cuda_array_interface__["data"][0] == at
    np.testing.assert_array_equal(
        pixview.as_numpy(result, copy=True), host(pixview.as_gpumat(image), "uint8")
    )


def test_tvm_ffi_works_on_the_stream_of_a_block():
    """TVM-FFI sets its stream to the one that the table answers."""
    ffi = pytest.importorskip("tvm_ffi", reason="no tvm_ffi: pip install apache-tvm-ffi")
    get = getattr(ffi, "get_raw_stream", None)
    if get is None:
        pytest.skip(f"tvm_ffi {ffi.__version__} does not tell its stream")
    seen = []
    call = ffi.convert(lambda x: seen.append(get(ffi.device("cuda", 0))))
    image = pixview.view(sources(pixels(SHAPE), "torch"), src_layout="HWC")
    call(image)
    side = torch.cuda.Stream()
    with pixview.using_stream(side):
        call(image)
    assert seen == [1, side.cuda_stream]


def test_cuda_core_has_a_table_of_its_own():
    tensor = sources(pixels(SHAPE), "torch")
    view = memory_view(pixview.view(tensor, src_layout="HWC"))
    back = pixview.view(view)
    assert back.device == ("cuda", 0)
    assert back.__cuda_array_interface__["data"][0] == tensor.data_ptr()
    np.testing.assert_array_equal(pixview.as_numpy(back, copy=True), host(tensor))


def test_jax_arrays_never_change():
    jax = pytest.importorskip("jax", reason="no jax: pip install 'jax[cuda13]'")
    x = jax_array(pixview.view(sources(pixels(SHAPE), "torch"), src_layout="HWC"))
    image = pixview.view(x)
    assert image.readonly and image.device == ("cuda", 0)
    copy = pixview.as_torch(x, src_layout="HWC", layout="HWC")
    assert copy.data_ptr() != x.unsafe_buffer_pointer()
    np.testing.assert_array_equal(host(copy), np.asarray(x))
    mat = pixview.as_gpumat(x, allow_readonly=True)
    assert mat.cudaPtr() == x.unsafe_buffer_pointer() and jax.__version__


@each
def test_opencv_takes_what_they_give(name):
    """And the other way: each library's own array as a GpuMat, without a copy where it may be."""
    expected = pixels(SHAPE)
    x = TAKE[name](pixview.view(sources(expected, "torch"), src_layout="HWC"))
    given = x.cuda() if name == "cvcuda" else x
    mat = pixview.as_gpumat(given, src_layout="HWC", allow_readonly=True)
    assert mat.cudaPtr() == pointer(x)
    np.testing.assert_array_equal(host(mat, "uint8"), expected)
