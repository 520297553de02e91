# SPDX-License-Identifier: Apache-2.0
"""Frames of decoders: PyAV decodes and encodes; of the others the attributes that pixview reads are frozen here.

The fakes have what the releases named in them have, and no more: PyNvVideoCodec 2.2.4 (its extension's own
docstrings), torchcodec 0.17 (decoders.RawFrame), VALI 4.8, SPDL 0.8.
"""

from __future__ import annotations

import ctypes
import gc
import io
import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
import pixview
import pytest
from support import address, cuda_array_interface, dead, drain, image, waited
from video_formula import FORMATS, Array, planes_of, random_yuv, to_rgb

BT709: dict[str, Any] = {"matrix": "bt709", "range": "limited"}
MATRICES = {1: "bt709", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020"}


@pytest.fixture(scope="session")
def av() -> Any:
    return pytest.importorskip("av")


def picture(h: int, w: int, shift: int) -> Array:
    """Smooth, colourful, and another one in each frame."""
    y, x = np.mgrid[:h, :w]
    return np.stack(
        [(x * 3 + shift) % 256, (y * 5 + shift * 2) % 256, (x + y + shift * 3) % 256], axis=-1
    ).astype(np.uint8)


def encode(
    av: Any, codec: str, pix_fmt: str, h: int, w: int, space: int, range_: int, n: int = 3
) -> io.BytesIO:
    """A file of n pictures, with those tags."""
    file = io.BytesIO()
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    with av.open(file, "w", format="matroska") as out:
        stream = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = w, h, pix_fmt
        stream.codec_context.colorspace, stream.codec_context.color_range = space, range_
        for i in range(n):
            frame = av.VideoFrame.from_ndarray(picture(h, w, i * 9), format="rgb24")
            frame = frame.reformat(format=pix_fmt, dst_colorspace=5, dst_color_range=range_ or 1)
            frame.colorspace, frame.color_range, frame.pts = space, range_, i
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    file.seek(0)
    return file


def decode(av: Any, file: io.BytesIO) -> list[Any]:
    file.seek(0)
    with av.open(file) as container:
        return list(container.decode(video=0))


# codec, format, H, W, colorspace, color_range of the file. No odd sizes of libx265, which writes beyond its own memory
# then (PyAV 18.1).
FILES = [
    ("libx264", "yuv420p", 48, 64, 1, 1),
    ("libx264", "yuv420p", 48, 64, 6, 2),
    ("libx264", "yuv420p10le", 48, 64, 9, 1),
    ("libx264", "yuv422p", 48, 64, 5, 1),
    ("libx264", "yuv444p", 35, 37, 7, 1),
    ("libx264", "yuv444p10le", 35, 37, 1, 2),
    ("libx265", "yuv420p", 48, 64, 1, 2),
    ("libx265", "yuv420p10le", 48, 64, 9, 1),
    ("libx265", "yuv420p12le", 48, 64, 1, 1),
    ("libx265", "yuv444p", 48, 64, 6, 1),
    ("ffv1", "yuv420p", 35, 37, 5, 1),
    ("ffv1", "yuv420p10le", 35, 37, 1, 2),
]


@pytest.mark.parametrize("file", FILES, ids=lambda f: "-".join(map(str, f)))
def test_pyav_decodes(av: Any, file: Any) -> None:
    _, _, h, w, space, range_ = file
    frames = decode_file(av, file)
    assert len(frames) == 3
    for decoded in frames:
        assert (decoded.colorspace, decoded.color_range) == (space, range_)
        frame = pixview.video_frame(decoded)
        assert (frame.height, frame.width) == (h, w)
        assert frame.matrix == MATRICES[space]
        assert frame.range == {1: "limited", 2: "full"}[range_]
        assert frame.planes[0].ptr == decoded.planes[0].buffer_ptr
        check_formula(frame)


def decode_file(av: Any, file: Any) -> list[Any]:
    try:
        encoded = encode(av, *file)
    except av.error.FFmpegError as error:
        pytest.skip(f"this PyAV's {file[0]} does not encode {file[1]}: {error}")
    return decode(av, encoded)


def check_formula(frame: pixview.VideoFrame) -> None:
    """Against NumPy, from the planes."""
    f = FORMATS[frame.format]
    top = (1 << f.bits) - 1  # what lies above means nothing
    planes = [pixview.as_numpy(p).astype(np.int64) >> f.low & top for p in frame.planes]
    yuv = (planes[0], planes[-2], planes[-1]) if f.kind == "planar" else (planes[0],) * 3
    if f.kind == "pairs":
        first, second = planes[1][..., 0], planes[1][..., 1]
        yuv = (planes[0], second, first) if f.name == "NV21" else (planes[0], first, second)
    elif f.kind == "packed":
        y, u = (0, 1) if f.name == "YUYV" else (1, 0)
        luma = planes[0][..., y::2].reshape(frame.height, -1)[:, : frame.width]
        yuv = (luma, planes[0][..., u], planes[0][..., u + 2])
    wanted = to_rgb(f, yuv, frame.matrix or "", frame.range == "limited")
    off = np.abs(pixview.as_numpy(frame) - np.rint(wanted))
    assert off.max() <= 1 and (off > 0).mean() < (0.03 if f.bits == 16 else 0.005)


# POINT | FULL_CHR_H_INT | FULL_CHR_H_INP | ACCURATE_RND: the flags by which swscale rounds as its formula says.
SWSCALE = 0x10 | 0x2000 | 0x4000 | 0x40000


def swscale(av: Any, frame: Any, space: int, range_: int) -> Array:
    """R, G and B by swscale, with the U and V that are nearest: of a copy that says nothing of their place, since a
    decoded frame's are at the left and would be shifted."""
    plain = av.VideoFrame(frame.width, frame.height, frame.format.name)
    for to, plane in zip(plain.planes, frame.planes, strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        out = np.zeros((plane.height, to.line_size), np.uint8)
        width = min(to.line_size, plane.line_size)
        out[:, :width] = rows[:, :width]
        to.update(out.tobytes())
    space = 5 if space == 6 else space
    scaled = plain.reformat(
        format="rgb24",
        interpolation=SWSCALE,
        src_colorspace=space,
        dst_colorspace=space,
        src_color_range=range_,
        dst_color_range=2,
    )
    return scaled.to_ndarray()


# Where U and V are fewer only even sizes: swscale stretches the 19 columns of U to 37 pixels.
COMPARED = [
    f
    for f in FILES
    if (f[2] % 2 == 0 or "444" in f[1]) and (f[5] == 1 or f[1][-4:-2] not in ("10", "12"))
]


@pytest.mark.parametrize("file", COMPARED, ids=lambda f: "-".join(map(str, f)))
def test_pyav_and_swscale_agree(av: Any, file: Any) -> None:
    """Of 10 and 12 bits only in limited range: in full range swscale has a formula of its own."""
    decoded = decode_file(av, file)[1]
    scaled = swscale(av, decoded, file[4], file[5])
    off = np.abs(pixview.as_numpy(pixview.video_frame(decoded)).astype(int) - scaled)
    assert (off > 1).mean() < 0.005, f"{off.max()} at most, {(off > 1).mean():.4f} beyond 1"


@pytest.mark.parametrize(
    "name",
    [
        *("nv12", "nv21", "nv16", "nv24", "p010le", "p210le", "p016le"),
        *("yuv420p", "yuv422p10le", "yuv444p16le", "yuyv422", "uyvy422", "gray", "gray10le"),
    ],
)
def test_pyav_of_odd_sizes(av: Any, name: str) -> None:
    """PyAV's DLPack rounds chroma down; its memory has all of it."""
    decoded = av.VideoFrame(37, 21, name)
    rng = np.random.default_rng(1)
    for plane in decoded.planes:
        memory = np.frombuffer(plane, np.uint8)
        memory.flags.writeable or pytest.skip("PyAV's planes are read-only here")
        memory[...] = rng.integers(0, 256, memory.size)
    frame = pixview.video_frame(decoded, **BT709)
    assert (frame.height, frame.width) == (21, 37)
    for plane, shown in zip(decoded.planes, frame.planes, strict=True):
        row = np.frombuffer(plane, np.uint8).reshape(-1, abs(plane.line_size))[plane.height - 1]
        last = pixview.as_numpy(shown)[-1].tobytes()
        assert row[: len(last)].tobytes() == last
    check_formula(frame)


def test_pyav_says_nothing_or_too_little(av: Any) -> None:
    decoded = av.VideoFrame(16, 12, "yuv420p")
    with pytest.raises(pixview.LayoutError, match=r"matrix=None.*VideoFrame.*pass matrix='bt709'"):
        pixview.video_frame(decoded)
    with pytest.raises(pixview.LayoutError, match=r"range=None"):
        pixview.video_frame(decoded, matrix="bt709")
    decoded.colorspace, decoded.color_range = 1, 1
    frame = pixview.video_frame(decoded, matrix="bt2020", range="full")  # the keyword wins
    assert (frame.matrix, frame.range) == ("bt2020", "full")
    decoded.colorspace = 10  # BT.2020 of constant luminance: another formula
    with pytest.raises(pixview.LayoutError, match="matrix=None"):
        pixview.video_frame(decoded)
    for name in ("rgb24", "gbrp", "yuv420p9le", "yuva420p"):
        with pytest.raises(pixview.LayoutError, match=f"the format '{name}'"):
            pixview.video_frame(av.VideoFrame(16, 12, name), **BT709)
    with pytest.raises(pixview.LayoutError, match="NV12 has 2 planes"):
        pixview.video_frame(decoded, format="NV12", **BT709)


def test_a_decoder_s_frame_alone_is_no_image(av: Any) -> None:
    with pytest.raises(pixview.UnsupportedError, match=r"pixview.video_frame reads it"):
        pixview.as_numpy(av.VideoFrame(16, 12, "yuv420p"))


def test_pyav_s_memory_is_kept(av: Any) -> None:
    decoded = decode(av, encode(av, *FILES[0]))[0]
    wanted = pixview.as_numpy(pixview.video_frame(decoded)).copy()
    frame = pixview.video_frame(decoded)
    plane = pixview.as_numpy(frame.planes[0])
    luma = plane.copy()
    del decoded, frame
    gc.collect()
    np.testing.assert_array_equal(plane, luma)
    again = decode(av, encode(av, *FILES[0]))[0]
    np.testing.assert_array_equal(pixview.as_numpy(pixview.video_frame(again)), wanted)


@pytest.mark.parametrize("source", ["libx264", "libx265"])
@pytest.mark.parametrize("pix_fmt", ["nv12", "yuv420p", "yuv420p10le", "p010le"])
def test_pyav_encodes_what_comes_back(av: Any, source: str, pix_fmt: str) -> None:
    """Decoded, made a batch, and back: PyAV takes the planes without a copy, and codes them again."""
    frames = [
        pixview.video_frame(f) for f in decode(av, encode(av, source, "yuv420p", 48, 64, 1, 1))
    ]
    batch = pixview.stack(frames, to="numpy")
    format_ = {"nv12": "NV12", "yuv420p": "YUV420P", "p010le": "P010"}.get(pix_fmt, "YUV420P10")
    made = pixview.to_video_frame(batch, format=format_, src_layout="NCHW", **BT709)
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = {"nv12": "yuv420p", "p010le": "yuv420p10le"}.get(pix_fmt, pix_fmt)
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
        for i, frame in enumerate(made):
            given = av.VideoFrame.from_dlpack(frame.planes, format=pix_fmt)
            assert given.planes[0].buffer_ptr == frame.planes[0].ptr
            given.colorspace, given.color_range, given.pts = 1, 1, i
            if given.format.name != stream.pix_fmt:
                given = given.reformat(format=stream.pix_fmt)
            out.mux(stream.encode(given))
        out.mux(stream.encode(None))
    again = [pixview.video_frame(f) for f in decode(av, file)]
    assert len(again) == 3 and again[0].matrix == "bt709"
    for before, after in zip(frames, again, strict=True):
        off = np.abs(pixview.as_numpy(before).astype(int) - pixview.as_numpy(after))
        assert off.mean() < 3, "the file shows other pictures"


def test_pyav_frames_are_written_in_place(av: Any) -> None:
    surface = av.VideoFrame(64, 48, "nv12")
    rgb = picture(48, 64, 3)
    frame = pixview.video_frame(surface, **BT709)
    pixview.copy_into(frame, rgb)
    made = pixview.to_video_frame(rgb, **BT709)
    luma = np.frombuffer(surface.planes[0], np.uint8).reshape(48, -1)[:, :64]
    np.testing.assert_array_equal(luma, pixview.as_numpy(made.planes[0]))


class PyavPlane:
    """A plane of an av.VideoFrame in CUDA memory (PyAV 18.1)."""

    def __init__(self, shown: pixview.Image) -> None:
        self.shown = shown

    def __dlpack__(self, *, stream: int | None = None) -> Any:
        if stream is not None:
            raise NotImplementedError("CUDA stream synchronization is not supported.")
        return self.shown.__dlpack__(stream=-1)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)


class VideoFrame:
    """av.VideoFrame in CUDA memory."""

    format = SimpleNamespace(name="cuda")
    colorspace, color_range = 1, 1

    def __init__(self, fake: Any, h: int, w: int) -> None:
        f = FORMATS["NV12"]
        self.height, self.width = h, w
        self.sw_format = SimpleNamespace(name="nv12")
        self.arrays = planes_of(f, random_yuv(f, h, w))
        self.planes = tuple(PyavPlane(fake.image(a)) for a in self.arrays)


def test_pyav_on_a_gpu(fake: Any) -> None:
    frame = pixview.video_frame(VideoFrame(fake, 4, 6))
    assert (frame.device, frame.format, frame.matrix) == (("cuda", 0), "NV12", "bt709")
    assert frame.stream == 0
    with pytest.raises(pixview.LayoutError, match="odd sizes"):
        pixview.video_frame(VideoFrame(fake, 5, 6))


# ---- PyNvVideoCodec ---------------------------------------------------------------------------


class Event:
    """Recorded on a stream of the fake driver, as the decoder does behind each frame."""

    def __init__(self, fake: Any, stream: int) -> None:
        self.fake, self.handle = fake, ctypes.c_void_p()
        fake.lib.cuCtxPushCurrent_v2.argtypes = [ctypes.c_void_p]
        fake.lib.cuEventRecord.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        fake.lib.cuEventDestroy_v2.argtypes = [ctypes.c_void_p]
        context = ctypes.c_void_p()
        fake.lib.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
        fake.lib.cuCtxPushCurrent_v2(context)
        assert fake.lib.cuEventCreate(ctypes.byref(self.handle), 2) == 0
        assert fake.lib.cuEventRecord(self.handle, stream) == 0

    def close(self) -> None:
        self.fake.lib.cuEventDestroy_v2(self.handle)
        popped = ctypes.c_void_p()
        self.fake.lib.cuCtxPopCurrent_v2(ctypes.byref(popped))


class CAIMemoryView:
    def __init__(self, dictionary: dict[str, Any]) -> None:
        self.__cuda_array_interface__ = dictionary


class DecodedFrame:
    """_PyNvVideoCodec.DecodedFrame of 2.2.4, as it is on an H200."""

    def __init__(self, fake: Any, format_: str, name: str, stream: int = 0, event: int = 0) -> None:
        self.format = SimpleNamespace(name=format_)  # Pixel_Format
        self.decoder_stream_event = event
        f = FORMATS[name]
        self._h, self._w, self._stream = 8, 12, stream
        self._item = 1 if f.bits == 8 else 2
        self.yuv = random_yuv(f, self._h, self._w)
        whole = np.concatenate([p.reshape(-1) for p in planes_of(f, self.yuv)])
        self._memory = fake.register(whole)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self._h * 3 // 2, self._w)

    @property
    def strides(self) -> tuple[int, ...]:
        return (self._w, 1)  # elements: wrong for 16 bits

    def GetPtrToPlane(self, index: int) -> int:
        return address(self._memory) + index * self._h * self._w * self._item

    def cuda(self) -> list[CAIMemoryView]:
        planes = [
            ((self._h, self._w, 1), (self._w, 1, 1)),
            ((self._h // 2, self._w // 2, 2), (self._w, 2, 1)),
        ]
        return [
            CAIMemoryView(
                {
                    "shape": shape,
                    "strides": strides,
                    "typestr": f"|u{self._item}",
                    "data": (self.GetPtrToPlane(i), False),
                    "stream": self._stream,
                    "version": 3,
                }
            )
            for i, (shape, strides) in enumerate(planes)
        ]

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)


@pytest.mark.parametrize(
    ("said", "name"), [("NV12", "NV12"), ("P016", "P016"), ("YUV444", "YUV444P")]
)
def test_nvcodec(fake: Any, said: str, name: str) -> None:
    decoded = DecodedFrame(fake, said, name)
    with pytest.raises(pixview.LayoutError, match="matrix=None"):
        pixview.video_frame(decoded)
    frame = pixview.video_frame(decoded, **BT709)
    assert (frame.format, frame.height, frame.width) == (name, 8, 12)
    assert (frame.device, frame.stream) == (("cuda", 0), 0)
    item = 1 if FORMATS[name].bits == 8 else 2
    assert frame.planes[0].strides == (12 * item, item)
    assert [p.ptr for p in frame.planes] == [
        decoded.GetPtrToPlane(i) for i in range(len(frame.planes))
    ]
    assert frame.planes[0].owner is decoded


def test_nvcodec_of_ten_bits(fake: Any) -> None:
    """It says P016; the keyword says how many of the bits mean something."""
    decoded = DecodedFrame(fake, "P016", "P010")
    frame = pixview.video_frame(decoded, format="P010", **BT709)
    assert (frame.format, frame.bit_depth) == ("P010", 10)
    with pytest.raises(pixview.LayoutError, match="the format 'RGB'"):
        pixview.video_frame(DecodedFrame(fake, "RGB", "NV12"), **BT709)


def test_nvcodec_frames_are_kept(fake: Any) -> None:
    decoded = DecodedFrame(fake, "NV12", "NV12")
    ref = weakref.ref(decoded)
    plane = pixview.video_frame(decoded, **BT709).planes[1]
    del decoded
    gc.collect()
    assert ref() is not None
    del plane
    assert dead(ref)


def test_nvcodec_waits_for_the_decoder_s_event(fake: Any) -> None:
    """Its interface says 2, whatever the stream is; the event was recorded on the true one."""
    event = Event(fake, fake.stream)
    try:
        decoded = DecodedFrame(fake, "NV12", "NV12", stream=2, event=event.handle.value or 0)
        frame = pixview.video_frame(decoded, **BT709)
        assert frame.stream == 0 and waited(fake, 0, fake.stream)
        other = fake.lib.fake_stream(0)
        with pixview.using_stream(other):
            frame = pixview.video_frame(decoded, **BT709)
        assert waited(fake, other, fake.stream)
        fake.lib.fake_destroy_stream.argtypes = [ctypes.c_uint64]
    finally:
        event.close()


def test_nvcodec_without_an_event(fake: Any) -> None:
    """On the legacy stream it needs none; on one that it does not name all of its work has to be done."""
    pixview.video_frame(DecodedFrame(fake, "NV12", "NV12"), **BT709)  # makes a context
    fake.reset()
    pixview.video_frame(DecodedFrame(fake, "NV12", "NV12"), **BT709)
    assert fake.work() == []
    frame = pixview.video_frame(DecodedFrame(fake, "NV12", "NV12"), stream=fake.stream, **BT709)
    assert frame.stream == fake.stream and waited(fake, fake.stream, 0)
    fake.reset()
    pixview.video_frame(DecodedFrame(fake, "NV12", "NV12", stream=2), **BT709)
    assert "cuCtxSynchronize" in fake.calls()


@pytest.mark.usefixtures("kernels")
def test_nvcodec_copy_outlives_the_next_decode(fake: Any) -> None:
    """The decoder overwrites its surface on a stream that nobody names, so the host waits for the copy."""
    event = Event(fake, fake.stream)
    try:
        decoded = DecodedFrame(fake, "NV12", "NV12", stream=2, event=event.handle.value or 0)
        fake.reset()
        frame = pixview.video_frame(decoded, copy=True, **BT709)
        assert "sync" in fake.work()
        before = decoded._memory.copy()
        decoded._memory[...] = 0  # the next decode
        luma = pixview.as_numpy(frame.planes[0], copy=True)
        np.testing.assert_array_equal(luma.reshape(-1), before[: luma.size])
        fake.reset()
        pixview.video_frame(DecodedFrame(fake, "NV12", "NV12"), copy=True, **BT709)
        assert "sync" not in fake.work()  # on the legacy stream the decoder waits itself
    finally:
        event.close()


# ---- torchcodec, VALI, SPDL -------------------------------------------------------------------


class RawFrame:
    """torchcodec.decoders.RawFrame of 0.17: a tensor for each component, also of nv12."""

    def __init__(self, torch: Any, pixel_format: str, name: str, space: str, range_: str) -> None:
        f = FORMATS[name]
        self.pixel_format, self.color_space, self.color_range = pixel_format, space, range_
        self.height, self.width, self.bit_depth, self.rotation = 9, 13, f.bits, 0.0
        self.yuv = random_yuv(f, 9, 13)
        planes = planes_of(f, self.yuv)
        self.planes = tuple(
            torch.from_numpy(x)
            for x in (
                planes if f.kind != "pairs" else (planes[0], planes[1][..., 0], planes[1][..., 1])
            )
        )


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("yuv420p", "YUV420P"),
        ("nv12", "NV12"),
        ("p010le", "P010"),
        ("gray", "GRAY8"),
        ("nv21", "NV21"),
    ],
)
def test_torchcodec(torch: Any, said: str, name: str) -> None:
    f = FORMATS[name]
    decoded = RawFrame(torch, said, name, "smpte170m", "tv")
    if name == "NV21":  # V is first in memory; torchcodec names components, U before V
        decoded.planes = (decoded.planes[0], decoded.planes[2], decoded.planes[1])
    frame = pixview.video_frame(decoded)
    assert (frame.format, frame.matrix, frame.range) == (name, "bt601", "limited")
    wanted = np.rint(to_rgb(f, decoded.yuv, "bt601", True))
    assert np.abs(pixview.as_numpy(frame) - wanted).max() <= 1
    decoded.color_space = "unspecified"
    if name != "GRAY8":
        with pytest.raises(pixview.LayoutError, match="matrix=None.*RawFrame"):
            pixview.video_frame(decoded)
    decoded.color_range = "unspecified"
    with pytest.raises(pixview.LayoutError, match="range=None.*RawFrame"):
        pixview.video_frame(decoded, matrix="bt709")


