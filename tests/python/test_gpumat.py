# SPDX-License-Identifier: Apache-2.0
"""GpuMat adapters against the OpenCV that is on the path, over memory that the fake driver knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pixview
import pytest
from support import (
    CONTINUOUS,
    DEPTHS,
    DEPTHS_5,
    MAGIC,
    TYPE_MASK,
    address,
    check_python,
    cuda_array_interface,
    facts,
    header,
    image,
    is_five,
    pitched,
    tensor_of,
    wrap,
)

pytestmark = pytest.mark.cv2


# ---- the self-check ----


def test_what_the_self_check_found(cv2: Any, fake: Any) -> None:
    found = facts(cv2)
    assert found["cn_shift"] == (5 if is_five(cv2) else 3)
    assert found["read"] == "struct" and found["reason"] == ""
    assert found["cuda"] == (header(cv2.cuda.GpuMat()).allocator is not None)
    assert found["own"] == ("native" if found["cuda"] else "subtype")


def test_the_build_s_name_agrees(cv2: Any, fake: Any) -> None:
    import os

    name = os.environ.get("PIXVIEW_OPENCV", "")
    if name.startswith(("stock-", "cuda-")):
        assert facts(cv2)["cuda"] == name.startswith("cuda-")
        assert cv2.__version__.startswith(name.partition("-")[2].rpartition(".")[0][:3])


def test_the_public_path_is_forced(
    cv2: Any, fake: Any, gpumat: Any, request: pytest.FixtureRequest
) -> None:
    forced = request.node.callspec.params["gpumat"] == "public"
    assert facts(cv2)["read"] == ("public" if forced else "struct")


def test_the_self_check_makes_no_driver_call() -> None:
    check_python(
        "import ctypes, os, cv2, pixview\n"
        "lib = ctypes.CDLL(os.environ['PIXVIEW_FAKE_DRIVER'])\n"
        "lib.fake_calls.restype = ctypes.c_char_p\n"
        "lib.fake_reset()\n"
        "try:\n"
        "    pixview.plan(cv2.cuda.GpuMat(), 'image')\n"
        "except pixview.LayoutError:\n"
        "    pass\n"
        "assert pixview._core._doctor()['gpumat']['read'] == 'struct'\n"
        "g = cv2.cuda.GpuMat(); del g\n"
    )


# ---- GpuMat -> others ----


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 32])
@pytest.mark.parametrize("pad", [0, 13])
def test_reading(
    cv2: Any, fake: Any, cupy: Any, torch: Any, gpumat: Any, channels: int, pad: int
) -> None:
    a = fake.register(pitched(6, 7, channels, pad=pad))
    g = wrap(cv2, a)
    flat = channels == 1
    v = pixview.view(g)
    assert (v.layout, v.shape) == (("HW", (6, 7)) if flat else ("HWC", a.shape))
    assert address(v) == address(a) and v.strides == a.strides[: len(v.shape)]
    assert v.device == ("cuda", 0) and v.dtype == np.uint8
    c = pixview.as_cupy(g)
    assert c.shape == v.shape and c.strides == v.strides and c.data.ptr == address(a)
    t = pixview.as_torch(g)
    assert tuple(t.shape) == ((6, 7) if flat else (channels, 6, 7)) and t.data_ptr() == address(a)
    assert t.stride()[-2:] == (a.strides[0], channels)
    np.testing.assert_array_equal(pixview.as_numpy(g, copy=True), a[:, :, 0] if flat else a)


@pytest.mark.parametrize("name", DEPTHS)
def test_element_types(cv2: Any, fake: Any, cupy: Any, torch: Any, gpumat: Any, name: str) -> None:
    a = fake.register(pitched(4, 5, 3, dtype=name))
    g = wrap(cv2, a)
    assert pixview.view(g).dtype == np.dtype(name)
    t = pixview.as_torch(g)
    assert t.dtype == getattr(torch, name)
    np.testing.assert_array_equal(pixview.as_numpy(g, copy=True), a)
    back = pixview.as_gpumat(t)
    assert (back.type(), back.step, back.size(), back.cudaPtr()) == (
        g.type(),
        g.step,
        g.size(),
        g.cudaPtr(),
    )


@pytest.mark.parametrize("name", DEPTHS_5)
def test_element_types_of_opencv_5(cv2: Any, fake: Any, torch: Any, gpumat: Any, name: str) -> None:
    stored = "uint16" if name == "bfloat16" else name
    a = fake.register(pitched(4, 5, 3, dtype=stored))
    t = pixview.as_torch(
        pixview.from_pointer(address(a), a.shape, name, strides=a.strides, device=0, owner=a)
    )
    if not is_five(cv2):
        cure = {"bool": r"\.view\(torch\.uint8\)", "bfloat16": r"\.view\(torch\.uint16\)"}.get(
            name, ""
        )
        for copy in (None, False, True):
            with pytest.raises(pixview.DtypeError, match=name) as raised:
                pixview.as_gpumat(t, copy=copy)
            import re

            assert re.search(cure, str(raised.value))
        return
    g = wrap(cv2, a, DEPTHS_5[name])
    v = pixview.view(g)
    assert v.dtype == ("bfloat16" if name == "bfloat16" else np.dtype(name))
    assert pixview.as_torch(g).dtype == getattr(torch, name)
    assert pixview.as_gpumat(t).type() == g.type()


@pytest.mark.parametrize("name", ["complex64", "complex128"])
def test_element_types_that_no_opencv_has(cv2: Any, fake: Any, gpumat: Any, name: str) -> None:
    with pytest.raises(pixview.DtypeError, match=name):
        pixview.as_gpumat(fake.image(image(4, 5, dtype=name)))


def test_regions_rows_and_columns(cv2: Any, fake: Any, torch: Any, gpumat: Any) -> None:
    a = fake.register(pitched(10, 20))
    g = wrap(cv2, a)
    for part, expected in (
        (cv2.cuda.GpuMat(g, (3, 2, 5, 4)), a[2:6, 3:8]),
        (g.rowRange(2, 7), a[2:7]),
        (g.colRange(4, 9), a[:, 4:9]),
        (g.rowRange(2, 3), a[2:3]),
        (g.colRange(4, 5), a[:, 4:5]),
        (g.row(9), a[9:]),
        (g.col(19), a[:, 19:]),
        (g.rowRange(1, 9).colRange(1, 19).rowRange(1, 3), a[2:4, 1:19]),
    ):
        v = pixview.view(part)
        assert v.shape == expected.shape and address(v) == address(expected)
        np.testing.assert_array_equal(pixview.as_numpy(part, copy=True), expected)
        assert pixview.as_torch(part).data_ptr() == address(expected)


@pytest.mark.parametrize("h, w", [(1, 1), (1, 7), (7, 1)])
def test_one_row_or_column(
    cv2: Any, fake: Any, cupy: Any, torch: Any, gpumat: Any, h: int, w: int
) -> None:
    a = fake.register(pitched(h, w))
    g = wrap(cv2, a)
    assert pixview.view(g).shape == (h, w, 3)
    np.testing.assert_array_equal(pixview.as_numpy(g, copy=True), a)
    back = pixview.as_gpumat(pixview.as_torch(g))
    assert back.size() == (w, h) and back.cudaPtr() == address(a)


def test_layout_asked_of_one_channel(
    cv2: Any, fake: Any, cupy: Any, torch: Any, gpumat: Any
) -> None:
    a = fake.register(image(4, 5))
    g = wrap(cv2, a)
    assert pixview.as_torch(g).shape == (4, 5)
    assert pixview.as_torch(g, layout="CHW").shape == (1, 4, 5)
    assert pixview.as_torch(g, layout="NCHW").shape == (1, 1, 4, 5)
    assert pixview.as_cupy(g, layout="HWC").shape == (4, 5, 1)
    assert pixview.as_cupy(g).shape == (4, 5)


def test_layout_asked_of_three_channels(cv2: Any, fake: Any, torch: Any, gpumat: Any) -> None:
    g = wrap(cv2, fake.register(pitched(4, 5)))
    assert pixview.as_torch(g, layout="HWC").shape == (4, 5, 3)
    assert pixview.as_torch(g, layout="NHWC").shape == (1, 4, 5, 3)
    with pytest.raises(pixview.LayoutError):
        pixview.as_torch(g, layout="HW")
    with pytest.raises(pixview.LayoutError, match="CHW"):
        pixview.as_torch(g, src_layout="CHW")
    assert pixview.as_torch(g, src_layout="HWC").shape == (3, 4, 5)


def test_an_image_that_looks_planar_is_no_mistake_of_a_gpumat(
    cv2: Any, fake: Any, torch: Any, gpumat: Any
) -> None:
    """The guard speaks of arrays; rows, columns and channels of a GpuMat are known."""
    a = fake.register(pitched(3, 20, 7))
    assert pixview.as_torch(wrap(cv2, a)).shape == (7, 3, 20)


def test_a_gpumat_without_pixels(cv2: Any, fake: Any, gpumat: Any) -> None:
    cure = "upload" if facts(cv2)["cuda"] else "built without CUDA"
    with pytest.raises(pixview.LayoutError, match=f"empty.*{cure}"):
        pixview.view(cv2.cuda.GpuMat())


def test_a_gpumat_made_without_init(cv2: Any, fake: Any) -> None:
    g = cv2.cuda.GpuMat.__new__(cv2.cuda.GpuMat)
    with pytest.raises(pixview.LayoutError) as raised:
        pixview.view(g)
    assert str(raised.value)


def test_the_object_itself_comes_back(cv2: Any, fake: Any, gpumat: Any) -> None:
    g = wrap(cv2, fake.register(pitched(4, 5)))
    assert pixview.as_gpumat(g) is g
    assert pixview.as_gpumat(g, copy=False) is g


def test_host_and_device_do_not_mix(cv2: Any, fake: Any, torch: Any, gpumat: Any) -> None:
    g = wrap(cv2, fake.register(pitched(4, 5)))
    with pytest.raises(pixview.DeviceError, match="copy=True"):
        pixview.as_numpy(g)
    for host in (image(4, 5, 3), torch.zeros(3, 4, 5), pixview.view(image(4, 5))):
        for copy in (None, False):
            with pytest.raises(pixview.DeviceError, match="copy=True"):
                pixview.as_gpumat(host, copy=copy)


def test_views_of_a_gpumat_make_no_driver_call(
    cv2: Any, fake: Any, cupy: Any, torch: Any, gpumat: Any
) -> None:
    a = fake.register(pitched(4, 5))
    g = wrap(cv2, a)
    for call in (pixview.as_torch, pixview.as_cupy, pixview.view):
        call(g)
        fake.reset()
        made = call(g)
        assert fake.calls() == "", call
        back = pixview.as_gpumat(made)
        assert fake.calls() == "", call
        del made, back
        assert fake.calls() == "", call


def test_stream_of_the_gpumat_end(cv2: Any, fake: Any, cupy: Any, gpumat: Any) -> None:
    a = fake.register(pitched(4, 5))
    g = wrap(cv2, a)
    pixview.as_cupy(g, stream=fake.stream)
    fake.reset()
    c = pixview.as_cupy(g, stream=fake.stream)
    assert fake.work() == ["record", "wait"]
    fake.reset()
    back = pixview.as_gpumat(c, stream=fake.stream)
    assert fake.work() == ["record", "wait"]
    fake.reset()
    for stream in (0, 1, -1, None):
        kept = pixview.as_cupy(g, stream=stream), pixview.as_gpumat(c, stream=stream)
        assert fake.calls() == "", stream
        del kept
    del back


class Cv2Stream:
    """Stands in for cv2.cuda.Stream, which ends the process where there is no GPU."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def cudaPtr(self) -> int:  # noqa: N802
        return self.handle


