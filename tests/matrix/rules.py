# SPDX-License-Identifier: Apache-2.0
"""What must come of a conversion: read off the contract, and nothing of pixview is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pixview

from .sources import Source

GPUMAT_4 = {"uint8", "int8", "uint16", "int16", "int32", "float32", "float64", "float16"}
GPUMAT_5 = GPUMAT_4 | {"bool", "bfloat16", "uint32", "uint64", "int64"}
USUAL = {"torch": {2: "HW", 3: "CHW", 4: "NCHW"}, "other": {2: "HW", 3: "HWC", 4: "NHWC"}}

NONE, FALSE, TRUE, CONTIGUOUS = "copy=None", "copy=False", "copy=True", "contiguous=True"
KEYWORDS: dict[str, dict[str, Any]] = {
    NONE: {},
    FALSE: {"copy": False},
    TRUE: {"copy": True},
    CONTIGUOUS: {"contiguous": True},
}


def modes(to: str) -> tuple[str, ...]:
    """The flags of a conversion; a GpuMat and an Image take no contiguous=."""
    return (NONE, FALSE, TRUE) if to in ("gpumat", "image") else (NONE, FALSE, TRUE, CONTIGUOUS)


def result_layout(source: Source, to: str) -> str:
    if to == "image":
        return source.layout
    if to == "gpumat":
        return "HWC"
    return USUAL["torch" if to == "torch" else "other"][len(source.layout)]


@dataclass(frozen=True)
class Outcome:
    kind: str  # view, copy, refused
    errors: tuple[type[Exception], ...] = ()


VIEW, COPY = Outcome("view"), Outcome("copy")


def refused(*errors: type[Exception]) -> Outcome:
    return Outcome("refused", errors)


def fits_gpumat(s: Source) -> bool:
    """The rule of a GpuMat, for pixels that are there."""
    c, item = s.extent("C"), s.itemsize
    row = s.extent("W") * c * item
    if s.extent("H") == 0 or s.extent("W") == 0:
        return True
    return (
        (c == 1 or s.stride("C") == item)
        and (s.extent("W") == 1 or s.stride("W") == c * item)
        and (s.extent("H") == 1 or (s.stride("H") >= row and s.stride("H") % item == 0))
    )


def fits_torch(s: Source) -> bool:
    """No negative strides, and whole elements."""
    steps = [t for n, t in zip(s.shape, s.strides, strict=True) if n > 1]
    return s.empty or all(t >= 0 and t % s.itemsize == 0 for t in steps)


def no_equal(s: Source, to: str, opencv: int, ml_dtypes: bool) -> tuple[type[Exception], ...]:
    """Why no copy could help either."""
    if to == "gpumat":
        errors: list[type[Exception]] = []
        if s.dtype not in (GPUMAT_5 if opencv >= 5 else GPUMAT_4):
            errors.append(pixview.DtypeError)
        if s.extent("N") != 1 or s.extent("C") == 0:
            errors.append(pixview.LayoutError)
        return tuple(errors)
    if s.dtype == "bfloat16" and to in ("numpy", "cupy") and not ml_dtypes:
        return (pixview.DtypeError,)
    return ()


def outcome(s: Source, to: str, mode: str, *, host: bool, opencv: int, ml_dtypes: bool) -> Outcome:
    never = no_equal(s, to, opencv, ml_dtypes)
    moves = to in ("cupy", "gpumat") if host else to == "numpy"
    if moves and mode != TRUE:
        return refused(pixview.DeviceError, *never)
    if never:
        return refused(*never)
    if mode == TRUE:
        return COPY
    why: list[type[Exception]] = []
    if s.readonly and to in ("torch", "cupy", "gpumat"):
        why.append(pixview.ReadOnlyError)
    if (
        (to == "gpumat" and not fits_gpumat(s))
        or (to == "torch" and not fits_torch(s))
        or (mode == CONTIGUOUS and not s.packed(result_layout(s, to)))
    ):
        why.append(pixview.LayoutError)
    if not why:
        return VIEW
    return refused(*why) if mode == FALSE else COPY
