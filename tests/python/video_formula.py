# SPDX-License-Identifier: Apache-2.0
"""Video frames in NumPy: planes at random, and what they are as R, G and B in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
KR_KB = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
    "smpte240m": (0.212, 0.087),
}


@dataclass(frozen=True)
class Format:
    name: str
    kind: str  # pairs, planar, packed, gray
    bits: int
    low: int  # bits below the value
    dx: int  # pixels that share U and V in a row
    dy: int


FORMATS = {
    f.name: f
    for f in [
        Format("NV12", "pairs", 8, 0, 2, 2),
        Format("NV21", "pairs", 8, 0, 2, 2),
        Format("NV16", "pairs", 8, 0, 2, 1),
        Format("NV24", "pairs", 8, 0, 1, 1),
        Format("P010", "pairs", 10, 6, 2, 2),
        Format("P012", "pairs", 12, 4, 2, 2),
        Format("P016", "pairs", 16, 0, 2, 2),
        Format("P210", "pairs", 10, 6, 2, 1),
        Format("P216", "pairs", 16, 0, 2, 1),
        *(
            Format(f"YUV{s}P{bits if bits > 8 else ''}", "planar", bits, 0, dx, dy)
            for s, dx, dy in (("420", 2, 2), ("422", 2, 1), ("444", 1, 1))
            for bits in (8, 10, 12, 16)
        ),
        Format("YUYV", "packed", 8, 0, 2, 1),
        Format("UYVY", "packed", 8, 0, 2, 1),
        *(Format(f"GRAY{bits}", "gray", bits, 0, 1, 1) for bits in (8, 10, 12, 16)),
    ]
}


def random_yuv(f: Format, h: int, w: int, seed: int = 0) -> tuple[Array, Array, Array]:
    """Values of Y, U and V as they are stored; U and V of sizes rounded up."""
    rng = np.random.default_rng(seed)
    ch, cw = -(-h // f.dy), -(-w // f.dx)
    top = 1 << f.bits
    return (
        rng.integers(0, top, (h, w)),
        rng.integers(0, top, (ch, cw)),
        rng.integers(0, top, (ch, cw)),
    )


def planes_of(f: Format, yuv: tuple[Array, Array, Array]) -> tuple[Array, ...]:
    """The planes that hold them, with noise in the bits that mean nothing."""
    dtype = np.uint8 if f.bits == 8 else np.uint16
    noise = (1 << f.low) - 1
    y, u, v = ((x << f.low | noise).astype(dtype) for x in yuv)
    if f.kind == "gray":
        return (y,)
    if f.kind == "planar":
        return y, u, v
    if f.kind == "pairs":
        return y, np.stack((v, u) if f.name == "NV21" else (u, v), axis=-1)
    h, w = y.shape
    wide = np.zeros((h, u.shape[1] * 2), dtype)
    wide[:, :w] = y
    order = (wide[:, 0::2], u, wide[:, 1::2], v)
    if f.name == "UYVY":
        order = (u, wide[:, 0::2], v, wide[:, 1::2])
    return (np.stack(order, axis=-1),)


def to_rgb(f: Format, yuv: tuple[Array, Array, Array], matrix: str, limited: bool) -> Array:
    """H,W,3 of float64, 0 to 255, clipped and not rounded."""
    h, w = yuv[0].shape
    y, u, v = (x.astype(np.float64) for x in yuv)
    u, v = (x.repeat(f.dy, 0).repeat(f.dx, 1)[:h, :w] for x in (u, v))
    top, unit = (1 << f.bits) - 1, 1 << (f.bits - 8)
    luma = (y - 16 * unit) / (219 * unit) if limited else y / top
    if f.kind == "gray":
        rgb = np.stack([luma] * 3, axis=-1)
    else:
        kr, kb = KR_KB[matrix]
        cb, cr = ((x - 128 * unit) / (224 * unit if limited else top) for x in (u, v))
        r, b = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
        rgb = np.stack([r, (luma - kr * r - kb * b) / (1 - kr - kb), b], axis=-1)
    return np.clip(rgb * 255, 0, 255)


def to_yuv444(rgb: Array, matrix: str, limited: bool, bits: int) -> tuple[Array, Array, Array]:
    """Of H,W,3, 0 to 255: Y, U and V for each pixel, in float64 and not rounded."""
    kr, kb = KR_KB[matrix]
    r, g, b = (rgb[..., i].astype(np.float64) / 255 for i in range(3))
    top, unit = (1 << bits) - 1, 1 << (bits - 8)
    luma = kr * r + (1 - kr - kb) * g + kb * b
    cb, cr = (b - luma) / (2 * (1 - kb)), (r - luma) / (2 * (1 - kr))
    scale = 224 * unit if limited else top
    return (
        luma * 219 * unit + 16 * unit if limited else luma * top,
        cb * scale + 128 * unit,
        cr * scale + 128 * unit,
    )