def test_cv2_streams(cv2: Any, fake: Any, cupy: Any, gpumat: Any) -> None:
    g = wrap(cv2, fake.register(pitched(4, 5)))
    stream = Cv2Stream(fake.stream)
    if facts(cv2)["cuda"]:
        cupy.streams.ptr = fake.stream
        fake.reset()
        assert pixview.as_cupy(g, stream=stream).shape == (4, 5, 3)
        assert fake.calls() == ""
    else:
        with pytest.raises(pixview.DeviceError, match="CUDA"):
            pixview.as_cupy(g, stream=stream)


# ---- others -> GpuMat ----


def check_header(cv2: Any, g: Any, a: np.ndarray[Any, Any]) -> None:
    """Fields as OpenCV wants them: exactly the view."""
    rows, cols = a.shape[:2]
    channels = a.shape[2] if a.ndim == 3 else 1
    size = cols * channels * a.itemsize
    step = a.strides[0] if rows > 1 else size
    assert g.size() == (cols, rows) and g.channels() == channels
    assert g.step == step and g.cudaPtr() == address(a)
    assert g.type() == cv2.CV_MAKETYPE(DEPTHS[a.dtype.name], channels)
    assert g.isContinuous() == (step == size)
    h = header(g)
    assert h.flags & 0xFFFF0000 == MAGIC and h.flags & TYPE_MASK == g.type()
    assert bool(h.flags & CONTINUOUS) == (step == size)
    assert (h.rows, h.cols, h.step) == (rows, cols, step)
    assert h.data == h.datastart == address(a)
    assert h.dataend == address(a) + step * (rows - 1) + size


