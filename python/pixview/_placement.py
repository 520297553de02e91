# SPDX-License-Identifier: Apache-2.0
"""``Placement`` and ``Placements``: where ``stack`` put an image, and the way back for boxes and points.

The numbers come from the extension; here is only what takes arrays of any library.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, overload

from . import _core

if TYPE_CHECKING:
    from collections.abc import Iterable

_Array = TypeVar("_Array")


class Placement(NamedTuple):
    """Where one image lies on its canvas, in pixels.

    The point (x, y) of the canvas is ``(x - p.x) / p.scale_x + p.source[1]`` and
    ``(y - p.y) / p.scale_y + p.source[0]`` of the image; ``to_source`` does that.
    """

    y: int
    x: int
    h: int
    w: int
    """Top, left, height and width on the canvas. The rest of the canvas is padding."""
    source: tuple[float, float, float, float]
    """The region of the image that is shown there: top, left, height, width."""
    scale_y: float
    scale_x: float
    """Pixels of the canvas for each pixel of the image."""
    canvas: tuple[int, int]
    """Height and width of the canvas."""

    def to_source(self, points: _Array, *, clip: bool = True) -> _Array:
        """Boxes (N,4: x, y, x, y) or points (N,2: x, y) of the canvas, in pixels of the image.

        points: an array of NumPy, torch or CuPy; the result is one of the same library on the same
        device, of floats. clip: into the region that is shown.
        """
        return _transform(points, _rows([self], points, back=True), clip)

    def to_canvas(self, points: _Array, *, clip: bool = True) -> _Array:
        """The inverse of ``to_source``. clip: into the image's rectangle on the canvas."""
        return _transform(points, _rows([self], points, back=False), clip)


class Placements(Sequence[Placement]):
    """A ``Placement`` for each image of a batch."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[Placement]) -> None:
        self._items = tuple(items)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Placement: ...
    @overload
    def __getitem__(self, index: slice) -> Placements: ...
    def __getitem__(self, index: int | slice) -> Placement | Placements:
        if isinstance(index, slice):
            return Placements(self._items[index])
        return self._items[index]

    def __repr__(self) -> str:
        return f"Placements({list(self._items)!r})"

    def to_source(self, points: _Array, index: Any = None, *, clip: bool = True) -> _Array:
        """Boxes (N,4: x, y, x, y) or points (N,2: x, y) of the canvases, in pixels of their images.

        points: an array of NumPy, torch or CuPy; the result is one of the same library on the same
        device, of floats.
        index: which image each of the N belongs to, an array of N integers or one for all. None: the
        first axis of points is that of the images (B,N,4 or B,N,2), or there is one image.
        clip: into the region that is shown.
        """
        return _transform(points, self._chosen(points, index, back=True), clip)

    def to_canvas(self, points: _Array, index: Any = None, *, clip: bool = True) -> _Array:
        """The inverse of ``to_source``. clip: into each image's rectangle on the canvas."""
        return _transform(points, self._chosen(points, index, back=False), clip)

    def _chosen(self, points: Any, index: Any, *, back: bool) -> Any:
        if index is None and len(self) > 1:
            if points.ndim != 3 or points.shape[0] != len(self):
                raise _core.LayoutError(
                    f"points of shape {tuple(points.shape)} for {len(self)} images; pass index=, the "
                    f"image of each, or an array of shape ({len(self)}, N, 4 or 2)"
                )
            return _rows(self._items, points, back=back)[:, None, :]
        rows = _rows(self._items, points, back=back)
        return rows if index is None else rows[index]


def placement(
    source_hw: Sequence[int],
    size: Sequence[int],
    *,
    fit: Literal["stretch", "letterbox", "cover"] | None = None,
    align: Literal["center", "top-left"] = "center",
    scaleup: bool = True,
    stride: int | None = None,
) -> Placement:
    """Where ``stack`` would put an image on a canvas: numbers only.

    source_hw, size: (H, W) of the image and of the canvas, in pixels.
    fit: None: no scaling, top left. "stretch": each axis by itself. "letterbox": the ratio is kept and the
    rest padded, with the numbers of ultralytics' LetterBox. "cover": the ratio is kept and the rest cut
    off, with the numbers of torchvision's Resize and CenterCrop.
    align: "center" or "top-left"; without a fit always the latter.
    scaleup: False: an image smaller than the canvas keeps its size.
    stride: for "letterbox": the canvas loses whole strides of padding, as with ultralytics' ``auto``.

    Errors: LayoutError for an extent below 1, an image that does not fit without scaling, or a stride
    with another fit.
    """
    return Placement(*_core._placement(source_hw, size, fit, align, scaleup, stride))


def _from_tuples(tuples: list[Any]) -> Placements:
    """For the extension."""
    return Placements(Placement(*numbers) for numbers in tuples)


def _rows(items: Sequence[Placement], points: Any, *, back: bool) -> Any:
    """For each placement: from x, y; to x, y; factor x, y; limit x, y. An array like points."""
    table: list[tuple[float, ...]] = []
    for p in items:
        canvas, source = (p.x, p.y), (p.source[1], p.source[0])
        scale = (p.scale_x, p.scale_y)
        if back:
            limit = (source[0] + p.source[3], source[1] + p.source[2])
            table.append((*canvas, *source, 1 / scale[0], 1 / scale[1], *limit))
        else:
            table.append((*source, *canvas, *scale, p.x + p.w, p.y + p.h))
    library = type(points).__module__.partition(".")[0]
    if library not in ("numpy", "torch", "cupy"):
        raise TypeError(
            f"points are a {type(points).__name__}; pass an array of NumPy, torch or CuPy"
        )
    if points.ndim not in (2, 3) or points.shape[-1] not in (2, 4):
        raise _core.LayoutError(
            f"points of shape {tuple(points.shape)}; boxes are N,4 (x, y, x, y), points N,2 (x, y)"
        )
    if library == "torch":
        torch = sys.modules["torch"]
        dtype = points.dtype if points.is_floating_point() else torch.get_default_dtype()
        return torch.tensor(table, dtype=dtype, device=points.device)
    xp = sys.modules[library]
    dtype = points.dtype if points.dtype.kind == "f" else "float64"
    return xp.asarray(table, dtype=dtype)


def _transform(points: _Array, rows: Any, clip: bool) -> _Array:
    array: Any = points
    if rows.ndim == 1:
        rows = rows[None]
    corners = array.reshape(*array.shape[:-1], array.shape[-1] // 2, 2)
    begin, to, factor, limit = (rows[..., None, i : i + 2] for i in (0, 2, 4, 6))
    moved = (corners - begin) * factor + to
    if clip:
        moved = moved.clip(to, limit)
    result: _Array = moved.reshape(array.shape)
    return result
