# SPDX-License-Identifier: Apache-2.0
"""``pixview demo``: every conversion of this machine on a photograph, checked and drawn."""

from __future__ import annotations

import sys
import warnings
from importlib import resources
from typing import TYPE_CHECKING, Any

from .machine import NAMES, find, line, no_gpu_for

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from .steps import Record

SMALLEST = 64  # pixels; the regions that the demo changes need this much
LARGEST = 2048  # pixels; a larger picture is scaled down, so that the demo takes seconds
ORIENTATION = 0x0112  # EXIF


def run(image: str | None, output: str) -> int:
    """Run the demo on a picture file (None: the cat) and write its picture to ``output``.

    Returns 0. Returns 1 after one line on stderr if a package is missing or a check failed.
    """
    missing = [name for name in ("numpy", "PIL") if isinstance(find(name), str)]
    if missing:
        return _fail(_missing(missing))
    from . import sheet
    from .steps import DemoError, Record

    record = Record()
    try:
        photo = _read(image)
        _run_host(record, photo)
        _run_gpu(record, photo)
        sheet.write(record.panels, output)
    except (DemoError, OSError) as error:
        return _fail(str(error))
    print("\n".join(table(record)))
    print(f"{output}: {len(record.panels)} pictures")
    return 0


def table(record: Record) -> list[str]:
    """The record as the lines of a table."""
    head = ("conversion", "shape", "layout", "strides (bytes)", "address", "", "ns")
    cells = [head] + [
        (
            row.name,
            "x".join(map(str, row.shape)),
            row.layout,
            " ".join(map(str, row.strides)),
            f"{row.address:#x}",
            row.kind,
            f"{row.nanoseconds:.0f}",
        )
        for row in record.rows
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if index == len(head) - 1 else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
    views = sum(row.kind == "view" for row in record.rows)
    lines += [
        "ns: host time of one call, median; for a copy on a GPU, the time to queue it",
        *(f"skipped: {reason}" for reason in record.skipped),
        f"checked: {views} views share the address of their source, {len(record.rows) - views} copies "
        "do not; every pixel equals NumPy's result (resized: within 1), and boxes come back",
    ]
    return lines


def _run_host(record: Record, photo: np.ndarray) -> None:
    """The conversions in host memory: with torch if it is there, else between arrays and DLPack."""
    from . import letterbox

    record.panel(photo, "A photograph in NumPy", "frame: H,W,C of uint8")
    torch = find("torch")
    if isinstance(torch, str):
        from . import arrays

        record.skipped.append(f"torch in host memory: torch is {torch}")
        arrays.run(record, photo)
    else:
        from . import host

        host.run(record, photo)
    letterbox.run(record, photo)


def _run_gpu(record: Record, photo: np.ndarray) -> None:
    """The conversions on the GPU, with the libraries that can use it here."""
    modules: dict[str, Any] = {name: find(name) for name in ("torch", "cupy", "cv2")}
    reasons = {name: no_gpu_for(name, module) for name, module in modules.items()}
    here = {name: modules[name] for name, reason in reasons.items() if not reason}
    for name, reason in reasons.items():
        if reason:
            end = "GpuMat" if name == "cv2" else NAMES[name]
            record.skipped.append(f"{end} on the GPU: {reason}")
    if here:
        from . import gpu

        gpu.run(record, photo, here)


def _read(image: str | None) -> np.ndarray:
    """The picture as a writable H,W,C array of uint8, in R,G,B order."""
    import numpy as np
    from PIL import Image, ImageOps

    from .steps import DemoError

    default = resources.files("pixview") / "data" / "chelsea.jpg"
    try:
        with (
            default.open("rb") if image is None else open(image, "rb") as file,
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the error is enough
            picture: Image.Image = Image.open(file)
            width, height = picture.size
            picture.draft("RGB", (LARGEST, LARGEST))  # a JPEG is decoded no larger than needed
            turned = picture.getexif().get(ORIENTATION, 1) != 1
            picture = _eight_bits(ImageOps.exif_transpose(picture) if turned else picture)
            picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
            photo = np.array(picture)
    except Exception as error:  # Pillow's decoders raise many types
        raise DemoError(f"cannot read {image or default}: {line(error)}") from error
    if min(photo.shape[:2]) < SMALLEST:
        raise DemoError(
            f"{image} is {width} x {height} pixels; the demo needs at least {SMALLEST} x {SMALLEST}, "
            f"after it has scaled the longer side to at most {LARGEST}"
        )
    if max(width, height) > LARGEST:
        print(
            f"{image}: {width} x {height} pixels, scaled to {photo.shape[1]} x {photo.shape[0]}",
            flush=True,
        )
    return photo


def _eight_bits(picture: Image.Image) -> Image.Image:
    """In R,G,B of 8 bits. Pillow itself clips what has more bits: nearly all of it turns white."""
    import numpy as np
    from PIL import Image

    if picture.mode not in ("I", "F") and not picture.mode.startswith("I;16"):
        return picture.convert("RGB")
    values = np.nan_to_num(np.asarray(picture), posinf=0, neginf=0)
    low, high = (0, 65535) if picture.mode != "F" else (0.0, 1.0)
    if values.min() < low or values.max() > high:
        low, high = values.min(), values.max()
    grey = ((values.astype(np.float32) - low) * (255 / (high - low))).round().astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _missing(names: list[str]) -> str:
    what = ", ".join(f"{NAMES[name]} ({find(name)})" for name in names)
    packages = " ".join("pillow" if name == "PIL" else name for name in names)
    return f"needs {what}: pip install {packages}"


def _fail(reason: str) -> int:
    print(f"pixview demo: {reason}", file=sys.stderr)
    return 1