@pytest.mark.parametrize(
    "shape", [(6, 7, 3), (6, 7, 1), (6, 7), (1, 7, 3), (7, 1, 3), (1, 1), (6, 7, 4), (5, 6, 9)]
)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_making(
    cv2: Any, fake: Any, cupy: Any, torch: Any, gpumat: Any, shape: Any, dtype: str
) -> None:
    a = fake.register(image(*shape, dtype=dtype))
    v = pixview.from_pointer(address(a), a.shape, dtype, device=0, owner=a)
    for x in (v, pixview.as_torch(v), pixview.as_cupy(v), cuda_array_interface(a)):
        g = pixview.as_gpumat(x, copy=False)
        assert isinstance(g, cv2.cuda.GpuMat)
        check_header(cv2, g, a)
        np.testing.assert_array_equal(pixview.as_numpy(g, copy=True).reshape(shape), a)
    assert pixview.plan(v, "gpumat").kind == "view"


def test_making_of_pitched_rows_and_regions(cv2: Any, fake: Any, torch: Any, gpumat: Any) -> None:
    a = fake.register(pitched(10, 20, dtype="uint16"))
    for part in (a, a[2:6, 3:8], a[:, 4:5], a[9:], a[::2], a[2:4]):
        g = pixview.as_gpumat(tensor_of(fake, part))
        check_header(cv2, g, part)
        np.testing.assert_array_equal(pixview.as_numpy(g, copy=True), part)


