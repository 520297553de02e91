# SPDX-License-Identifier: Apache-2.0
"""stack(fit=) on the fake driver's device memory: the host's bytes, launches, captures."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np
import pixview
import pytest
from support import Stream, address, cuda_array_interface, image, pitched

pytestmark = pytest.mark.usefixtures("kernels")

FITS = ["stretch", "letterbox", "cover"]
SIZES = [(40, 61), (17, 90), (1, 33), (50, 1), (24, 32), (5, 200), (96, 128), (13, 13)]
CANVAS = (24, 32)
NORM: dict[str, Any] = {
    "scale": 1 / 255,
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "swap_rb": True,
}


def arrays(dtype: str = "uint8", channels: int = 3) -> list[Any]:
    made = [np.roll(image(h, w, channels), i) for i, (h, w) in enumerate(SIZES)]
    return [(a * 1.25).astype(dtype) if dtype != "uint8" else a for a in made]


def both(fake: Any, sources: list[Any], **keywords: Any) -> tuple[Any, Any]:
    """The same list resized by one launch, and in host memory."""
    layout = keywords.get("layout", "NCHW")
    on_host = pixview.stack(sources, to="numpy", src_layout="HWC", **keywords)
    got = np.zeros(on_host.shape, on_host.dtype)
    images = [fake.image(a, layout="HWC") for a in sources]
    out = fake.image(got, layout=layout)
    fake.reset()
    pixview.stack(images, out=out, **keywords)
    assert [call for call in fake.work() if call != "load"] == ["launch"]
    return got, on_host


# ---- bytes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("interpolation", ["linear", "nearest"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
@pytest.mark.parametrize("values", [{}, NORM], ids=["as it is", "normalised"])
def test_equals_the_host(fake: Any, fit: str, interpolation: str, dtype: str, values: Any) -> None:
    got, wanted = both(
        fake,
        arrays(dtype),
        size=CANVAS,
        fit=fit,
        interpolation=interpolation,
        pad_value=114,
        **values,
    )
    np.testing.assert_array_equal(got, wanted)
    assert got.any()


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("width", [32, 31, 129, 300])
def test_channels_and_widths(fake: Any, layout: str, channels: int, width: int) -> None:
    """Vectors of four pixels, or element by element."""
    got, wanted = both(
        fake, arrays(channels=channels), size=(23, width), fit="letterbox", layout=layout
    )
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("align", ["center", "top-left"])
@pytest.mark.parametrize("scaleup", [True, False])
@pytest.mark.parametrize("fit", FITS)
def test_places(fake: Any, fit: str, align: str, scaleup: bool) -> None:
    got, wanted = both(
        fake, arrays(), size=(70, 77), fit=fit, align=align, scaleup=scaleup, pad_value=9
    )
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float64", "complex64", "complex128"])
def test_nearest_moves_any_bits(fake: Any, dtype: str) -> None:
    got, wanted = both(fake, arrays(dtype), size=CANVAS, fit="letterbox", interpolation="nearest")
    np.testing.assert_array_equal(got, wanted)
    assert got.any()


def test_lists_of_different_layouts(fake: Any) -> None:
    """Planes, pitched rows, reversed and stepped axes, a wide image: a launch holds them all."""
    whole = image(80, 121, 3)
    sources = [
        image(20, 30, 3),
        whole[::2, ::3],
        whole[::-1, ::-1],
        whole.transpose(2, 0, 1).copy().transpose(1, 2, 0),
        pitched(40, 50),
        np.broadcast_to(whole[:1], (70, 121, 3)),
        image(2, 70_000, 3),
    ]
    got, wanted = both(fake, sources, size=(33, 44), fit="cover", dtype="float32")
    np.testing.assert_array_equal(got, wanted)


def test_a_part_of_a_larger_batch(fake: Any) -> None:
    memory = np.full((12, 3, 40, 50), 7, np.float32)
    part = memory[2:10, :, 5:29, 9:41]
    fake.register(memory)
    out = pixview.from_pointer(
        address(part), part.shape, part.dtype, strides=part.strides, layout="NCHW", owner=memory
    )
    images = [fake.image(a, layout="HWC") for a in arrays()]
    wanted = pixview.stack(arrays(), to="numpy", size=CANVAS, fit="letterbox", **NORM)
    pixview.stack(images, out=out, size=CANVAS, fit="letterbox", **NORM)
    np.testing.assert_array_equal(part, wanted)
    part[...] = 7
    assert (memory == 7).all()


def test_regions(fake: Any) -> None:
    whole = image(60, 80, 3)
    rois = [[(0, 0, 60, 80), (10, 20, 5, 7), (59, 79, 1, 1)]]
    keywords: dict[str, Any] = {"rois": rois, "size": CANVAS, "fit": "stretch"}
    wanted = pixview.stack([whole], to="numpy", **keywords)
    got = np.zeros_like(wanted)
    out = fake.image(got, layout="NCHW")
    fake.reset()
    pixview.stack([fake.image(whole)], out=out, **keywords)
    assert fake.work() == ["launch"]
    np.testing.assert_array_equal(got, wanted)


# ---- launches ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "launches"), [(1, 1), (200, 1), (600, 3)])
def test_launches(fake: Any, n: int, launches: int) -> None:
    """Packed images of any size are of one kind."""
    sizes = np.random.default_rng(1).integers(1, 30, (n, 2))
    sources = [np.roll(image(h, w, 3), i) for i, (h, w) in enumerate(sizes)]
    wanted = pixview.stack(sources, to="numpy", size=(8, 8), fit="letterbox")
    got = np.zeros_like(wanted)
    out = fake.image(got, layout="NCHW")
    images = [cuda_array_interface(fake.register(a)) for a in sources]
    fake.reset()
    pixview.stack(images, out=out, size=(8, 8), fit="letterbox", src_layout="HWC")
    assert fake.work() == ["launch"] * launches
    np.testing.assert_array_equal(got, wanted)


def test_many_kinds(fake: Any) -> None:
    """As many as have room."""
    sources = [image(9, 12 + i, 3)[:, :11] for i in range(300)]
    wanted = pixview.stack(sources, to="numpy", size=(8, 8), fit="stretch")
    got = np.zeros_like(wanted)
    out = fake.image(got, layout="NCHW")
    images = [fake.image(a) for a in sources]
    fake.reset()
    pixview.stack(images, out=out, size=(8, 8), fit="stretch")
    assert set(fake.work()) == {"launch"} and len(fake.work()) <= 4
    np.testing.assert_array_equal(got, wanted)


def test_inside_a_capture(fake: Any, other_stream: int) -> None:
    """Nothing is allocated or copied, and no event crosses the capture's border."""
    images = [fake.image(a, layout="HWC") for a in arrays()]
    wanted = pixview.stack(arrays(), to="numpy", size=CANVAS, fit="letterbox")
    got = np.zeros_like(wanted)
    out = fake.image(got, layout="NCHW", stream=other_stream)
    pixview.stack(images, out=out, size=CANVAS, fit="letterbox")  # loads the kernels
    got[...] = 0
    fake.lib.fake_set_capture.argtypes = [ctypes.c_uint64, ctypes.c_int, ctypes.c_uint64]
    fake.lib.fake_capture_status.argtypes = [ctypes.c_uint64]
    fake.reset()
    fake.lib.fake_set_capture(other_stream, 1, 7)
    try:
        pixview.stack(images, out=out, size=CANVAS, fit="letterbox")
        assert fake.lib.fake_capture_status(other_stream) == 1
        assert fake.work() == ["launch"]
    finally:
        fake.lib.fake_set_capture(other_stream, 0, 0)
    np.testing.assert_array_equal(got, wanted)


