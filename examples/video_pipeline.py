# SPDX-License-Identifier: Apache-2.0
"""Decode a video, let a model find the brightest thing, draw its box, and encode the result.

file -> PyAV -> video_frame -> stack -> torch model -> to_source -> box on R, G and B
     -> to_video_frame -> PyAV -> file, which is decoded again and compared

Without a GPU all of it runs in host memory. With one, the planes of Y, U and V are uploaded (half
the bytes of R, G and B), and everything is done there, up to the planes for the encoder.

    python examples/video_pipeline.py                # makes a clip of its own
    python examples/video_pipeline.py holiday.mp4 -o boxes.mp4
"""

import argparse
import itertools
import math
import os
import sys
import time
from fractions import Fraction
from types import SimpleNamespace

import av
import pixview
import torch

BATCH = 8  # frames
CANVAS = 256  # height and width of what the model sees
LETTERBOX = {"size": (CANVAS, CANVAS), "fit": "letterbox", "scale": 1 / 255}
WINDOW = 17  # of these pixels: the size of what it finds
LINE = 4  # pixels: even, since two share their U and V
ORANGE = (255, 96, 0)
LIMIT = 35  # dB; a wrong matrix or range gives some 30
SPACES = {"bt709": 1, "bt601": 6, "smpte240m": 7, "bt2020": 9}  # as files have them
RANGES = {"limited": 1, "full": 2}


def find_brightest(model, batch):
    """The box of the brightest window in each canvas: N,4 of x, y, x, y."""
    with torch.inference_mode():
        best = model(batch).flatten(1).argmax(1)
    x, y, r = best % CANVAS + 0.5, best // CANVAS + 0.5, WINDOW / 2
    return torch.stack([x - r, y - r, x + r, y + r], 1)


