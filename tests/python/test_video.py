# SPDX-License-Identifier: Apache-2.0
"""Video frames in host memory: every format against NumPy, as images, in lists, and back."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pixview
import pytest
from support import address, check_flat, dead, image
from video_formula import FORMATS, KR_KB, Array, planes_of, random_yuv, to_rgb, to_yuv444

BT709: dict[str, Any] = {"matrix": "bt709", "range": "limited"}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def nv12(h: int = 12, w: int = 16, seed: int = 0, **keywords: Any) -> pixview.VideoFrame:
    f = FORMATS["NV12"]
    planes = planes_of(f, random_yuv(f, h, w, seed))
    return pixview.video_frame(planes, **{"format": "NV12", **BT709, **keywords})


def rgb_of(frame: pixview.VideoFrame) -> Array:
    return pixview.as_numpy(frame)


# ---- what a frame is --------------------------------------------------------------------------


def test_a_frame_describes_itself() -> None:
    frame = nv12(5, 7)
    assert (frame.format, frame.height, frame.width) == ("NV12", 5, 7)
    assert (frame.matrix, frame.range, frame.bit_depth) == ("bt709", "limited", 8)
    assert (frame.order, frame.device, frame.stream) == ("RGB", ("cpu", 0), None)
    assert [p.shape for p in frame.planes] == [(5, 7), (3, 4, 2)]
    assert repr(frame) == "<pixview.VideoFrame NV12 7x5 bt709 limited on cpu:0>"
    assert "as BGR" in repr(nv12(order="BGR"))
    with pytest.raises(TypeError, match="video_frame"):
        pixview.VideoFrame()
    with pytest.raises(AttributeError):
        frame.format = "NV21"  # type: ignore[misc]


def test_planes_are_views() -> None:
    y, uv = np.zeros((4, 6), np.uint8), np.zeros((2, 3, 2), np.uint8)
    frame = pixview.video_frame((y, uv), format="nv12", **BT709)
    assert [address(p) for p in frame.planes] == [address(y), address(uv)]
    pixview.as_numpy(frame.planes[1])[0, 0] = 9
    assert uv[0, 0].tolist() == [9, 9]


def test_a_view_of_a_plane_outlives_the_frame() -> None:
    y, uv = np.full((4, 6), 3, np.uint8), np.zeros((2, 3, 2), np.uint8)
    ref = weakref.ref(y)
    plane = pixview.as_numpy(pixview.video_frame((y, uv), format="NV12", **BT709).planes[0])
    del y
    gc.collect()
    assert ref() is not None and plane[3, 5] == 3
    del plane
    assert dead(ref)


def test_a_copy_has_memory_of_its_own() -> None:
    frame = nv12(7, 9)
    wanted = rgb_of(frame)
    copy = pixview.video_frame(frame, copy=True)
    for plane in frame.planes:
        pixview.as_numpy(plane)[...] = 0
    np.testing.assert_array_equal(rgb_of(copy), wanted)
    assert [address(p) for p in copy.planes] != [address(p) for p in frame.planes]
    assert (copy.matrix, copy.range, copy.order) == ("bt709", "limited", "RGB")


def test_a_frame_of_a_frame_keeps_what_is_not_passed() -> None:
    frame = nv12(order="BGR")
    again = pixview.video_frame(frame)
    assert (again.order, again.matrix, again.range) == ("BGR", "bt709", "limited")
    other = pixview.video_frame(frame, order="RGB", matrix="bt601", range="full", size=(4, 6))
    assert (other.order, other.matrix, other.range) == ("RGB", "bt601", "full")
    assert (other.height, other.width) == (4, 6)


def test_frames_leak_nothing() -> None:
    planes = planes_of(FORMATS["NV12"], random_yuv(FORMATS["NV12"], 4, 6))
    frame = pixview.video_frame(planes, format="NV12", **BT709)
    rgb = rgb_of(frame)
    check_flat(lambda: pixview.video_frame(planes, format="NV12", **BT709), 5000)
    check_flat(lambda: pixview.video_frame(frame, copy=True).crop(0, 0, 2, 2), 5000)
    check_flat(lambda: pixview.stack([frame, rgb], to="numpy", size=(4, 4), fit="stretch"), 2000)
    check_flat(lambda: pixview.to_video_frame(rgb, **BT709), 5000)
    check_flat(lambda: pixview.copy_into(frame, rgb), 5000)


# ---- against the formula ----------------------------------------------------------------------


@pytest.mark.parametrize("limited", [True, False], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", KR_KB)
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_the_formula(name: str, matrix: str, limited: bool) -> None:
    f = FORMATS[name]
    yuv = random_yuv(f, 21, 35, seed=len(name))
    wanted = to_rgb(f, yuv, matrix, limited)
    keywords = {"format": name, "matrix": matrix, "range": "limited" if limited else "full"}
    size = (21, 35) if f.kind == "packed" else None
    frame = pixview.video_frame(planes_of(f, yuv), size=size, **keywords)
    off = np.abs(rgb_of(frame) - np.rint(wanted))
    assert off.max() <= 1 and (off > 0).mean() < (0.03 if f.bits == 16 else 0.002)
    got = pixview.stack([frame], to="numpy", layout="NHWC", dtype="float32")[0]
    deep = f.bits > 8
    # 20 bits behind the point are few for samples of 16 bits.
    most = {8: 1, 10: 0.003, 12: 0.01, 16: 0.1}[f.bits]
    assert np.abs(got - (wanted if deep else np.rint(wanted))).max() <= most
    # A frame of 10 bits has more than 256 values.
    assert not deep or len(np.unique(got)) > 256


@pytest.mark.cv2
def test_the_matrix_of_opencv_is_cvtcolor(cv2: Any) -> None:
    f = FORMATS["NV12"]
    y, uv = planes_of(f, random_yuv(f, 64, 96))
    frame = pixview.video_frame((y, uv), format="NV12", matrix="opencv", range="limited")
    both = np.concatenate([y.reshape(-1), uv.reshape(-1)]).reshape(96, 96)
    np.testing.assert_array_equal(rgb_of(frame), cv2.cvtColor(both, cv2.COLOR_YUV2RGB_NV12))


def test_order_bgr() -> None:
    frame = nv12(6, 8)
    np.testing.assert_array_equal(
        rgb_of(pixview.video_frame(frame, order="BGR")), rgb_of(frame)[..., ::-1]
    )


# ---- one array of all planes ------------------------------------------------------------------


@pytest.mark.parametrize("rows", [4, 5, 6, 7])
def test_one_array_of_nv12(rows: int) -> None:
    f = FORMATS["NV12"]
    y, uv = planes_of(f, random_yuv(f, rows, 6))
    both = np.concatenate([y, uv.reshape(-1, 6)])
    wanted = rgb_of(pixview.video_frame((y, uv), format="NV12", **BT709))
    frame = pixview.video_frame(both, format="NV12", **BT709)
    np.testing.assert_array_equal(rgb_of(frame), wanted)
    assert address(frame.planes[1]) == address(both) + 6 * rows


@pytest.mark.parametrize("name", ["YUV420P", "NV16", "NV24", "YUV422P", "YUV444P", "P010"])
def test_one_array_of_other_formats(name: str) -> None:
    f = FORMATS[name]
    planes = planes_of(f, random_yuv(f, 4, 8))
    both = np.concatenate([p.reshape(-1) for p in planes]).reshape(-1, 8)
    wanted = rgb_of(pixview.video_frame(planes, format=name, **BT709))
    np.testing.assert_array_equal(rgb_of(pixview.video_frame(both, format=name, **BT709)), wanted)


def test_rows_that_do_not_show(torch: Any) -> None:
    """1088 rows of Y of which 1080 show: U and V begin after all 1088. Poison is in the gap."""
    f = FORMATS["NV12"]
    y, uv = planes_of(f, random_yuv(f, 12, 16))
    surface = np.full((24, 32), 255, np.uint8)  # pitch 32, 16 coded rows
    surface[:12, :16], surface[16:22, :16] = y, uv.reshape(6, 16)
    frame = pixview.video_frame(surface, format="NV12", size=(12, 16), **BT709)
    wanted = rgb_of(pixview.video_frame((y, uv), format="NV12", **BT709))
    np.testing.assert_array_equal(rgb_of(frame), wanted)
    tensor = torch.from_numpy(surface)
    frame = pixview.video_frame(tensor, format="NV12", size=(12, 16), **BT709)
    np.testing.assert_array_equal(rgb_of(frame), wanted)


def test_planes_of_tensors_are_interleaved(torch: Any) -> None:
    f = FORMATS["NV12"]
    y, uv = planes_of(f, random_yuv(f, 4, 8))
    wanted = rgb_of(pixview.video_frame((y, uv), format="NV12", **BT709))
    tensors = [torch.from_numpy(x) for x in (y, uv)]
    np.testing.assert_array_equal(
        rgb_of(pixview.video_frame(tensors, format="NV12", **BT709)), wanted
    )
    flat = (tensors[0], tensors[1].reshape(2, 8))  # UV as H/2, W
    np.testing.assert_array_equal(rgb_of(pixview.video_frame(flat, format="NV12", **BT709)), wanted)


def test_addresses() -> None:
    f = FORMATS["NV12"]
    y, uv = planes_of(f, random_yuv(f, 4, 6))
    wide_y, wide_uv = np.zeros((4, 32), np.uint8), np.zeros((2, 32), np.uint8)
    wide_y[:, :6], wide_uv[:, :6] = y, uv.reshape(2, 6)
    pairs = [(address(wide_y), 32), (address(wide_uv), 32)]
    frame = pixview.video_frame(pairs, format="NV12", size=(4, 6), device="cpu", **BT709)
    wanted = rgb_of(pixview.video_frame((y, uv), format="NV12", **BT709))
    np.testing.assert_array_equal(rgb_of(frame), wanted)


# ---- wherever an image goes -------------------------------------------------------------------


def test_conversions(torch: Any) -> None:
    frame = nv12(6, 8)
    rgb = rgb_of(frame)
    assert rgb.shape == (6, 8, 3) and rgb.dtype == np.uint8
    tensor = pixview.as_torch(frame)
    assert tuple(tensor.shape) == (3, 6, 8) and tensor.dtype == torch.uint8
    np.testing.assert_array_equal(tensor.numpy().transpose(1, 2, 0), rgb)
    np.testing.assert_array_equal(pixview.as_torch(frame, layout="HWC").numpy(), rgb)
    shown = pixview.view(frame)
    assert type(shown) is pixview.Image and shown.layout == "HWC"
    np.testing.assert_array_equal(pixview.as_numpy(shown), rgb)
    np.testing.assert_array_equal(pixview.as_numpy(frame, copy=True), rgb)


@pytest.mark.parametrize("to", ["torch", "numpy", "image"])
def test_the_plan_is_a_copy_and_says_why(torch: Any, to: Any) -> None:
    kind, reason = pixview.plan(nv12(), to)
    assert kind == "copy" and "NV12" in reason
    call = {"torch": pixview.as_torch, "numpy": pixview.as_numpy, "image": pixview.view}[to]
    with pytest.raises(pixview.LayoutError, match="NV12.*copy=False forbids"):
        call(nv12(), copy=False)


def test_copy_into_an_image(torch: Any) -> None:
    frame = nv12(6, 8)
    rgb = rgb_of(frame)
    dst = np.zeros((6, 16, 3), np.uint8)
    part = dst[:, 4:12]
    assert pixview.copy_into(part, frame) is part
    np.testing.assert_array_equal(part, rgb)
    assert not dst[:, :4].any() and not dst[:, 12:].any()
    planar = torch.zeros(3, 6, 8, dtype=torch.uint8)
    version = planar._version
    pixview.copy_into(planar, frame)
    np.testing.assert_array_equal(planar.numpy().transpose(1, 2, 0), rgb)
    assert planar._version > version


def test_copy_into_refuses() -> None:
    frame = nv12(6, 8)
    with pytest.raises(pixview.LayoutError, match=r"1,6,8,3; pixview.stack"):
        pixview.copy_into(np.zeros((6, 9, 3), np.uint8), frame)
    with pytest.raises(pixview.DtypeError, match="dtype='float32'"):
        pixview.copy_into(np.zeros((6, 8, 3), np.float32), frame)
    with pytest.raises(pixview.LayoutError, match="both|video frames"):
        pixview.copy_into(frame, nv12(6, 8))
    frozen = np.zeros((6, 8, 3), np.uint8)
    frozen.flags.writeable = False
    with pytest.raises(pixview.ReadOnlyError):
        pixview.copy_into(frozen, frame)
    with pytest.raises(pixview.LayoutError, match="src_layout='CHW'"):
        pixview.as_numpy(frame, src_layout="CHW")


# ---- lists ------------------------------------------------------------------------------------


def test_a_mixed_list(torch: Any) -> None:
    frames = [nv12(6, 8, seed=i) for i in range(3)]
    rgbs = [rgb_of(f) for f in frames]
    mixed = [frames[0], rgbs[1], frames[2], torch.from_numpy(rgbs[0]).permute(2, 0, 1)]
    got = pixview.stack(mixed, to="numpy", layout="NHWC")
    np.testing.assert_array_equal(got, np.stack([rgbs[0], rgbs[1], rgbs[2], rgbs[0]]))


GEOMETRY: list[dict[str, Any]] = [
    {"size": (9, 9), "fit": "letterbox", "pad_value": 114},
    {"size": (4, 10), "fit": "stretch", "interpolation": "nearest"},
    {"size": (7, 5), "fit": "cover", "scale": 1 / 255, "mean": MEAN, "std": STD},
    {"size": (6, 6), "fit": "stretch", "interpolation": "area", "swap_rb": True},
    {"size": (6, 6), "fit": "stretch", "interpolation": "pil-bicubic"},
    {"size": (8, 20)},
    {"scale": 1 / 255, "dtype": "float16"},
]


@pytest.mark.parametrize("keywords", GEOMETRY, ids=lambda k: "-".join(map(str, k)))
def test_a_frame_of_8_bits_is_the_image_that_it_shows(torch: Any, keywords: Any) -> None:
    frames = [nv12(8, 12, seed=i) for i in range(3)]
    wanted = pixview.stack([rgb_of(f) for f in frames], **keywords)
    got = pixview.stack(frames, **keywords)
    np.testing.assert_array_equal(got.numpy(), wanted.numpy())


def test_placements(torch: Any) -> None:
    batch, placed = pixview.stack(
        [nv12(8, 12)], size=(16, 16), fit="letterbox", return_placements=True
    )
    assert tuple(batch.shape) == (1, 3, 16, 16) and len(placed) == 1


@pytest.mark.parametrize("name", ["NV12", "NV16", "YUV420P", "YUYV", "P010"])
def test_regions_begin_at_any_pixel(name: str) -> None:
    f = FORMATS[name]
    yuv = random_yuv(f, 10, 14)
    frame = pixview.video_frame(planes_of(f, yuv), format=name, **BT709)
    whole = pixview.stack([frame], to="numpy", layout="NHWC", dtype="float32")[0]
    rois = [[(y, x, 5, 7) for y in (0, 1, 3, 4) for x in (0, 1, 2, 5)]]
    got = pixview.stack([frame], rois=rois, to="numpy", layout="NHWC", dtype="float32")
    for part, (y, x, h, w) in zip(got, rois[0], strict=True):
        np.testing.assert_array_equal(part, whole[y : y + h, x : x + w])


def test_regions_of_a_mixed_list() -> None:
    frame, rgb = nv12(8, 8, seed=1), image(8, 8, 3)
    rois = [[(1, 1, 3, 3), (3, 2, 3, 3)], (2, 3, 3, 3), (5, 5, 3, 3)]
    got = pixview.stack([frame, rgb, frame], rois=rois, to="numpy", layout="NHWC")
    shown = rgb_of(frame)
    wanted = [shown[1:4, 1:4], shown[3:6, 2:5], rgb[2:5, 3:6], shown[5:8, 5:8]]
    np.testing.assert_array_equal(got, np.stack(wanted))


def test_an_image_beside_a_frame_is_uint8() -> None:
    with pytest.raises(
        pixview.DtypeError, match=r"images\[1\] is float32, but images\[0\] is uint8"
    ):
        pixview.stack([nv12(6, 8), np.zeros((6, 8, 3), np.float32)], to="numpy")
    with pytest.raises(pixview.LayoutError, match=r"channels=1, but images\[0\] is a video frame"):
        pixview.stack([nv12(6, 8)], channels=1, to="numpy")
    with pytest.raises(pixview.LayoutError, match=r"\[image\] for one"):
        pixview.stack(nv12(), to="numpy")
    deep = pixview.video_frame(
        planes_of(FORMATS["P010"], random_yuv(FORMATS["P010"], 4, 4)), format="P010", **BT709
    )
    with pytest.raises(pixview.DtypeError, match=r"images\[0\].*more than 8 bits"):
        pixview.stack([deep], size=(2, 2), fit="stretch", interpolation="pil-bicubic", to="numpy")


def test_a_batch_may_not_be_a_plane() -> None:
    y = np.zeros((4, 12), np.uint8)
    uv = np.zeros((2, 6, 2), np.uint8)
    frame = pixview.video_frame((y, uv), format="NV12", size=(4, 4), **BT709)
    with pytest.raises(pixview.LayoutError, match="share memory"):
        pixview.stack([frame], out=y.reshape(1, 4, 4, 3), layout="NHWC")


def test_crop() -> None:
    frame = nv12(8, 10)
    rgb = rgb_of(frame)
    part = frame.crop(2, 4, 5, 3)
    np.testing.assert_array_equal(rgb_of(part), rgb[2:7, 4:7])
    assert address(part.planes[0]) == address(frame.planes[0]) + 2 * 10 + 4
    for y, x in ((1, 0), (0, 1)):
        with pytest.raises(pixview.LayoutError, match=r"begins inside a sample.*rois"):
            frame.crop(y, x, 2, 2)
    with pytest.raises(pixview.LayoutError, match="leaves a frame"):
        frame.crop(0, 0, 9, 2)
    with pytest.raises(TypeError, match="crop: h="):
        frame.crop(0, 0, 1.5, 2)  # type: ignore[arg-type]


# ---- and back ---------------------------------------------------------------------------------


@pytest.mark.parametrize("limited", [True, False], ids=["limited", "full"])
@pytest.mark.parametrize("name", [n for n in FORMATS if FORMATS[n].kind != "gray"])
def test_an_image_becomes_every_format(name: str, limited: bool) -> None:
    """Of pixels of 2 x 2 equal ones, which no siting=center changes."""
    f = FORMATS[name]
    rng = np.random.default_rng(5)
    rgb = rng.integers(0, 256, (6, 9, 3), dtype=np.uint8).repeat(2, 0).repeat(2, 1)[:11, :17]
    said = "limited" if limited else "full"
    frame = pixview.to_video_frame(rgb, format=name, matrix="bt709", range=said, siting="center")
    assert (frame.format, frame.height, frame.width, frame.range) == (name, 11, 17, said)
    yuv = to_yuv444(rgb, "bt709", limited, f.bits)
    # A full-range U or V of 128.5 has no room above 255.
    top = (1 << f.bits) - 1
    stored = [np.clip(np.rint(x), 0, top).astype(int) for x in yuv]
    stored = [stored[0], *(x[:: f.dy, :: f.dx] for x in stored[1:])]
    for plane, want in zip(frame.planes, planes_of(f, tuple(stored)), strict=True):
        got = pixview.as_numpy(plane)
        mask = ~((1 << f.low) - 1)
        off = np.abs((got.astype(int) & mask) - (want.astype(int) & mask)) >> f.low
        if f.kind == "packed":
            off = off[:, :8]  # the last Y of an odd row is nobody's
        assert off.max() <= 1 and (off > 0).mean() < 0.02, plane


def test_planes_lie_behind_each_other() -> None:
    """As encoders demand: UV follows Y, with the same pitch."""
    for h, w in ((8, 10), (7, 9)):
        frame = pixview.to_video_frame(image(h, w, 3), **BT709)
        y, uv = frame.planes
        assert y.strides[0] == uv.strides[0] == w + w % 2
        assert address(uv) == address(y) + h * y.strides[0]


def test_a_batch_becomes_a_list(torch: Any) -> None:
    batch = torch.from_numpy(image(3, 3, 6, 8))
    frames = pixview.to_video_frame(batch, **BT709)
    assert [type(f) for f in frames] == [pixview.VideoFrame] * 3
    for i, frame in enumerate(frames):
        one = pixview.to_video_frame(batch[i], **BT709)
        for a, b in zip(frame.planes, one.planes, strict=True):
            np.testing.assert_array_equal(pixview.as_numpy(a), pixview.as_numpy(b))


@pytest.mark.parametrize("numbers", [{}, {"scale": 1 / 255, "mean": MEAN, "std": STD}, {"mean": 4}])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_stack_did_is_undone(torch: Any, numbers: Any, dtype: str) -> None:
    rgb = image(6, 8, 3)
    batch = pixview.stack([rgb], dtype=dtype, **numbers)
    wanted = pixview.to_video_frame(rgb, **BT709)
    got = pixview.to_video_frame(batch, **BT709, **numbers)[0]
    for a, b in zip(got.planes, wanted.planes, strict=True):
        off = np.abs(pixview.as_numpy(a).astype(int) - pixview.as_numpy(b))
        assert off.max() <= 1 and (dtype == "float16" or not off.any())


@pytest.mark.parametrize("siting", ["left", "center", "top-left"])
def test_siting(siting: Any) -> None:
    rgb = np.zeros((4, 8, 3), np.uint8)
    rgb[:, 3:] = 255, 0, 0
    frame = pixview.to_video_frame(rgb, format="YUV420P", siting=siting, **BT709)
    v = to_yuv444(rgb, "bt709", True, 8)[2]
    row = np.pad(v[0], 1, mode="edge")
    left = (row[:-2] + 2 * row[1:-1] + row[2:])[::2] / 4
    center = (v[0, ::2] + v[0, 1::2]) / 2
    wanted = center if siting == "center" else left
    assert np.abs(pixview.as_numpy(frame.planes[2])[0] - wanted).max() <= 1


def test_order_of_the_image() -> None:
    rgb = image(6, 8, 3)
    a = pixview.to_video_frame(rgb, **BT709)
    b = pixview.to_video_frame(np.ascontiguousarray(rgb[..., ::-1]), order="BGR", **BT709)
    for x, y in zip(a.planes, b.planes, strict=True):
        np.testing.assert_array_equal(pixview.as_numpy(x), pixview.as_numpy(y))


def test_copy_into_a_frame() -> None:
    rgb = image(6, 8, 3)
    wanted = pixview.to_video_frame(rgb, **BT709)
    surface = np.full((9, 32), 77, np.uint8)
    frame = pixview.video_frame(surface, format="NV12", size=(6, 8), **BT709)
    assert pixview.copy_into(frame, rgb) is frame
    for a, b in zip(frame.planes, wanted.planes, strict=True):
        np.testing.assert_array_equal(pixview.as_numpy(a), pixview.as_numpy(b))
    assert (surface[:, 8:] == 77).all()


def test_out() -> None:
    rgbs = np.stack([image(6, 8, 3), image(6, 8, 3)[::-1]])
    frames = [nv12(6, 8), nv12(6, 8, seed=1)]
    assert pixview.to_video_frame(rgbs, out=frames) == frames
    one = nv12(6, 8)
    assert pixview.to_video_frame(rgbs[0], out=one) is one
    for a, b in zip(frames[0].planes, one.planes, strict=True):
        np.testing.assert_array_equal(pixview.as_numpy(a), pixview.as_numpy(b))
    with pytest.raises(pixview.LayoutError, match="out has 2 frames, but there are 1 images"):
        pixview.to_video_frame(rgbs[0], out=frames)
    with pytest.raises(TypeError, match="out= has its own"):
        pixview.to_video_frame(rgbs[0], out=one, matrix="bt709")
    with pytest.raises(TypeError, match="is not a VideoFrame.*numpy.ndarray"):
        pixview.to_video_frame(rgbs[0], out=rgbs)  # type: ignore[call-overload]
    with pytest.raises(pixview.LayoutError, match="share memory"):
        pixview.to_video_frame(rgbs, out=[one, one])


def test_writes_are_counted(torch: Any) -> None:
    y, uv = torch.zeros(6, 8, dtype=torch.uint8), torch.zeros(3, 4, 2, dtype=torch.uint8)
    frame = pixview.video_frame((y, uv), format="NV12", **BT709)
    before = y._version, uv._version
    pixview.copy_into(frame, image(6, 8, 3))
    assert y._version > before[0] and uv._version > before[1]


def test_a_photograph_there_and_back(torch: Any) -> None:
    """4:4:4 of 10 bits loses nothing; 4:2:0 little."""
    y, x = np.mgrid[:64, :96]
    rgb = np.stack([y * 3, x * 2, 255 - y - x], axis=-1).astype(np.uint8)
    for name, most in (("YUV444P10", 1), ("NV12", 6)):
        frame = pixview.to_video_frame(rgb, format=name, **BT709)
        assert np.abs(rgb_of(frame).astype(int) - rgb).max() <= most


def test_back_refuses() -> None:
    rgb = image(6, 8, 3)
    with pytest.raises(pixview.LayoutError, match=r"matrix=None.*'bt709'"):
        pixview.to_video_frame(rgb)
    with pytest.raises(pixview.LayoutError, match=r"range=None.*'limited'"):
        pixview.to_video_frame(rgb, matrix="bt709")
    with pytest.raises(pixview.LayoutError, match="C = 4"):
        pixview.to_video_frame(image(6, 8, 4), **BT709)
    with pytest.raises(pixview.LayoutError, match="at least 1"):
        pixview.to_video_frame(np.zeros((0, 8, 3), np.uint8), **BT709)
    with pytest.raises(pixview.LayoutError, match="N = 0"):
        pixview.to_video_frame(np.zeros((0, 6, 8, 3), np.uint8), **BT709)
    with pytest.raises(pixview.LayoutError, match="already"):
        pixview.to_video_frame(nv12(), **BT709)
    with pytest.raises(pixview.LayoutError, match=r"std\[1\]=0"):
        pixview.to_video_frame(rgb, std=(1, 0, 1), **BT709)
    with pytest.raises(pixview.LayoutError, match="siting='middle' is not one of 'left'"):
        pixview.to_video_frame(rgb, siting="middle", **BT709)
    with pytest.raises(pixview.DtypeError):
        pixview.to_video_frame(image(6, 8, 3, dtype="float64"), **BT709)
    frozen = np.zeros((9, 8), np.uint8)
    frozen.flags.writeable = False
    frame = pixview.video_frame(frozen, format="NV12", **BT709)
    with pytest.raises(pixview.ReadOnlyError):
        pixview.copy_into(frame, rgb)
    with pytest.raises(pixview.LayoutError, match="height 6, width 8"):
        pixview.copy_into(nv12(6, 8), image(6, 10, 3))


# ---- bad input --------------------------------------------------------------------------------

Y, UV = image(4, 8), image(2, 4, 2)
REFUSED: list[tuple[str, Any, dict[str, Any], Any, str]] = [
    ("no format", (Y, UV), {"format": None}, pixview.LayoutError, "pass format='NV12'"),
    (
        "a wrong word",
        (Y, UV),
        {"format": "NV13"},
        pixview.LayoutError,
        "format='NV13' is not a video",
    ),
    ("a word of two", (Y, UV), {"format": "NV12\0"}, pixview.LayoutError, "is not a video format"),
    ("a surrogate", (Y, UV), {"format": "\udc80"}, pixview.LayoutError, "is not a video format"),
    ("a number", (Y, UV), {"format": 12}, TypeError, "format=12 is not a string"),
    (
        "no matrix",
        (Y, UV),
        {"matrix": None},
        pixview.LayoutError,
        "matrix=None.*pass matrix='bt709'",
    ),
    ("no range", (Y, UV), {"range": None}, pixview.LayoutError, "range=None.*pass range='limited'"),
    (
        "another matrix",
        (Y, UV),
        {"matrix": "bt710"},
        pixview.LayoutError,
        "matrix='bt710' is not one",
    ),
    ("another range", (Y, UV), {"range": "wide"}, pixview.LayoutError, "range='wide' is not one"),
    ("another order", (Y, UV), {"order": "GBR"}, pixview.LayoutError, "order='GBR'"),
    ("another chroma", (Y, UV), {"chroma": "linear"}, pixview.LayoutError, "chroma='linear'"),
    (
        "opencv in full",
        (Y, UV),
        {"matrix": "opencv", "range": "full"},
        pixview.LayoutError,
        "cvtColor",
    ),
    ("one plane", (Y,), {}, pixview.LayoutError, "1 planes, but NV12 has 2"),
    ("four planes", (Y, UV, UV, UV), {}, pixview.LayoutError, "4 planes, but NV12 has 2"),
    ("no plane", (), {}, pixview.LayoutError, "0 planes"),
    (
        "planes of other sizes",
        (Y, image(2, 5, 2)),
        {},
        pixview.LayoutError,
        r"plane 1 \(UV\).*1,2,4,2",
    ),
    ("planes of other types", (Y, UV.astype("u2")), {}, pixview.DtypeError, r"plane 1 \(UV\)"),
    (
        "planes of 16 bits",
        (Y, UV),
        {"format": "P010"},
        pixview.DtypeError,
        r"plane 0 \(Y\).*10 bits",
    ),
    ("an odd pitch", (Y, image(2, 9)[:, :8].reshape(2, 8)), {}, pixview.LayoutError, ""),
    ("too large a size", (Y, UV), {"size": (5, 8)}, pixview.LayoutError, "5"),
    ("no size", (Y, UV), {"size": (0, 8)}, pixview.LayoutError, "size="),
    ("a size of one", (Y, UV), {"size": 8}, TypeError, "size=8 is not"),
    ("no image", (Y, "uv"), {}, pixview.UnsupportedError, r"planes\[1\]"),
    ("no frame", 5, {}, pixview.UnsupportedError, "cannot read a int"),
    ("a class", int, {}, pixview.UnsupportedError, ""),
    ("rows of no frame", image(7, 8), {}, pixview.LayoutError, r"\(H \* 3 / 2, W\)"),
    ("too wide", image(6, 8), {"size": (4, 10)}, pixview.LayoutError, "8 columns"),
    ("columns apart", image(6, 16)[:, ::2], {}, pixview.LayoutError, "dense rows"),
    ("floats", image(6, 8, dtype="float32"), {}, pixview.LayoutError, "of uint8"),
    (
        "U and V apart",
        (Y, UV[..., 0].copy(), UV[..., 1].copy()),
        {},
        pixview.LayoutError,
        "take turns",
    ),
    ("pairs of no device", ((1, 8), (2, 8)), {"size": (4, 8)}, pixview.LayoutError, "device="),
    (
        "pairs of no size",
        ((1, 8), (2, 8)),
        {"device": "cpu"},
        pixview.LayoutError,
        r"size=\(H, W\)",
    ),
    (
        "a pitch of 0",
        ((64, 0), (64, 8)),
        {"device": "cpu", "size": (4, 8)},
        pixview.LayoutError,
        "pitch=0",
    ),
    (
        "a NULL",
        ((0, 8), (0, 8)),
        {"device": "cpu", "size": (4, 8)},
        pixview.LayoutError,
        r"planes\[0\]",
    ),
    (
        "half a pair",
        ((64, 8), (64,)),
        {"device": "cpu", "size": (4, 8)},
        pixview.LayoutError,
        r"planes\[1\]",
    ),
    ("a device", (Y, UV), {"device": "tpu"}, ValueError, "device='tpu'"),
    ("copy", (Y, UV), {"copy": "yes"}, TypeError, "copy='yes'"),
]


@pytest.mark.parametrize(
    ("x", "keywords", "error", "says"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_refused(x: Any, keywords: Any, error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        pixview.video_frame(x, **({"format": "NV12", **BT709} | keywords))


def test_an_odd_pitch_of_uv() -> None:
    uv = np.zeros((2, 9), np.uint8)[:, :8].reshape(2, 8)
    odd = np.lib.stride_tricks.as_strided(uv.copy(), (2, 4, 2), (7, 2, 1))
    with pytest.raises(pixview.LayoutError, match=r"plane 1 \(UV\).*7 bytes apart.*pitch"):
        pixview.video_frame((Y, odd), format="NV12", **BT709)


def test_gray_needs_no_matrix() -> None:
    frame = pixview.video_frame(image(4, 6), format="gray", range="full")
    assert frame.matrix is None and frame.format == "GRAY8"
    np.testing.assert_array_equal(rgb_of(frame), image(4, 6)[..., None].repeat(3, 2))
    assert repr(frame) == "<pixview.VideoFrame GRAY8 6x4 full on cpu:0>"


def test_words_of_ffmpeg() -> None:
    planes = planes_of(FORMATS["YUV420P"], random_yuv(FORMATS["YUV420P"], 4, 6))
    frame = pixview.video_frame(planes, format="yuvj420p", matrix="smpte170m")
    assert (frame.format, frame.matrix, frame.range) == ("YUV420P", "bt601", "full")
    frame = pixview.video_frame(planes, format="yuvj420p", matrix="bt2020nc", range="tv")
    assert (frame.matrix, frame.range) == ("bt2020", "limited")


def test_a_frame_of_more_bytes_than_there_are() -> None:
    one = np.zeros((1, 1, 3), np.uint8)
    huge = pixview.from_pointer(
        *(address(one), (2**31 - 1, 2**30, 3), "uint8"),
        strides=(0, 0, 1),
        device="cpu",
        owner=one,
    )
    with pytest.raises(pixview.LayoutError, match="64 bits of bytes"):
        pixview.to_video_frame(huge, format="YUV444P16", **BT709)


def test_a_frame_in_other_calls() -> None:
    frame = nv12(6, 8)
    with pytest.raises(pixview.LayoutError, match="out= is a video frame"):
        pixview.stack([image(6, 8, 3)], out=frame, layout="NHWC")
    with pytest.raises(pixview.DeviceError, match="host memory"):
        pixview.stream_of(frame)
    with pytest.raises(pixview.DeviceError, match="host memory"):
        frame.cuda()
    with pytest.raises(pixview.Error):
        pixview.used_on(frame, 0)
    items = pixview.unstack(frame, to="numpy")
    np.testing.assert_array_equal(items[0], rgb_of(frame))
