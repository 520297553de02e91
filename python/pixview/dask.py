# SPDX-License-Identifier: Apache-2.0
"""How large an Image is, for Dask, which finds ``register`` by pixview's entry point ``dask.sizeof``.

Without it Dask takes an Image for some 100 bytes where it decides what to keep, to move and to spill. Nothing
else is needed: Dask pickles Images with protocol 5, and the pixels travel without a copy for the pickle.
"""

from __future__ import annotations

import sys
from typing import Any

import pixview

__all__ = ["register"]


def register(sizeof: Any) -> None:
    """Add Images and VideoFrames to ``dask.sizeof.sizeof``. GPU memory is no memory of a worker: it counts as 0."""

    def size(x: pixview.Image) -> int:
        return sys.getsizeof(x) + (x.nbytes if x.device[0] == "cpu" else 0)

    def size_of_planes(x: pixview.VideoFrame) -> int:
        return sys.getsizeof(x) + sum(map(size, x.planes))

    sizeof.register(pixview.Image, size)
    sizeof.register(pixview.VideoFrame, size_of_planes)