class SurfacePlane:
    def __init__(self, array: Array, stream: int) -> None:
        self._array = array
        self.Height, self.Width = array.shape[:2]
        self.Pitch, self.ElemSize = array.strides[0], array.itemsize
        self.GpuMem = address(array)
        self.__cuda_array_interface__ = {"stream": stream}


class Surface:
    """python_vali.Surface of 4.8: NV12, P10 and P12 have one plane of H * 3 / 2 rows."""

    def __init__(
        self, fake: Any, format_: str, planes: list[Array], h: int, w: int, stream: int
    ) -> None:
        self.Format = SimpleNamespace(name=format_)
        self.Height, self.Width, self.NumPlanes = h, w, len(planes)
        self.Planes = tuple(SurfacePlane(fake.register(p), stream) for p in planes)


def pitched_rows(rows: int, pitch: int, *parts: Array) -> Array:
    """The parts below each other, in rows of a longer pitch."""
    whole = np.zeros((rows, pitch), parts[0].dtype)
    at = 0
    for part in parts:
        flat = part.reshape(part.shape[0], -1)
        whole[at : at + flat.shape[0], : flat.shape[1]] = flat
        at += flat.shape[0]
    return whole


@pytest.mark.parametrize(("said", "name"), [("NV12", "NV12"), ("P10", "P010"), ("P12", "P012")])
def test_vali(fake: Any, said: str, name: str) -> None:
    f = FORMATS[name]
    planes = planes_of(f, random_yuv(f, 8, 12))
    whole = pitched_rows(12, 16, *planes)
    shown = np.lib.stride_tricks.as_strided(whole, (12, 12), whole.strides)
    fake.register(whole)
    surface = Surface(fake, said, [shown], 8, 12, fake.stream)
    frame = pixview.video_frame(surface, **BT709)
    assert (frame.format, frame.height, frame.width) == (name, 8, 12)
    assert frame.planes[1].ptr == address(whole) + 8 * whole.strides[0]
    assert frame.planes[1].strides[0] == whole.strides[0]
    assert frame.planes[0].owner is surface
    assert waited(fake, 0, fake.stream), (
        "VALI's stream is not known to last, so the legacy one waits"
    )


