# SPDX-License-Identifier: Apache-2.0
"""The picture of ``pixview bench``: for each case a bar for each way, as long as its time."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from .bench import Case, duration
from .sheet import BACKGROUND, BADGES, CALL, GREY, INK, MARGIN, TITLE, font_of

WIDTH, LABEL, VALUE = 1100, 330, 230  # pixels: of the picture, before the bars, after them
BAR, GAP = 22, 6
OURS, OTHERS = BADGES["view"], (170, 175, 185)


def write(path: str, facts: dict[str, str], cases: Sequence[Case]) -> None:
    """Raises OSError if the file cannot be written. Its kind is that of its ending."""
    lines = _heading(facts)
    case_height = [TITLE + 12 + len(case.samples) * (BAR + GAP) + MARGIN for case in cases]
    top = MARGIN + len(lines) * (CALL + 8) + MARGIN
    picture = Image.new("RGB", (WIDTH, top + sum(case_height) + MARGIN), BACKGROUND)
    pen = ImageDraw.Draw(picture)
    for index, line in enumerate(lines):
        pen.text((MARGIN, MARGIN + index * (CALL + 8)), line, fill=GREY, font=font_of(CALL))
    for case, height in zip(cases, case_height, strict=True):
        _bars(pen, top, case)
        top += height
    picture.save(path, quality=80)


def _heading(facts: dict[str, str]) -> list[str]:
    chips = [facts[name] for name in ("cpu", "gpu") if name in facts]
    versions = [f"{name} {fact}" for name, fact in facts.items() if name not in ("cpu", "gpu")]
    return [f"pixview bench on {', '.join(chips)}", ", ".join(versions)]


def _bars(pen: ImageDraw.ImageDraw, top: int, case: Case) -> None:
    """All bars of a case have one scale: its slowest way fills the room."""
    rows = case.rows()
    pen.text((MARGIN, top), f"{case.name} ({case.where})", fill=INK, font=font_of(TITLE))
    longest = max(row["ns"] for row in rows)
    for index, row in enumerate(rows):
        y = top + TITLE + 12 + index * (BAR + GAP)
        length = max(2, round((WIDTH - 2 * MARGIN - LABEL - VALUE) * row["ns"] / longest))
        left = MARGIN + LABEL
        pen.text((MARGIN, y - 1), row["way"], fill=GREY, font=font_of(CALL))
        pen.rectangle((left, y, left + length, y + BAR), fill=OTHERS if index else OURS)
        speed = f", {row['gb_per_s']:.1f} GB/s" if row["gb_per_s"] is not None else ""
        value = duration(row["ns"]) + speed
        pen.text((left + length + 8, y - 1), value, fill=INK, font=font_of(CALL))
