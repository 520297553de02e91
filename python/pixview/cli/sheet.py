"""One PNG with pictures side by side, each with a caption."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

COLUMNS = 4
CELL = (451, 320)  # pixels; larger pictures are made smaller, smaller ones stay as they are
MARGIN = 16
CAPTION = 44
BACKGROUND = (255, 255, 255)
INK = (20, 20, 20)


def write(panels: Sequence[tuple[np.ndarray, str]], path: str) -> None:
    """Draw the panels (H,W,C or H,W of uint8, and a caption of up to two lines) and write the PNG.

    Raises OSError if the file cannot be written.
    """
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    step = CELL[0] + MARGIN, CELL[1] + CAPTION + MARGIN
    sheet = Image.new("RGB", (columns * step[0] + MARGIN, rows * step[1] + MARGIN), BACKGROUND)
    for index, (pixels, caption) in enumerate(panels):
        corner = MARGIN + index % columns * step[0], MARGIN + index // columns * step[1]
        _draw(sheet, corner, pixels, f"{index + 1}. {caption}")
    sheet.save(path, format="PNG")


def _draw(sheet: Image.Image, corner: tuple[int, int], pixels: np.ndarray, caption: str) -> None:
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail(CELL)
    x, y = corner
    ImageDraw.Draw(sheet).multiline_text((x, y), caption, fill=INK, font=_font(), spacing=2)
    sheet.paste(picture, (x, y + CAPTION))


def _font() -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    try:
        return ImageFont.load_default(16)
    except TypeError:  # Pillow before 10.1
        return ImageFont.load_default()