def test_vali_of_three_planes(fake: Any) -> None:
    f = FORMATS["YUV420P"]
    planes = [
        pitched_rows(p.shape[0], 16, p)[:, : p.shape[1]] for p in planes_of(f, random_yuv(f, 8, 12))
    ]
    frame = pixview.video_frame(Surface(fake, "YUV420", planes, 8, 12, 0), **BT709)
    assert frame.format == "YUV420P" and [p.ptr for p in frame.planes] == [
        address(p) for p in planes
    ]
    with pytest.raises(pixview.LayoutError, match="2 planes, but YUV420P has 3"):
        pixview.video_frame(Surface(fake, "YUV420", planes[:2], 8, 12, 0), **BT709)
    with pytest.raises(pixview.LayoutError, match="the format 'RGB_32F'"):
        pixview.video_frame(Surface(fake, "RGB_32F", planes, 8, 12, 0), **BT709)


class CUDABuffer:
    """spdl.io's CUDABuffer of 0.8."""

    def __init__(self, array: Array) -> None:
        self.__cuda_array_interface__ = cuda_array_interface(array).__cuda_array_interface__
        self.device_index, self._array = 0, array


class CPUBuffer:
    def __init__(self, array: Array) -> None:
        self.__array_interface__, self._array = array.__array_interface__, array