def test_the_result_is_made_on_the_gpu(fake: Any, cupy: Any) -> None:
    images = [fake.image(a, layout="HWC") for a in arrays()]
    out, placements = pixview.stack(
        images, to="cupy", size=CANVAS, fit="letterbox", return_placements=True
    )
    assert out.shape == (len(SIZES), 3, *CANVAS) and len(placements) == len(SIZES)
    wanted = pixview.stack(arrays(), to="numpy", size=CANVAS, fit="letterbox")
    np.testing.assert_array_equal(
        pixview.as_numpy(out, copy=True, src_layout="NCHW"), wanted.transpose(0, 2, 3, 1)
    )


# ---- filters ------------------------------------------------------------------------------------


@pytest.fixture
def keep_filters() -> Iterator[Any]:
    """Their tables stay on the GPU, up to so many bytes."""
    yield pixview._core._keep_filters
    pixview._core._keep_filters(16 << 20)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("interpolation", ["area", "pil-bilinear", "pil-bicubic", "pil-lanczos"])
@pytest.mark.parametrize("values", [{}, NORM], ids=["as it is", "normalised"])
def test_filters_equal_the_host(
    fake: Any, keep_filters: Any, fit: str, interpolation: str, values: Any
) -> None:
    sources = arrays()
    keywords: dict[str, Any] = {"size": CANVAS, "fit": fit, "interpolation": interpolation}
    keywords |= {"pad_value": 114, **values}
    on_host = pixview.stack(sources, to="numpy", src_layout="HWC", **keywords)
    got = np.zeros(on_host.shape, on_host.dtype)
    images = [fake.image(a, layout="HWC") for a in sources]
    out = fake.image(got, layout="NCHW")
    works = ["alloc copy sync launch", "launch", "alloc copy launch free"]
    for most, work in zip([1 << 20, None, 0], works, strict=True):
        if most is not None:
            keep_filters(most)
        got[...] = 0
        fake.reset()
        pixview.stack(images, out=out, **keywords)
        assert " ".join(call for call in fake.work() if call != "load") == work
        np.testing.assert_array_equal(got, on_host)
    assert fake.lib.fake_live_blocks() == 0