@pytest.mark.parametrize("stride", [0, 1, -64, 4096])
def test_the_stride_of_one_row_does_not_matter(
    cv2: Any, fake: Any, gpumat: Any, stride: int
) -> None:
    a = fake.register(image(1, 7, 3))
    g = pixview.as_gpumat(
        pixview.from_pointer(
            address(a), a.shape, "uint8", strides=(stride, 3, 1), device=0, owner=a
        )
    )
    check_header(cv2, g, a)


def test_regions_of_ours_cannot_walk_out(cv2: Any, fake: Any, gpumat: Any) -> None:
    a = fake.register(pitched(10, 20))
    for part in (a[2:6, 3:8], a[2:3, 3:8]):
        g = pixview.as_gpumat(fake.image(part))
        wider = g.adjustROI(9, 9, 9, 9)
        assert wider.size() == (5, part.shape[0]) and wider.cudaPtr() == address(part)


@pytest.mark.parametrize("shape", [(0, 5, 3), (4, 0, 3), (0, 0, 3)])
def test_making_of_nothing(cv2: Any, fake: Any, cupy: Any, gpumat: Any, shape: Any) -> None:
    for copy in (None, True):
        g = pixview.as_gpumat(pixview.from_pointer(0, shape, "uint8", device=0), copy=copy)
        assert g.size() == (shape[1], shape[0]) and g.channels() == 3 and g.cudaPtr() == 0
        h = header(g)
        assert not h.data and not h.refcount and not h.datastart and not h.dataend
        assert g.empty()
    if shape != (0, 0, 3):
        v = pixview.view(g)
        assert v.shape == shape
        assert pixview.as_cupy(g).shape == shape