def test_spdl(fake: Any) -> None:
    f = FORMATS["NV12"]
    yuv = random_yuv(f, 8, 12)
    y, uv = planes_of(f, yuv)
    whole = np.concatenate([y, uv.reshape(4, 12)])
    frame = pixview.video_frame(CPUBuffer(whole[None]), format="NV12", **BT709)
    assert np.abs(pixview.as_numpy(frame) - np.rint(to_rgb(f, yuv, "bt709", True))).max() <= 1
    on_gpu = fake.register(whole[None].copy())
    frame = pixview.video_frame(CUDABuffer(on_gpu), format="NV12", **BT709)
    assert frame.planes[1].ptr == address(on_gpu) + 8 * 12
    with pytest.raises(pixview.LayoutError, match=r"has 3 frames; pass one of them"):
        pixview.video_frame(CUDABuffer(fake.register(image(3, 12, 12))), format="NV12", **BT709)
    with pytest.raises(pixview.LayoutError, match="format=None"):
        pixview.video_frame(CUDABuffer(on_gpu), **BT709)


def test_a_type_of_the_same_name_is_no_decoder_s() -> None:
    """pygame has a Surface too."""
    surface = type("Surface", (), {})()
    with pytest.raises(pixview.LayoutError, match="format=None"):
        pixview.video_frame(surface, **BT709)
    with pytest.raises(pixview.UnsupportedError, match="cannot read a Surface"):
        pixview.video_frame(surface, format="NV12", **BT709)