def make_model(device):
    """One convolution of equal weights. Yours goes here."""
    model = torch.nn.Conv2d(3, 1, WINDOW, padding=WINDOW // 2, bias=False).to(device)
    torch.nn.init.constant_(model.weight, 1 / (3 * WINDOW**2))
    return model


def draw(frame, box):
    """The frame as 3,H,W with the outline of the box (x, y, x, y)."""
    rgb = pixview.as_torch(frame)
    x0, y0, x1, y1 = (round(v) // 2 * 2 for v in box)
    outline = rgb[:, y0:y1, x0:x1]
    inside = outline[:, LINE:-LINE, LINE:-LINE].clone()
    outline[:] = torch.tensor(ORANGE, dtype=rgb.dtype, device=rgb.device)[:, None, None]
    outline[:, LINE:-LINE, LINE:-LINE] = inside
    return rgb[:, : frame.height // 2 * 2, : frame.width // 2 * 2]  # H.264 has even sizes


def read(path, device, what=None, **colours):
    """Every decoded frame, and its planes on the device as a VideoFrame."""
    with av.open(path) as container:
        for decoded in progress(container.decode(video=0), what):
            frame = pixview.video_frame(decoded, **colours)
            if device != "cpu":
                planes = (torch.tensor(pixview.as_numpy(p), device=device) for p in frame.planes)
                same = {"format": frame.format, "matrix": frame.matrix, "range": frame.range}
                frame = pixview.video_frame(tuple(planes), **same)
            yield decoded, frame


def write(container, rgb, decoded, frame):
    """Encode 3,H,W with the colours and the time of the frame that it was made of."""
    space, range_ = SPACES[frame.matrix], RANGES[frame.range]
    if not container.streams:
        stream = container.add_stream("libx264", rate=25, options={"crf": "16"})
        stream.height, stream.width, stream.pix_fmt = *rgb.shape[1:], "yuv420p"
        codec = stream.codec_context
        codec.time_base, codec.colorspace, codec.color_range = decoded.time_base, space, range_
        codec.color_primaries, codec.color_trc = decoded.color_primaries, decoded.color_trc
    yuv = pixview.to_video_frame(rgb, format="YUV420P", matrix=frame.matrix, range=frame.range)
    planes = [pixview.as_torch(plane).cpu() for plane in yuv.planes]
    result = av.VideoFrame.from_dlpack(planes, format="yuv420p")
    result.pts, result.time_base = decoded.pts, decoded.time_base
    result.colorspace, result.color_range = space, range_
    container.mux(container.streams[0].encode(result))


def convert(path, output, device, **colours):
    """Write the output. Returns the box of each frame, in pixels of the frame."""
    model, boxes = make_model(device), []
    frames = read(path, device, "converted", **colours)
    with av.open(output, "w") as container:
        while group := list(itertools.islice(frames, BATCH)):
            images = [frame for _, frame in group]
            batch, placements = pixview.stack(images, return_placements=True, **LETTERBOX)
            found = placements.to_source(find_brightest(model, batch)[:, None])[:, 0].tolist()
            for (decoded, frame), box in zip(group, found, strict=True):
                write(container, draw(frame, box), decoded, frame)
            boxes += found
        if boxes:
            container.mux(container.streams[0].encode(None))
    return boxes


def compare(path, output, device, boxes, **colours):
    """The lowest PSNR, in dB, of the output's frames beside the input's with their boxes."""
    worst, sources = math.inf, read(path, device, "compared", **colours)
    for (_, source), (_, result), box in zip(sources, read(output, device), boxes, strict=True):
        error = pixview.as_torch(result).float() - draw(source, box).float()
        worst = min(worst, 10 * math.log10(255**2 / max(error.square().mean().item(), 1e-9)))
    return worst


def make_clip(path, n=100, h=360, w=640):
    """A colourful clip in which a bright disc of 20 pixels moves."""
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    ramps = torch.stack([x * 200 // w, y * 200 // h, (x + y) * 200 // (w + h)]).to(torch.uint8)
    like = SimpleNamespace(matrix="bt709", range="limited", color_primaries=1, color_trc=1)
    like.time_base = Fraction(1, 25)
    with av.open(path, "w") as container:
        for like.pts in range(n):
            cx = w * (0.5 + 0.4 * math.sin(like.pts / 15))
            cy = h * (0.5 + 0.35 * math.cos(like.pts / 11))
            disc = (x - cx) ** 2 + (y - cy) ** 2 < 20**2
            write(container, ramps.masked_fill(disc, 250), like, like)
        container.mux(container.streams[0].encode(None))


def progress(items, what):
    """The same items; how many there were is printed now and then, if it takes longer."""
    start = shown = time.monotonic()
    for count, item in enumerate(items):
        if what and (now := time.monotonic()) > max(shown + 2, start + 3):
            shown = now
            print(f"{count} frames {what}, {count / (now - start):.0f} a second", file=sys.stderr)
        yield item


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("input", nargs="?", help="a video; without one a clip is made")
    parser.add_argument("-o", "--output", default="video_pipeline.mp4", help="%(default)s")
    parser.add_argument("--matrix", choices=SPACES, help="of an input without this tag")
    parser.add_argument("--range", choices=RANGES, help="of an input without this tag")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=device, help="cpu or cuda; here %(default)s")
    args = parser.parse_args()
    path = args.input or os.path.splitext(args.output)[0] + "_clip.mp4"
    if os.path.abspath(path) == os.path.abspath(args.output):
        parser.error("the output would overwrite the input")
    if not args.input:
        make_clip(path)
    colours = {"matrix": args.matrix, "range": args.range}
    try:
        boxes = convert(path, args.output, args.device, **colours)
    except pixview.LayoutError as error:  # a file that does not say what its colours mean
        sys.exit(f"{path}: {error}")
    psnr = compare(path, args.output, args.device, boxes, **colours)
    print(
        f"{args.output}: {len(boxes)} frames on {args.device}, at least {psnr:.1f} dB beside the input"
    )
    if psnr < LIMIT:
        sys.exit(f"below {LIMIT} dB: the output does not look like the input")


if __name__ == "__main__":
    main()