def test_filters_of_many_sizes(fake: Any) -> None:
    """Several launches: 37 images of as many kinds have room."""
    rng = np.random.default_rng(2)
    sources = [image(h, w, 3) for h, w in rng.integers(1, 40, (100, 2))]
    keywords: dict[str, Any] = {"size": (9, 8), "fit": "cover", "interpolation": "pil-bilinear"}
    wanted = pixview.stack(sources, to="numpy", src_layout="HWC", **keywords)
    got = np.zeros_like(wanted)
    images = [fake.image(a, layout="HWC") for a in sources]
    out = fake.image(got, layout="NCHW")
    fake.reset()
    pixview.stack(images, out=out, **keywords)
    assert fake.work().count("launch") == 3
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("dtype", ["uint16", "float16", "float32"])
def test_area_of_other_types(fake: Any, dtype: str) -> None:
    sources = arrays(dtype)
    keywords: dict[str, Any] = {"size": CANVAS, "fit": "letterbox", "interpolation": "area"}
    on_host = pixview.stack(sources, to="numpy", src_layout="HWC", **keywords)
    got = np.zeros(on_host.shape, on_host.dtype)
    images = [fake.image(a, layout="HWC") for a in sources]
    pixview.stack(images, out=fake.image(got, layout="NCHW"), **keywords)
    np.testing.assert_array_equal(got, on_host)


def capture(fake: Any) -> tuple[Stream, np.ndarray[Any, Any], Any, Any]:
    """A stream in a capture, and the ends of a call."""
    fake.lib.fake_set_capture.argtypes = [ctypes.c_uint64, ctypes.c_int, ctypes.c_uint64]
    fake.lib.fake_stream_non_blocking.restype = ctypes.c_uint64
    fake.lib.fake_destroy_graph.argtypes = fake.lib.fake_replay.argtypes = [ctypes.c_uint64]
    stream = Stream(fake.lib.fake_stream_non_blocking(0))
    got = np.full((1, 3, 8, 8), 5, np.uint8)
    v = fake.image(image(20, 30, 3), layout="HWC", stream=stream)
    out = fake.image(got, layout="NCHW", stream=stream)
    fake.lib.fake_set_capture(stream, 1, 10)
    return stream, got, v, out


@pytest.mark.parametrize("interpolation", ["area", "pil-bilinear", "pil-bicubic", "pil-lanczos"])
def test_filters_in_a_capture(fake: Any, keep_filters: Any, interpolation: str) -> None:
    """Tables that are not kept live until the graph is destroyed, and are freed by the next call."""
    keep_filters(0)
    stream, got, v, out = capture(fake)
    keywords: dict[str, Any] = {"size": (8, 8), "fit": "stretch", "interpolation": interpolation}
    pixview.stack([v], out=out, stream=stream, **keywords)
    assert fake.lib.fake_capture_status(stream) == 1
    fake.lib.fake_set_capture(stream, 0, 0)
    got[:] = 0
    fake.lib.fake_replay(10)
    on_host = pixview.stack([image(20, 30, 3)], to="numpy", src_layout="HWC", **keywords)
    np.testing.assert_array_equal(got, on_host)
    assert fake.lib.fake_live_blocks() == 1
    fake.lib.fake_destroy_graph(10)
    assert fake.lib.fake_live_blocks() == 1
    pixview.stack([v], out=out, **keywords)
    assert fake.lib.fake_live_blocks() == 0


def test_filters_that_a_graph_does_not_take(fake: Any, keep_filters: Any) -> None:
    keep_filters(0)
    stream, got, v, out = capture(fake)
    fake.lib.fake_fail_call(b"cuGraphRetainUserObject", 2)
    with pytest.raises(pixview.CudaError, match="give memory to a graph") as e:
        pixview.stack([v], out=out, size=(8, 8), fit="stretch", interpolation="area", stream=stream)
    assert e.value.code == 2 and fake.lib.fake_capture_status(stream) == 1
    fake.lib.fake_fail_call(None, 0)
    fake.lib.fake_set_capture(stream, 0, 0)
    fake.lib.fake_destroy_graph(10)
    pixview.stack([v], out=out, size=(8, 8), fit="stretch")
    assert fake.lib.fake_live_blocks() == 0