# ---- on a GPU ---------------------------------------------------------------------------------


def gpu_nv12(fake: Any, h: int = 4, w: int = 6, **keywords: Any) -> pixview.VideoFrame:
    f = FORMATS["NV12"]
    planes = [fake.image(p, **keywords) for p in planes_of(f, random_yuv(f, h, w))]
    return pixview.video_frame(planes, format="NV12", **BT709)


def test_a_gpumat_of_all_planes(fake: Any, torch: Any) -> None:
    whole = fake.register(image(9, 8))
    tensor = pixview.as_torch(fake.image(whole))
    frame = pixview.video_frame(tensor, format="NV12", **BT709)
    assert frame.device == ("cuda", 0) and frame.planes[1].ptr == address(whole) + 48
    assert repr(frame).endswith("on cuda:0>")


@pytest.mark.cv2
def test_a_gpumat(fake: Any, cv2: Any) -> None:
    from support import wrap

    whole = fake.register(image(9, 8, 1))
    frame = pixview.video_frame(wrap(cv2, whole), format="NV12", stream=fake.stream, **BT709)
    assert (frame.height, frame.width) == (6, 8) and frame.planes[0].ptr == address(whole)
    assert waited(fake, 0, fake.stream) or frame.stream == fake.stream


def test_addresses_on_a_gpu(fake: Any) -> None:
    y, uv = fake.register(image(4, 8)), fake.register(image(2, 8))
    pairs = ((address(y), 8), (address(uv), 8))
    keywords: dict[str, Any] = {"format": "NV12", "size": (4, 8), "device": "cuda:0", **BT709}
    frame = pixview.video_frame(pairs, **keywords)
    assert (frame.device, frame.stream) == (("cuda", 0), 0)
    assert pixview.video_frame(pairs, stream=fake.stream, **keywords).stream == fake.stream


