# SPDX-License-Identifier: Apache-2.0
"""stack with a geometry, in host memory: the bytes of cv2 and Pillow, placements, regions, wrong arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pixview
import pytest
from support import check_python, image

RNG = np.random.default_rng(20261129)
SIZES = [
    (1, 1, 5, 7),
    (3, 1, 9, 4),
    (1, 9, 4, 3),
    (40, 60, 20, 30),
    (37, 53, 64, 64),
    (94, 21, 10, 40),
]
SIZES += [tuple(int(n) for n in RNG.integers(1, 200, 4)) for _ in range(60)]  # type: ignore[misc]


def random_image(h: int, w: int, c: int, dtype: Any = np.uint8) -> Any:
    if np.dtype(dtype).kind == "f":
        return RNG.normal(0, 50, (h, w, c)).astype(dtype)
    return RNG.integers(0, np.iinfo(dtype).max + 1, (h, w, c)).astype(dtype)


def resized(x: Any, h: int, w: int, interpolation: str, **keywords: Any) -> Any:
    return pixview.stack(
        [x],
        to="numpy",
        layout="NHWC",
        size=(h, w),
        fit="stretch",
        interpolation=interpolation,
        **keywords,
    )[0]


# ---- the bytes of others ----


@pytest.mark.cv2
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_bytes_of_opencv(cv2: Any, channels: int) -> None:
    for h, w, new_h, new_w in SIZES:
        a = random_image(h, w, channels)
        for name, flag in (("linear", cv2.INTER_LINEAR), ("nearest", cv2.INTER_NEAREST)):
            wanted = cv2.resize(a, (new_w, new_h), interpolation=flag).reshape(
                new_h, new_w, channels
            )
            np.testing.assert_array_equal(
                resized(a, new_h, new_w, name), wanted, f"{name} {a.shape}"
            )


@pytest.mark.parametrize("name", ["bilinear", "bicubic", "lanczos"])
def test_bytes_of_pillow(name: str) -> None:
    pil = pytest.importorskip("PIL.Image")
    version = int(pytest.importorskip("PIL").__version__.split(".")[0])
    for h, w, new_h, new_w in SIZES:
        if version < 13 and new_h < h and h - new_h > 2 * (w - new_w):
            continue  # Pillow 13 filters the rows first there
        a = random_image(h, w, 3)
        wanted = np.asarray(pil.fromarray(a).resize((new_w, new_h), getattr(pil, name.upper())))
        got = resized(a, new_h, new_w, f"pil-{name}")
        np.testing.assert_array_equal(got, wanted, f"{a.shape} to {new_h} x {new_w}")


# ---- formulas ----


def linear(a: Any, axis: int, length: int) -> Any:
    """Between pixel centres, in double."""
    n = a.shape[axis]
    at = np.clip((np.arange(length) + 0.5) * n / length - 0.5, 0, n - 1)
    first = np.floor(at).astype(int)
    second, shape = np.minimum(first + 1, n - 1), [1] * a.ndim
    shape[axis] = length
    weight = (at - first).reshape(shape)
    return np.take(a, first, axis) * (1 - weight) + np.take(a, second, axis) * weight


def areas(n: int, length: int) -> Any:
    weights, scale = np.zeros((length, n)), n / length
    for i in range(length):
        low, high = i * scale, (i + 1) * scale
        for x in range(int(low), min(int(np.ceil(high)), n)):
            weights[i, x] = max(0.0, min(high, x + 1) - max(low, x)) / scale
    return weights


@pytest.mark.parametrize("dtype", [np.uint16, np.float16, np.float32])
def test_linear_of_other_types(dtype: Any) -> None:
    for h, w, new_h, new_w in SIZES[:30]:
        a = random_image(h, w, 3, dtype)
        exact = linear(linear(a.astype(float), 0, new_h), 1, new_w)
        got = resized(a, new_h, new_w, "linear", dtype="float32")
        np.testing.assert_allclose(got, exact, rtol=0, atol=1e-5 * np.abs(a).max())
        own = resized(a, new_h, new_w, "linear")
        assert own.dtype == dtype
        rounded = np.rint(got) if dtype == np.uint16 else got
        np.testing.assert_array_equal(own, rounded.astype(dtype))


def test_area() -> None:
    for h, w, new_h, new_w in SIZES[:30]:
        a = random_image(h, w, 3)
        exact = np.einsum(
            "ij,jkc->ikc", areas(h, new_h), np.einsum("ij,kjc->kic", areas(w, new_w), a)
        )
        got = resized(a, new_h, new_w, "area").astype(int)
        assert np.abs(got - np.rint(exact)).max() <= 1
        floats = resized(a.astype(np.float32), new_h, new_w, "area")
        np.testing.assert_allclose(floats, exact, atol=1e-3)


@pytest.mark.parametrize("interpolation", ["linear", "nearest", "area", "pil-bicubic"])
def test_the_same_size_is_a_copy(interpolation: str) -> None:
    a = random_image(31, 17, 3)
    np.testing.assert_array_equal(resized(a, 31, 17, interpolation), a)


def test_an_infinity_without_weight_counts_for_nothing() -> None:
    a = np.array([[1.0, np.inf, 2.0, 3.0]], np.float32)
    assert resized(a, 1, 2, "linear")[0].ravel()[1] == 2.5
    np.testing.assert_array_equal(resized(a, 2, 4, "linear")[..., 0], np.repeat(a, 2, 0))


# ---- with the rest of stack ----


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("interpolation", ["linear", "nearest", "area", "pil-lanczos"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_values_come_after_the_resize(layout: str, interpolation: str, dtype: str) -> None:
    """As stack of the resized images, on the same place of the canvas."""
    images = [random_image(*hw, 3) for hw in ((50, 80), (90, 20), (31, 31))]
    keywords: dict[str, Any] = {"scale": 1 / 255, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}
    keywords |= {"swap_rb": True, "dtype": dtype, "layout": layout, "to": "numpy"}
    got, placements = pixview.stack(
        images, size=(48, 64), fit="letterbox", interpolation=interpolation, pad_value=114,
        return_placements=True, **keywords,
    )  # fmt: skip
    for x, one, p in zip(images, got, placements, strict=True):
        canvas = np.full((48, 64, 3), 114, np.uint8)
        canvas[p.y : p.y + p.h, p.x : p.x + p.w] = resized(x, p.h, p.w, interpolation)
        np.testing.assert_array_equal(one, pixview.stack([canvas], **keywords)[0])


@pytest.mark.parametrize("strides", ["planar", "backwards", "wide"])
@pytest.mark.parametrize("interpolation", ["linear", "nearest", "area", "pil-bilinear"])
def test_sources_of_any_strides(strides: str, interpolation: str) -> None:
    a = random_image(40, 50, 3)
    x, layout = {
        "planar": (np.ascontiguousarray(a.transpose(2, 0, 1)), "CHW"),
        "backwards": (np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1], "HWC"),
        "wide": (np.repeat(a, 2, 1)[:, ::2], "HWC"),
    }[strides]
    got = resized(x, 23, 61, interpolation, src_layout=layout)
    np.testing.assert_array_equal(got, resized(a, 23, 61, interpolation))


def test_many_channels() -> None:
    a = random_image(20, 30, 70)
    got = resized(a, 11, 41, "linear")
    for c in (0, 31, 32, 69):
        np.testing.assert_array_equal(
            got[..., c], resized(a[..., c : c + 1], 11, 41, "linear")[..., 0]
        )


@pytest.mark.parametrize("interpolation", ["linear", "area", "pil-lanczos"])
def test_large_images_and_threads(interpolation: str) -> None:
    a = random_image(1500, 2000, 3)
    whole = resized(a, 700, 900, interpolation)
    pixview._core._host_threads(3)
    try:
        np.testing.assert_array_equal(resized(a, 700, 900, interpolation), whole)
        pixview._core._host_threads(1)
        np.testing.assert_array_equal(resized(a, 700, 900, interpolation), whole)
    finally:
        pixview._core._host_threads(0)


@pytest.mark.parametrize("size", [(4000, 3), (3, 4000)])
def test_very_strong_reductions(size: tuple[int, int]) -> None:
    pil = pytest.importorskip("PIL.Image")
    a = random_image(*size, 3)
    wanted = np.asarray(pil.fromarray(a).resize((2, 2), pil.LANCZOS))
    if int(pytest.importorskip("PIL").__version__.split(".")[0]) >= 13:
        np.testing.assert_array_equal(resized(a, 2, 2, "pil-lanczos"), wanted)
    assert np.abs(resized(a, 2, 2, "area").astype(int) - a.mean()).max() < 20


def test_a_batch_is_the_list_of_its_images() -> None:
    batch = np.stack([random_image(20, 30, 3) for _ in range(3)])
    keywords: dict[str, Any] = {"to": "numpy", "size": (16, 16), "fit": "letterbox"}
    np.testing.assert_array_equal(
        pixview.stack(batch, src_layout="NHWC", **keywords), pixview.stack(list(batch), **keywords)
    )


def test_cover_is_the_middle_of_the_resized() -> None:
    a = random_image(50, 90, 3)
    got = pixview.stack([a], to="numpy", layout="NHWC", size=(40, 40), fit="cover")[0]
    np.testing.assert_array_equal(got, resized(a, 40, 72, "linear")[:, 16:56])


def test_a_stride_makes_the_canvas_smaller() -> None:
    images = [random_image(100, 200, 3), random_image(90, 200, 3)]
    got, placements = pixview.stack(
        images, to="numpy", size=(640, 640), fit="letterbox", stride=32, return_placements=True
    )
    assert got.shape == (2, 3, 320, 640) and placements[0].canvas == (320, 640)
    assert (placements[1].y, placements[1].h) == (16, 288)


def test_out_is_part_of_a_ring() -> None:
    ring = np.full((4, 2, 3, 16, 20), 7, np.uint8)
    images = [random_image(9, 11, 3), random_image(30, 8, 3)]
    got = pixview.stack(images, out=ring[1], size=(16, 20), fit="letterbox", pad_value=3)
    assert got.base is ring or got is not ring
    wanted = pixview.stack(images, to="numpy", size=(16, 20), fit="letterbox", pad_value=3)
    np.testing.assert_array_equal(ring[1], wanted)
    assert (ring[[0, 2, 3]] == 7).all()


# ---- regions and channels ----


def test_a_region_for_each() -> None:
    images = [random_image(30, 40, 3), random_image(20, 20, 3)]
    rois = [(2, 3, 10, 20), (0, 0, 20, 20)]
    got, placements = pixview.stack(
        images, to="numpy", size=(8, 8), fit="stretch", rois=rois, return_placements=True
    )
    parts = [x[y : y + h, c : c + w] for x, (y, c, h, w) in zip(images, rois, strict=True)]
    np.testing.assert_array_equal(got, pixview.stack(parts, to="numpy", size=(8, 8), fit="stretch"))
    assert placements[0].source == (2, 3, 10, 20)
    np.testing.assert_allclose(placements[0].to_source(np.array([[4.0, 4.0]])), [[13.0, 7.0]])


def test_many_regions_for_each() -> None:
    images = [random_image(30, 40, 3) for _ in range(3)]
    rois = [[(0, 0, 5, 5), (1, 2, 7, 9)], [], [(10, 10, 20, 30)]]
    got = pixview.stack(images, to="numpy", size=(6, 6), fit="cover", rois=rois)
    parts = [images[0][:5, :5], images[0][1:8, 2:11], images[2][10:, 10:]]
    np.testing.assert_array_equal(got, pixview.stack(parts, to="numpy", size=(6, 6), fit="cover"))
    array = np.array([[[0, 0, 5, 5], [1, 2, 7, 9]]] * 3)
    assert pixview.stack(images, to="numpy", size=(6, 6), fit="cover", rois=array).shape[0] == 6


def test_single_regions_behind_a_list_of_them() -> None:
    """More of them than the list has: a process of its own, as they were written behind their memory."""
    check_python("""
