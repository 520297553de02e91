# SPDX-License-Identifier: Apache-2.0
"""One picture file: panels side by side, each with a title, the call and "view" or "copy"."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL = (360, 240)  # pixels; larger pictures are scaled down, smaller ones keep their size
MARGIN = 16
CAPTION = 62
TITLE, CALL = 23, 19  # sizes of the font
BACKGROUND = (255, 255, 255)
INK = (20, 20, 20)
GREY = (110, 110, 110)
BADGES = {"view": (22, 128, 57), "copy": (180, 83, 9)}


@dataclass(frozen=True)
class Panel:
    """pixels: H,W,C or H,W of uint8. call: the line of code. kind: "view", "copy" or ""."""

    pixels: np.ndarray
    title: str
    call: str
    kind: str


def write(panels: Sequence[Panel], path: str) -> None:
    """Draw the panels and write the file, whose kind is that of its ending.

    Raises OSError if the file cannot be written.
    """
    columns = math.isqrt(len(panels) - 1) + 1  # about as many as rows
    rows = -(-len(panels) // columns)
    step = CELL[0] + MARGIN, CELL[1] + CAPTION + MARGIN
    sheet = Image.new("RGB", (columns * step[0] + MARGIN, rows * step[1] + MARGIN), BACKGROUND)
    for index, panel in enumerate(panels):
        corner = MARGIN + index % columns * step[0], MARGIN + index // columns * step[1]
        _draw(sheet, corner, panel, f"{index + 1}. {panel.title}")
    sheet.save(path, quality=70)


def _draw(sheet: Image.Image, corner: tuple[int, int], panel: Panel, title: str) -> None:
    x, y = corner
    pen = ImageDraw.Draw(sheet)
    pen.text((x, y), title, fill=INK, font=font_of(TITLE))
    pen.text((x, y + TITLE + 8), panel.call, fill=GREY, font=font_of(CALL))
    picture = Image.fromarray(np.ascontiguousarray(panel.pixels))
    picture.thumbnail(CELL, Image.Resampling.LANCZOS)
    sheet.paste(picture, (x, y + CAPTION))
    if panel.kind:
        left, _, right, _ = pen.textbbox((0, 0), panel.kind, font=font_of(CALL))
        _, top, _, bottom = pen.textbbox(
            (0, 0), "Ay", font=font_of(CALL)
        )  # the same for every word
        at = x + picture.width - 16 - right, y + CAPTION + 12
        box = (at[0] + left - 8, at[1] + top - 6, at[0] + right + 8, at[1] + bottom + 6)
        pen.rounded_rectangle(box, radius=6, fill=BADGES[panel.kind])
        pen.text(at, panel.kind, fill=BACKGROUND, font=font_of(CALL))


def font_of(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    try:
        return ImageFont.load_default(size)
    except TypeError:  # Pillow before 10.1
        return ImageFont.load_default()