def test_planes_of_several_streams_are_ordered(fake: Any) -> None:
    a, b = fake.stream, fake.lib.fake_stream(0)
    y = fake.image(image(4, 8), stream=a)
    uv = fake.image(image(2, 4, 2), stream=type(a)(b))
    fake.reset()
    frame = pixview.video_frame((y, uv), format="NV12", **BT709)
    assert frame.stream == a == frame.planes[1].__cuda_array_interface__["stream"]
    assert waited(fake, a, b)
    del frame
    drain()
    assert waited(fake, b, a), "and when the view is dropped, the plane's own stream waits"


def test_planes_on_two_devices(fake: Any) -> None:
    with pytest.raises(pixview.DeviceError, match=r"plane 1 \(UV\)"):
        pixview.video_frame((image(4, 8), fake.image(image(2, 4, 2))), format="NV12", **BT709)


@pytest.mark.usefixtures("kernels")
def test_a_copy_runs_on_the_frame_s_stream(fake: Any) -> None:
    frame = gpu_nv12(fake, stream=fake.stream)
    fake.reset()
    copy = pixview.video_frame(frame, copy=True)
    assert copy.stream == fake.stream and "wait" not in fake.work()
    for a, b in zip(frame.planes, copy.planes, strict=True):
        np.testing.assert_array_equal(
            pixview.as_numpy(a, copy=True), pixview.as_numpy(b, copy=True)
        )


