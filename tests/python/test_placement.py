# SPDX-License-Identifier: Apache-2.0
"""Where images go on a canvas, beside the formulas of ultralytics and torchvision; boxes there and back."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pixview
import pytest

CANVASES = [(640, 640), (384, 640), (224, 224), (1, 1), (17, 300), (1080, 1920)]
EVERY = 1 if os.environ.get("PIXVIEW_ALL_SIZES") else 97
SIZES = [*range(1, 20), *range(20, 2001, EVERY)]


def letterbox(h: int, w: int, canvas: tuple[int, int], scaleup: bool, stride: int | None) -> Any:
    """ultralytics 8.4, LetterBox.__call__: top, left, height, width, canvas."""
    r = min(canvas[0] / h, canvas[1] / w)
    if not scaleup:
        r = min(r, 1.0)
    new_w, new_h = max(round(w * r), 1), max(round(h * r), 1)
    dw, dh = canvas[1] - new_w, canvas[0] - new_h
    if stride:
        dw, dh = np.mod(dw, stride), np.mod(dh, stride)
    whole = (new_h + dh, new_w + dw)
    return round(dh / 2 - 0.1), round(dw / 2 - 0.1), new_h, new_w, whole


def cover(h: int, w: int, size: int) -> Any:
    """torchvision's Resize(size) and CenterCrop(size): first row and column of the resized, its extents."""
    short, long = (w, h) if w <= h else (h, w)
    new_long = int(size * long / short)
    new_w, new_h = (size, new_long) if w <= h else (new_long, size)
    return round((new_h - size) / 2.0), round((new_w - size) / 2.0), new_h, new_w


def sizes() -> Any:
    return ((h, w) for i, h in enumerate(SIZES) for w in SIZES[i % 3 :: 3])


@pytest.mark.parametrize("canvas", CANVASES)
@pytest.mark.parametrize(("scaleup", "stride"), [(True, None), (False, None), (True, 32)])
def test_letterbox(canvas: tuple[int, int], scaleup: bool, stride: int | None) -> None:
    for h, w in sizes():
        top, left, new_h, new_w, whole = letterbox(h, w, canvas, scaleup, stride)
        p = pixview.placement((h, w), canvas, fit="letterbox", scaleup=scaleup, stride=stride)
        assert (p.y, p.x, p.h, p.w, p.canvas) == (top, left, new_h, new_w, whole), (h, w)
        assert p.source == (0, 0, h, w) and (p.scale_y, p.scale_x) == (new_h / h, new_w / w)


@pytest.mark.parametrize("size", [224, 1, 640])
def test_cover(size: int) -> None:
    for h, w in sizes():
        top, left, new_h, new_w = cover(h, w, size)
        p = pixview.placement((h, w), (size, size), fit="cover")
        assert (p.y, p.x, p.h, p.w, p.canvas) == (0, 0, size, size, (size, size)), (h, w)
        wanted = (top * h / new_h, left * w / new_w, size * h / new_h, size * w / new_w)
        assert p.source == wanted and (p.scale_y, p.scale_x) == (new_h / h, new_w / w)


@pytest.mark.parametrize("canvas", CANVASES)
def test_cover_of_any_canvas(canvas: tuple[int, int]) -> None:
    for h, w in sizes():
        p = pixview.placement((h, w), canvas, fit="cover")
        assert (p.y, p.x, p.h, p.w) == (0, 0, *canvas)
        y, x, rows, cols = p.source
        assert y >= 0 and x >= 0 and y + rows <= h + 1e-9 and x + cols <= w + 1e-9


def test_cover_without_scaling_up_pads() -> None:
    p = pixview.placement((10, 30), (20, 20), fit="cover", scaleup=False)
    assert p == (5, 0, 10, 20, (0.0, 5.0, 10.0, 20.0), 1.0, 1.0, (20, 20))


def test_stretch_and_none() -> None:
    p = pixview.placement((10, 30), (20, 15), fit="stretch")
    assert p == (0, 0, 20, 15, (0.0, 0.0, 10.0, 30.0), 2.0, 0.5, (20, 15))
    p = pixview.placement((10, 30), (20, 15), fit="stretch", scaleup=False)
    assert (p.y, p.h, p.scale_y, p.w, p.scale_x) == (5, 10, 1.0, 15, 0.5)
    p = pixview.placement((10, 30), (20, 40))
    assert p == (0, 0, 10, 30, (0.0, 0.0, 10.0, 30.0), 1.0, 1.0, (20, 40))


def test_top_left() -> None:
    p = pixview.placement((10, 20), (40, 40), fit="letterbox", align="top-left")
    assert (p.y, p.x, p.h, p.w) == (0, 0, 20, 40)
    p = pixview.placement((10, 20), (40, 40), fit="cover", align="top-left")
    assert p.source == (0, 0, 10, 10)


WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no pixels": ({"source_hw": (0, 5)}, pixview.LayoutError, "0 x 5"),
    "huge": ({"source_hw": (1, 2**31)}, pixview.LayoutError, "2147483648"),
    "no canvas": ({"size": (0, 4)}, pixview.LayoutError, "canvas of 0 x 4"),
    "one number": ({"size": 640}, TypeError, r"size=640 is not \(H, W\)"),
    "three": ({"size": (3, 4, 5)}, pixview.LayoutError, r"size=\(3, 4, 5\)"),
    "fraction": ({"size": (3.5, 4)}, TypeError, "size"),
    "word": (
        {"fit": "fill"},
        pixview.LayoutError,
        "fit='fill' is not one of 'stretch', 'letterbox'",
    ),
    "no word": ({"fit": 3}, TypeError, "fit=3 is not a string"),
    "align": ({"align": "left"}, pixview.LayoutError, "align='left'"),
    "scaleup": ({"scaleup": 2}, TypeError, "scaleup=2"),
    "stride 0": ({"stride": 0}, pixview.LayoutError, "stride=0"),
    "stride of a stretch": ({"fit": "stretch", "stride": 32}, pixview.LayoutError, "stride=32"),
    "too large": (
        {"fit": None, "size": (4, 50)},
        pixview.LayoutError,
        "5 x 6 does not fit .* 4 x 50",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_arguments(what: str) -> None:
    arguments, error, text = WRONG[what]
    good = {"source_hw": (5, 6), "size": (8, 8), "fit": "letterbox"} | arguments
    with pytest.raises(error, match=text):
        pixview.placement(good.pop("source_hw"), good.pop("size"), **good)


def test_sizes_of_numpy() -> None:
    hw = np.array([5, 6])
    assert pixview.placement(hw, list(hw), fit="stretch").canvas == (5, 6)


# ---- boxes ----


def some(count: int = 4) -> pixview.Placements:
    return pixview.Placements(
        pixview.placement((300 + 17 * i, 500 - 31 * i), (640, 640), fit="letterbox")
        for i in range(count)
    )


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("columns", [2, 4])
def test_there_and_back(request: pytest.FixtureRequest, library: str, columns: int) -> None:
    placements = some()
    points = np.random.default_rng(1).uniform(0, 300, (50, columns))
    index = np.arange(50) % 4
    if library == "torch":
        torch = request.getfixturevalue("torch")
        points, index = torch.from_numpy(points), torch.from_numpy(index)
    canvas = placements.to_canvas(points, index)
    assert type(canvas) is type(points)
    back = placements.to_source(canvas, index)
    np.testing.assert_allclose(np.asarray(back), np.asarray(points), atol=1e-4)
    p = placements[2]
    x, y = (float(v) for v in points[2][:2])
    assert float(canvas[2][0]) == pytest.approx(p.x + x * p.scale_x)
    assert float(canvas[2][1]) == pytest.approx(p.y + y * p.scale_y)


def test_boxes_are_clipped() -> None:
    p = pixview.placement((300, 500), (640, 640), fit="letterbox")
    boxes = np.array([[-5.0, 0.0, 700.0, 640.0]])
    np.testing.assert_allclose(p.to_source(boxes), [[0, 0, 500, 300]])
    free = p.to_source(boxes, clip=False)
    assert free[0, 0] < 0 and free[0, 3] > 300
    np.testing.assert_allclose(p.to_canvas(np.array([[-9.0, -9.0]])), [[p.x, p.y]])
    part = pixview.placement((200, 400), (100, 100), fit="cover")
    np.testing.assert_allclose(part.to_source(np.array([[-1, 0, 100, 100]])), [[100, 0, 300, 200]])


def test_a_batch_of_boxes() -> None:
    placements = some(3)
    boxes = np.random.default_rng(2).uniform(0, 640, (3, 7, 4)).astype(np.float32)
    got = placements.to_source(boxes)
    assert got.shape == boxes.shape and got.dtype == np.float32
    for i in range(3):
        np.testing.assert_allclose(got[i], placements[i].to_source(boxes[i]))
        np.testing.assert_allclose(got[i], placements.to_source(boxes[i], i))
    assert placements[1:].to_source(boxes[1:]).shape == (2, 7, 4)
    assert some(1).to_source(boxes[0]).shape == (7, 4)


def test_integers_and_no_boxes(torch: Any) -> None:
    p = some()[1]
    whole = np.array([[3, 100, 50, 300]])
    np.testing.assert_allclose(p.to_source(whole), p.to_source(whole.astype(float)))
    assert p.to_source(torch.tensor([[3, 100]])).dtype == torch.float32
    assert p.to_source(np.empty((0, 4))).shape == (0, 4)


@pytest.mark.parametrize("shape", [(4,), (3, 3), (2, 4, 4, 4)])
def test_points_of_a_wrong_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(pixview.LayoutError, match="points of shape"):
        some().to_source(np.zeros(shape), 0)
    with pytest.raises(pixview.LayoutError, match="index="):
        some().to_source(np.zeros((9, 4)))
    with pytest.raises(TypeError, match="points are a list"):
        some()[0].to_source([[1, 2]])
