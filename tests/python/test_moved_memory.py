# SPDX-License-Identifier: Apache-2.0
"""Code that runs while an object is read moves the memory of another object of the same call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pixview
import pytest
from support import Array, Dlpack, check_fork, image

FIRST_CALL = """
import numpy as np, pixview, torch

pixels, old = np.full((4, 5, 3), 7, np.uint8), np.zeros((4, 5, 3), np.uint8)
new = np.zeros((3, 4, 5), np.uint8)
dst = {dst}

class Source:
    def __dlpack_device__(self):
        return 1, 0
    def __dlpack__(self, **keywords):
        {move}
        return pixels.__dlpack__(**keywords)

try:
    {call}
except pixview.LayoutError as error:
    print(repr(error))
print(old.max(), new.min())
"""
CALLS = {
    "copy_into": "pixview.copy_into(dst, Source())",
    "stack": "pixview.stack([Source()], out=dst, layout='{}')",
}


@pytest.mark.parametrize("call", CALLS)
def test_a_tensor_in_the_first_call(torch: Any, call: str) -> None:
    """torch is imported, but pixview meets it in this call: it is read after the source."""
    batch = "[None]" if call == "stack" else ""
    script = FIRST_CALL.format(
        dst=f"torch.from_numpy(old).permute(2, 0, 1){batch}",
        move=f"dst.set_(torch.from_numpy(new){batch})",
        call=CALLS[call].format("NCHW"),
    )
    assert check_fork(script).split() == ["0", "7"]


@pytest.mark.parametrize("call", CALLS)
def test_an_array_in_the_first_call(torch: Any, call: str) -> None:
    batch = "1, " if call == "stack" else ""
    script = FIRST_CALL.format(
        dst=f"np.zeros(({batch}4, 5, 3), np.uint8)",
        move=f"dst.resize(({batch}5, 4, 3), refcheck=False)",
        call=CALLS[call].format("NHWC"),
    )
    assert "LayoutError" in check_fork(script)


class Mover(Dlpack):
    """Calls `move` when it is read."""

    move: Callable[[], Any]

    def __dlpack__(self, **keywords: Any) -> Any:
        self.move()
        return super().__dlpack__(**keywords)


def moving_tensor(torch: Any, shape: tuple[int, ...]) -> tuple[Any, Callable[[], Any], Any]:
    """A tensor of a subclass, what moves it, and its old memory."""
    cls = type("Sub", (torch.Tensor,), {})
    old, new = torch.zeros(shape, dtype=torch.uint8), torch.zeros(shape, dtype=torch.uint8)
    x = old.as_subclass(cls)
    x = x.view(shape)  # of its own, so that set_ leaves `old` alone
    return x, lambda: x.set_(new), old


def moving_array(torch: Any, shape: tuple[int, ...]) -> tuple[Any, Callable[[], Any], Any]:
    x = np.zeros((*shape[:-3], *shape[-2:], shape[-3]), np.uint8).view(Array).copy()
    turned = (*x.shape[:-3], x.shape[-2], x.shape[-3], x.shape[-1])
    return x, lambda: x.resize(turned, refcheck=False), x


@pytest.mark.parametrize("make", [moving_tensor, moving_array])
@pytest.mark.parametrize("end", ["dst", "out", "image"])
def test_a_subclass_whose_memory_moves(torch: Any, make: Any, end: str) -> None:
    x, move, old = make(torch, (1, 3, 4, 5) if end == "out" else (3, 4, 5))
    source = Mover(np.full((4, 5, 3), 7, np.uint8))
    source.move = move
    layout = "NCHW" if make is moving_tensor else "NHWC"
    calls: dict[str, Callable[[], Any]] = {
        "dst": lambda: pixview.copy_into(x, source),
        "out": lambda: pixview.stack([source], out=x, layout=layout),
        "image": lambda: pixview.stack([x, source], to="numpy"),
    }
    name = {"dst": "dst", "out": "out=", "image": r"images\[0\]"}[end]
    with pytest.raises(pixview.UnsupportedError, match=name + ".* changed while the call"):
        calls[end]()
    assert not np.asarray(old).any() and source.settled()


def test_subclasses_that_stay(torch: Any) -> None:
    a = image(4, 5, 3)
    planes = torch.from_numpy(a.transpose(2, 0, 1).copy()).as_subclass(
        type("S", (torch.Tensor,), {})
    )
    wide = np.zeros((4, 5, 3), np.uint16).tobytes() + b"  "
    odd = np.frombuffer(wide, np.uint16, 60, 1).reshape(4, 5, 3).view(Array)  # not aligned
    dst = np.zeros((4, 5, 3), np.uint8).view(Array)
    np.testing.assert_array_equal(pixview.copy_into(dst, planes), a)
    np.testing.assert_array_equal(pixview.copy_into(dst, Dlpack(a)), a)
    out = pixview.stack([dst, Dlpack(a), planes, a], to="numpy", layout="NHWC")
    np.testing.assert_array_equal(out, np.stack([a] * 4))
    mixed = pixview.stack([odd, Dlpack(a.astype(np.uint16))], to="numpy", layout="NHWC")
    np.testing.assert_array_equal(mixed[0], odd)