def test_an_encoder_s_interface(fake: Any) -> None:
    """As PyNvVideoCodec's encoder reads it: strides always, 16 bits as |u2, axes H,W,C, UV behind Y."""
    whole = fake.register(image(12, 8))
    frame = pixview.video_frame(fake.image(whole), format="NV12", **BT709)
    y, uv = (p.__cuda_array_interface__ for p in frame.cuda())
    assert (y["shape"], y["strides"], y["typestr"]) == ((8, 8, 1), (8, 1, 1), "|u1")
    assert (uv["shape"], uv["strides"], uv["stream"]) == ((4, 4, 2), (8, 2, 1), 1)
    assert uv["data"] == (y["data"][0] + 8 * 8, False)
    deep = fake.register(image(12, 8, dtype="uint16"))
    frame = pixview.video_frame(fake.image(deep), format="P010", **BT709)
    y, uv = (p.__cuda_array_interface__ for p in frame.cuda())
    assert (y["typestr"], y["strides"], uv["strides"]) == ("|u2", (16, 2, 2), (16, 4, 2))
    planes = frame.cuda()
    del frame
    gc.collect()
    assert planes[0].owner.ptr == address(deep)


@pytest.mark.usefixtures("kernels")
def test_streams_of_a_list_with_frames(fake: Any) -> None:
    """The work waits for the frame's stream, and that one for the work."""
    frame, rgb = gpu_nv12(fake, stream=fake.stream), fake.image(image(4, 6, 3))
    fake.reset()
    batch = pixview.stack([frame, rgb], to="image")
    assert batch.shape == (2, 3, 4, 6)
    work = 0 if pixview.stream_of(batch) == 0 else fake.stream
    other = fake.stream if work == 0 else 0
    assert waited(fake, work, other) and waited(fake, other, work)


@pytest.mark.usefixtures("kernels")
def test_a_frame_is_downloaded_as_rgb(fake: Any) -> None:
    frame = gpu_nv12(fake)
    with pytest.raises(pixview.DeviceError, match=r"as_numpy\(x, copy=True\) downloads"):
        pixview.as_numpy(frame)
    got = pixview.as_numpy(frame, copy=True)
    f = FORMATS["NV12"]
    assert np.abs(got - np.rint(to_rgb(f, random_yuv(f, 4, 6), "bt709", True))).max() <= 1


@pytest.mark.usefixtures("kernels")
def test_a_frame_is_uploaded_as_rgb(fake: Any, cupy: Any) -> None:
    f = FORMATS["NV12"]
    planes = planes_of(f, random_yuv(f, 4, 6))
    frame = pixview.video_frame(planes, format="NV12", **BT709)
    on_gpu = fake.image(np.zeros((4, 6, 3), np.uint8))
    pixview.copy_into(on_gpu, frame)
    np.testing.assert_array_equal(pixview.as_numpy(on_gpu, copy=True), pixview.as_numpy(frame))
    with pytest.raises(pixview.DeviceError):
        pixview.copy_into(gpu_nv12(fake), image(4, 6, 3))