import numpy as np, pixview
x = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
rois = [[(0, 0, 5, 5)]] + [(i % 15, i % 25, 5, 5) for i in range(20_000)]
got = pixview.stack([x] * len(rois), to="numpy", rois=rois)
for i, part in enumerate(got):
    y, c = rois[i][:2] if i else (0, 0)
    assert (part == x[y : y + 5, c : c + 5].transpose(2, 0, 1)).all()
""")


def test_regions_that_go_while_they_are_read() -> None:
    class Clears:
        def __index__(self) -> int:
            rois.clear()
            group.clear()
            return 1

    for group in ([(Clears(), 0, 5, 5), (2, 2, 5, 5)], [(1, 0, 5, 5), (2, 2, 5, Clears())]):
        rois: list[Any] = [group, (3, 3, 5, 5)]
        images = [random_image(20, 30, 3)] * 2
        got = pixview.stack(images, to="numpy", size=(8, 8), fit="stretch", rois=rois)
        assert len(got) == 3 and not rois and not group


def test_regions_without_a_fit() -> None:
    images = [random_image(30, 40, 3) for _ in range(2)]
    same = pixview.stack(images, to="numpy", rois=[(1, 1, 5, 6), (2, 2, 5, 6)])
    np.testing.assert_array_equal(same[1], images[1][2:7, 2:8].transpose(2, 0, 1))
    padded, placements = pixview.stack(
        images, to="numpy", rois=[(1, 1, 5, 6), (2, 2, 3, 3)], size=(8, 8), return_placements=True
    )
    np.testing.assert_array_equal(padded[1, :, :3, :3], images[1][2:5, 2:5].transpose(2, 0, 1))
    assert placements[1].source == (2, 2, 3, 3) and (placements[1].y, placements[1].h) == (0, 3)


def test_regions_of_a_batch() -> None:
    batch = np.stack([random_image(20, 30, 3) for _ in range(2)])
    got = pixview.stack(batch, src_layout="NHWC", to="numpy", rois=[(0, 0, 4, 4), (5, 6, 4, 4)])
    np.testing.assert_array_equal(got[1], batch[1, 5:9, 6:10].transpose(2, 0, 1))


@pytest.mark.parametrize("fit", [None, "letterbox"])
def test_three_of_four_channels(fit: Any) -> None:
    images = [random_image(8, 9, 4) for _ in range(2)]
    keywords: dict[str, Any] = {"to": "numpy", "size": (8, 9), "fit": fit, "mean": [1, 2, 3]}
    got = pixview.stack(images, channels=3, **keywords)
    np.testing.assert_array_equal(got, pixview.stack([x[..., :3] for x in images], **keywords))


# ---- wrong arguments ----

BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no size": ({"size": None}, pixview.LayoutError, r"fit='letterbox' needs the size=\(H, W\)"),
    "size 0": ({"size": (0, 5)}, pixview.LayoutError, "canvas of 0 x 5"),
    "fit": (
        {"fit": "contain"},
        pixview.LayoutError,
        "fit='contain' is not one of 'stretch', 'letterbox'",
    ),
    "interpolation": (
        {"interpolation": "cubic"},
        pixview.LayoutError,
        "interpolation='cubic' is not",
    ),
    "interpolation 1": ({"interpolation": 1}, TypeError, "interpolation=1 is not a string"),
    "stride": ({"stride": -1}, pixview.LayoutError, "stride=-1"),
    "stride of cover": ({"stride": 32, "fit": "cover"}, pixview.LayoutError, "stride=32"),
    "scaleup": ({"scaleup": "no"}, TypeError, "scaleup='no'"),
    "channels": ({"channels": 0}, pixview.LayoutError, "channels=0"),
    "channels 5": ({"channels": 5}, pixview.LayoutError, r"channels=5, but images\[0\] has 3"),
    "channels 1.5": ({"channels": 1.5}, TypeError, "float"),
    "one roi": (
        {"rois": [(0, 0, 2, 2)]},
        pixview.LayoutError,
        "rois has 1 entries, but there are 2",
    ),
    "no roi": ({"rois": [[], []]}, pixview.LayoutError, "rois has no region"),
    "roi outside": (
        {"rois": [(0, 0, 2, 2), (0, 0, 9, 2)]},
        pixview.LayoutError,
        r"images\[1\], y=0 x=0 h=9 w=2, is not inside its 6 rows and 7 columns",
    ),
    "roi empty": ({"rois": [(0, 0, 0, 2)] * 2}, pixview.LayoutError, "at least one pixel"),
    "roi of three": ({"rois": [(0, 0, 2)] * 2}, pixview.LayoutError, r"rois\[0\]=\(0, 0, 2\)"),
    "roi of fractions": ({"rois": [(0, 0, 2.5, 2)] * 2}, TypeError, r"rois\[0\]"),
    "rois of numbers": ({"rois": 7}, TypeError, "rois=7 is not a sequence"),
    "rois that do not end": ({"rois": iter([])}, TypeError, "is not a sequence"),
    "placements": ({"return_placements": 3}, TypeError, "return_placements=3"),
}


@pytest.mark.parametrize("what", BAD)
def test_wrong_arguments(what: str) -> None:
    arguments, error, text = BAD[what]
    out = np.full((2, 3, 8, 8), 5, np.uint8)
    keywords = {"size": (8, 8), "fit": "letterbox"} | arguments
    with pytest.raises(error, match=text):
        pixview.stack([image(6, 7, 3), image(6, 7, 3)], out=out, **keywords)
    assert (out == 5).all()


def test_images_that_do_not_go_together() -> None:
    keywords: dict[str, Any] = {"to": "numpy", "size": (4, 4), "fit": "stretch"}
    with pytest.raises(pixview.LayoutError, match=r"images\[1\] has H,W,C"):
        pixview.stack([image(5, 6, 3), image(5, 6, 4)], **keywords)
    with pytest.raises(pixview.LayoutError, match=r"images\[1\]: an image of 0 x 6"):
        pixview.stack([image(5, 6, 3), image(0, 6, 3)], **keywords)
    with pytest.raises(pixview.DtypeError, match="float32 images cannot .* Pillow's filters"):
        pixview.stack([np.zeros((4, 4), np.float32)], interpolation="pil-bicubic", **keywords)
    with pytest.raises(pixview.DtypeError, match="int32 images cannot .* 'nearest'"):
        pixview.stack([np.zeros((4, 4), np.int32)], **keywords)
    got = pixview.stack(
        [np.arange(4, dtype=np.int64).reshape(2, 2)], interpolation="nearest", **keywords
    )
    assert got.dtype == np.int64 and got[0, 0, 3, 3] == 3
