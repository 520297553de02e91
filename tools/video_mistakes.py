# SPDX-License-Identifier: Apache-2.0
"""Draws docs/video-mistakes.webp: one frame, read rightly and in the usual wrong ways, by pixview itself.

usage: python tools/video_mistakes.py [FILE]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pixview
from PIL import Image
from pixview.cli.sheet import CELL, Panel, write

FILE = Path(__file__).parent.parent / "docs" / "video-mistakes.webp"
W, H = CELL
BARS = [(1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0)]
SKINS = [(255, 219, 190), (222, 160, 120), (140, 88, 62)]
BARS_END, RAMP_BEGIN = 84, 196  # rows: bars, then faces on grass, then a ramp of greys


def scene() -> tuple[np.ndarray, np.ndarray]:
    """The frame, H,W,3 of R, G and B, and where every picture keeps its right colours."""
    y, x = np.mgrid[:H, :W]
    rgb, mark = np.zeros((H, W, 3)), np.zeros((H, W), bool)

    width = W // len(BARS)
    rgb[:BARS_END] = np.array(BARS)[np.minimum(x[:BARS_END] // width, len(BARS) - 1)] * 191
    mark |= (abs(x % width - width / 2) < 11) & (abs(y - BARS_END / 2) < 11)

    shade = (y - BARS_END)[..., None] / (RAMP_BEGIN - BARS_END)
    meadow = np.array([120, 180, 235]) * (1 - shade) + np.array([60, 130, 40]) * shade
    rgb[BARS_END:RAMP_BEGIN] = meadow[BARS_END:RAMP_BEGIN]
    for i, skin in enumerate(SKINS):
        cx, cy, r = W * (2 * i + 1) / 6, (BARS_END + RAMP_BEGIN) / 2, 46
        light = 1 - 0.55 * np.hypot(x - cx + 14, y - cy + 16) / r
        inside = np.hypot(x - cx, y - cy) < r
        rgb[inside] = (np.array(skin) * np.clip(light, 0.15, 1)[..., None])[inside]
        mark |= np.hypot(x - cx, y - cy) < 13

    steps = x[RAMP_BEGIN:] * 24 // W
    rgb[RAMP_BEGIN:] = (steps * 255 / 23)[..., None]
    mark |= abs(y - (RAMP_BEGIN + H) / 2) < 8
    return rgb.round().astype(np.uint8), mark


def panels() -> list[Panel]:
    """The pictures, each with its title and the call that makes it."""
    rgb, mark = scene()
    frame = pixview.to_video_frame(rgb, matrix="bt709", range="limited")
    full = pixview.to_video_frame(rgb, matrix="bt709", range="full")
    right = pixview.as_numpy(frame)

    def panel(title: str, source: pixview.VideoFrame, call: str, **words: str) -> Panel:
        pixels = pixview.as_numpy(pixview.video_frame(source, **words)).copy()
        pixels[mark] = right[mark]
        return Panel(pixels, title, call, "")

    mistakes = [
        ("BT.709 read as BT.601", frame, "matrix", "bt601"),
        ("limited range read as full", frame, "range", "full"),
        ("full range read as limited", full, "range", "limited"),
        ("U and V swapped", frame, "format", "NV21"),
        ("red and blue swapped", frame, "order", "BGR"),
    ]
    drawn = [panel("the right way", frame, 'NV12, matrix="bt709", range="limited"')]
    for title, source, word, value in mistakes:
        call = f'video_frame(x, {word}="{value}")'
        drawn.append(panel(title, source, call, **{word: value}))
    return drawn


def draw(path: str | Path) -> None:
    """Without loss, since colours are what is shown. As WebP it is smaller than as PNG by a third."""
    with tempfile.NamedTemporaryFile(suffix=".png") as png:
        write(panels(), png.name)
        Image.open(png.name).save(path, "WEBP", lossless=True, quality=100, method=6)


if __name__ == "__main__":
    draw(sys.argv[1] if len(sys.argv) > 1 else FILE)
