# SPDX-License-Identifier: Apache-2.0
"""NVDEC by PyNvVideoCodec beside PyAV on the CPU: the same files, and frames that are kept while it decodes on."""

import pytest

from .util import np, pixview, torch

av = pytest.importorskip("av", reason="GPU tests NOT RUN: no av to make the files")
nvcodec = pytest.importorskip("PyNvVideoCodec", reason="GPU tests NOT RUN: no PyNvVideoCodec")

WORDS = {"matrix": "bt709", "range": "limited"}
FILES = [("libx264", "yuv420p", "NV12", 8), ("libx265", "yuv420p10le", "P010", 10)]


def make_file(path, codec, pix_fmt, frames=12, h=288, w=320):
    """Each frame another picture, as decoders of both sides have to give it in every bit."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = w, h, pix_fmt
        y, x = np.mgrid[:h, :w]
        for i in range(frames):
            rgb = np.stack([x + 20 * i, y * 2, x + y * 3 + i], axis=-1).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pix_fmt)
            frame.pts = i
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with av.open(str(path)) as container:
        return [pixview.video_frame(f, **WORDS) for f in container.decode(video=0)]


def planes_of(frame):
    """Y, and UV, as numbers of the values."""
    planes = [pixview.as_numpy(p, copy=True).astype(np.int64) for p in frame.planes]
    if len(planes) == 3:
        return planes[0], np.stack(planes[1:], axis=-1)
    return tuple(p >> {8: 0, 10: 6}[frame.bit_depth] for p in planes)


def check_planes(got, wanted):
    for a, b in zip(planes_of(got), planes_of(wanted), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("codec", "pix_fmt", "format_", "bits"), FILES)
def test_frames_outlive_the_next_decode(tmp_path, codec, pix_fmt, format_, bits):
    wanted = make_file(tmp_path / "in.mp4", codec, pix_fmt)
    decoder = nvcodec.SimpleDecoder(str(tmp_path / "in.mp4"), gpu_id=0, use_device_memory=True)
    kept = [
        pixview.video_frame(decoder[i], format=format_, copy=True, **WORDS)
        for i in range(len(wanted))
    ]
    assert {(f.format, f.bit_depth, f.device) for f in kept} == {(format_, bits, ("cuda", 0))}
    for got, want in zip(kept, wanted, strict=True):
        check_planes(got, want)


def test_a_decoder_on_a_stream_of_its_own(tmp_path):
    """While the frame's stream is busy the decoder goes on; a copy still has the frame that it was made of."""
    wanted = make_file(tmp_path / "in.mp4", "libx264", "yuv420p")
    stream = torch.cuda.Stream()
    decoder = nvcodec.SimpleDecoder(
        str(tmp_path / "in.mp4"),
        gpu_id=0,
        use_device_memory=True,
        cuda_stream=stream.cuda_stream,
    )
    kept = []
    for i in range(len(wanted)):
        torch.cuda._sleep(3_000_000)
        kept.append(pixview.video_frame(decoder[i], copy=True, **WORDS))
    for got, want in zip(kept, wanted, strict=True):
        check_planes(got, want)


@pytest.mark.parametrize(("codec", "pix_fmt", "format_", "bits"), FILES)
def test_rgb_is_that_of_the_host(tmp_path, codec, pix_fmt, format_, bits):
    """The kernel beside plain C, on the same bits."""
    wanted = make_file(tmp_path / "in.mp4", codec, pix_fmt)
    decoder = nvcodec.SimpleDecoder(str(tmp_path / "in.mp4"), gpu_id=0, use_device_memory=True)
    frame = pixview.video_frame(decoder[3], format=format_, copy=True, **WORDS)
    keywords = {"size": (160, 160), "fit": "letterbox", "scale": 1 / 255}
    batch = pixview.stack([frame], **keywords)
    host = pixview.stack([wanted[3]], to="numpy", **keywords)
    np.testing.assert_array_equal(batch.cpu().numpy(), host)