@pytest.mark.parametrize("channels", [128, 129, 512, 513, 5000])
def test_too_many_channels(cv2: Any, fake: Any, gpumat: Any, channels: int) -> None:
    limit = 128 if is_five(cv2) else 512
    v = fake.image(image(2, 3, channels), layout="HWC")
    if channels <= limit:
        g = pixview.as_gpumat(v)
        assert g.channels() == channels
        assert pixview.view(g).shape == (2, 3, channels)
        return
    for copy in (None, False, True):
        with pytest.raises(pixview.LayoutError) as raised:
            pixview.as_gpumat(v, copy=copy)
        assert str(channels) in str(raised.value) and str(limit) in str(raised.value)


@pytest.mark.parametrize(
    "shape, strides", [((2**31, 1), (1, 1)), ((1, 2**31), (2**31, 1)), ((2**31, 2**31), (2**31, 1))]
)
def test_extents_beyond_int(cv2: Any, fake: Any, gpumat: Any, shape: Any, strides: Any) -> None:
    v = pixview.from_pointer(4096, shape, "uint8", strides=strides, device=0)
    with pytest.raises(pixview.LayoutError, match="2147483648") as raised:
        pixview.as_gpumat(v)
    assert "2147483647" in str(raised.value)


def test_more_elements_than_int_are_not_continuous(cv2: Any, fake: Any, gpumat: Any) -> None:
    v = pixview.from_pointer(4096, (65536, 32768, 3), "uint8", device=0)
    g = pixview.as_gpumat(v)
    assert g.size() == (32768, 65536) and not g.isContinuous()
    assert header(g).dataend == 4096 + 65536 * 32768 * 3
    assert pixview.view(g).nbytes == 65536 * 32768 * 3


def test_batches(cv2: Any, fake: Any, torch: Any, gpumat: Any) -> None:
    a = image(2, 4, 5, 3)
    with pytest.raises(pixview.LayoutError, match="2"):
        pixview.as_gpumat(fake.image(a))
    g = pixview.as_gpumat(fake.image(a[1:]))
    assert g.cudaPtr() == address(a[1:]) and g.size() == (5, 4)


@pytest.mark.parametrize(
    "make",
    [
        lambda a: a[:, :, ::-1],
        lambda a: a[::-1],
        lambda a: a[:, ::2],
        lambda a: a[:, :, :2],
        lambda a: a.transpose(1, 0, 2),
        lambda a: np.lib.stride_tricks.as_strided(a, (4, 5, 3), (0, 3, 1)),
        lambda a: np.lib.stride_tricks.as_strided(a, (4, 5, 3), (6, 3, 1)),
        lambda a: np.lib.stride_tricks.as_strided(a, (4, 5, 3), (15, 3, 0)),
    ],
    ids=[
        "bgr",
        "upside down",
        "every second",
        "two of three",
        "transposed",
        "one row",
        "overlapping",
        "grey",
    ],
)
def test_what_no_header_can_describe(cv2: Any, fake: Any, gpumat: Any, make: Any) -> None:
    whole = fake.register(image(6, 8, 3))
    v = fake.image(make(whole))
    plan = pixview.plan(v, "gpumat")
    assert plan.kind == "copy" and plan.reason
    with pytest.raises(pixview.LayoutError) as raised:
        pixview.as_gpumat(v, copy=False)
    assert str(raised.value)