def test_used_on_reaches_every_plane(fake: Any) -> None:
    frame = gpu_nv12(fake)
    pixview.used_on(frame, fake.stream)
    fake.reset()
    del frame
    drain()
    assert waited(fake, 0, fake.stream)


# ---- hostile objects --------------------------------------------------------------------------


class Boom(Exception):
    pass


def hostile(kind: str, attributes: dict[str, Any], fails: str) -> Any:
    """An object of a decoder's name, one of whose attributes raises."""

    def raises(self: Any) -> Any:
        raise Boom(fails)

    return type(kind, (), {**attributes, fails: property(raises)})()


def good_pyav() -> dict[str, Any]:
    plane = SimpleNamespace(buffer_ptr=4096, line_size=16)
    named = SimpleNamespace(name="nv12")
    return {
        **{"format": named, "sw_format": None, "colorspace": 1, "color_range": 1},
        **{"height": 4, "width": 8, "planes": (plane, plane)},
    }


@pytest.mark.parametrize("fails", [n for n in good_pyav() if n != "sw_format"])
def test_attributes_that_raise(fails: str) -> None:
    with pytest.raises(pixview.UnsupportedError, match=f"{fails}.*VideoFrame") as caught:
        pixview.video_frame(hostile("VideoFrame", good_pyav(), fails))
    assert isinstance(caught.value.__cause__, Boom)


WRONG: list[tuple[str, str, Any, Any]] = [
    ("format of no name", "format", None, pixview.UnsupportedError),
    ("format of a number", "format", SimpleNamespace(name=5), pixview.UnsupportedError),
    ("a surrogate", "format", SimpleNamespace(name="\udc80"), pixview.Error),
    ("a long name", "format", SimpleNamespace(name="n" * 1000), pixview.LayoutError),
    ("colorspace of None", "colorspace", None, pixview.UnsupportedError),
    ("colorspace beyond 64 bits", "colorspace", 2**70, pixview.UnsupportedError),
    ("a negative height", "height", -4, pixview.LayoutError),
    ("a height of 0", "height", 0, pixview.LayoutError),
    ("a width beyond 64 bits", "width", 2**63 - 1, pixview.LayoutError),
    ("planes of None", "planes", None, pixview.LayoutError),
    ("one plane", "planes", (1,), pixview.LayoutError),
    ("planes of numbers", "planes", (1, 2), pixview.UnsupportedError),
    ("a NULL", "planes", (SimpleNamespace(buffer_ptr=0, line_size=16),) * 2, pixview.LayoutError),
    (
        "an odd pitch",
        "planes",
        (SimpleNamespace(buffer_ptr=64, line_size=9),) * 2,
        pixview.LayoutError,
    ),
]


@pytest.mark.parametrize(
    ("name", "value", "error"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG]
)
def test_attributes_of_other_kinds(name: str, value: Any, error: Any) -> None:
    frame = type("VideoFrame", (), {**good_pyav(), name: value})()
    with pytest.raises(error):
        pixview.video_frame(frame)


def test_a_frame_that_changes_while_it_is_read(fake: Any) -> None:
    """Each attribute gives something else at every look; what comes of it is an error or a frame."""

    class VideoFrame:
        looks = 0

        def __getattr__(self, name: str) -> Any:
            type(self).looks += 1
            good = good_pyav()
            if name not in good:
                raise AttributeError(name)
            return {"height": self.looks % 5, "width": self.looks % 9}.get(name, good[name])

    for _ in range(50):
        try:
            pixview.video_frame(VideoFrame())
        except pixview.Error:
            pass


def test_decoders_of_no_words(fake: Any) -> None:
    decoded = DecodedFrame(fake, "NV12", "NV12")
    for name, value in (
        ("cuda", lambda: []),
        ("cuda", lambda: [SimpleNamespace(__cuda_array_interface__=5)]),
        ("cuda", lambda: [SimpleNamespace(__cuda_array_interface__={})]),
        ("cuda", lambda: [SimpleNamespace(__cuda_array_interface__={"shape": (8,)})]),
        ("GetPtrToPlane", lambda i: "here"),
        ("decoder_stream_event", "soon"),
        ("__dlpack_device__", None),
    ):
        broken = type("DecodedFrame", (), {})()
        for key in ("format", "decoder_stream_event", "cuda", "GetPtrToPlane"):
            setattr(broken, key, getattr(decoded, key))
        if name != "__dlpack_device__":
            type(broken).__dlpack_device__ = lambda self: (2, 0)  # type: ignore[attr-defined]
            setattr(broken, name, value)
        with pytest.raises(pixview.Error):
            pixview.video_frame(broken, **BT709)