def test_read_only(cv2: Any, fake: Any, gpumat: Any) -> None:
    a = image(4, 5, 3)
    v = fake.image(a, readonly=True)
    with pytest.raises(pixview.ReadOnlyError, match="allow_readonly"):
        pixview.as_gpumat(v, copy=False)
    assert pixview.as_gpumat(v, allow_readonly=True).cudaPtr() == address(a)


# ---- copies ----


def test_planes_become_interleaved_by_one_launch(
    cv2: Any, fake: Any, cupy: Any, gpumat: Any, kernels: None
) -> None:
    a = image(3, 40, 50)
    c = pixview.as_cupy(fake.image(a, layout="CHW"), layout="CHW")
    pixview.as_gpumat(c, src_layout="CHW")
    fake.reset()
    g = pixview.as_gpumat(c, src_layout="CHW")
    assert fake.work() == ["launch"] or fake.work() == ["alloc", "launch"]
    np.testing.assert_array_equal(pixview.as_numpy(g, copy=True), a.transpose(1, 2, 0))
    assert g.size() == (50, 40) and g.step % 32 == 0


@pytest.mark.parametrize("width", [1, 3, 7, 31, 33, 100])
def test_rows_of_a_copy_are_padded_for_textures(
    cv2: Any, fake: Any, cupy: Any, gpumat: Any, kernels: None, width: int
) -> None:
    a = image(6, width, 4)
    c = pixview.as_cupy(fake.image(a))
    g = pixview.as_gpumat(c, copy=True)
    assert g.step % 32 == 0 and g.cudaPtr() != address(a)
    np.testing.assert_array_equal(pixview.as_numpy(g, copy=True), a)
    assert pixview.as_gpumat(c).step == width * 4


def test_upload_and_download(cv2: Any, fake: Any, torch: Any, gpumat: Any) -> None:
    if facts(cv2)["cuda"]:
        pytest.skip("OpenCV allocates itself here, which needs a GPU")
    for x in (image(4, 5, 3), torch.arange(60, dtype=torch.float32).reshape(3, 4, 5), image(6, 7)):
        g = pixview.as_gpumat(x, copy=True)
        expected = pixview.as_numpy(x)
        np.testing.assert_array_equal(pixview.as_numpy(g, copy=True), expected)


def test_planes_of_an_image(cv2: Any, fake: Any, gpumat: Any, kernels: None) -> None:
    if facts(cv2)["cuda"]:
        pytest.skip("OpenCV allocates itself here, which needs a GPU")
    a = image(3, 17, 19, dtype="float32")
    g = pixview.as_gpumat(fake.image(a, layout="CHW"))
    np.testing.assert_array_equal(pixview.as_numpy(g, copy=True), a.transpose(1, 2, 0))
    with pytest.raises(pixview.LayoutError):
        pixview.as_gpumat(fake.image(a, layout="CHW"), copy=False)


def test_copy_into_and_out_of_a_gpumat(cv2: Any, fake: Any, gpumat: Any, kernels: None) -> None:
    a, b = pitched(10, 20), image(3, 4, 5)
    fake.register(a)
    g = wrap(cv2, a)
    part = cv2.cuda.GpuMat(g, (3, 2, 5, 4))
    assert pixview.copy_into(part, fake.image(b, layout="CHW")) is part
    np.testing.assert_array_equal(a[2:6, 3:8], b.transpose(1, 2, 0))
    out = np.zeros((4, 5, 3), np.uint8)
    pixview.copy_into(out, part)
    np.testing.assert_array_equal(out, a[2:6, 3:8])
