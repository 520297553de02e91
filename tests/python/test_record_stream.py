# SPDX-License-Identifier: Apache-2.0
"""torch is told of every use of its own memory on another stream than its current one: of the stream that
waits for the use, once the view dies. torch hands memory back to the stream of the allocation, which
nobody can ask for."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import exchange
import numpy as np
import pixview
import pytest
from support import CUDA, Dlpack, Stream, Versioned, call_deleter, consume, drain, image

pytestmark = pytest.mark.usefixtures("kernels")
SHAPE = (3, 16, 20)
Recorded = list[tuple[int, int]]


@pytest.fixture
def other(fake: Any) -> Stream:
    return Stream(fake.lib.fake_stream(0))


@pytest.fixture
def recorded(torch: Any, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """(tensor's address, handle) of each call of record_stream. This torch has no CUDA."""
    log: Recorded = []
    monkeypatch.setattr(torch.cuda, "default_stream", lambda device: 0)
    monkeypatch.setattr(torch.cuda, "ExternalStream", lambda handle, device: handle)
    monkeypatch.setattr(
        torch.Tensor, "record_stream", lambda x, stream: log.append((x.data_ptr(), stream))
    )
    return log


def torchs_own(torch: Any, fake: Any) -> Any:
    """A tensor on the GPU in whose memory pixview has no part."""
    managed = consume(Dlpack(fake.register(image(*SHAPE)), device=(CUDA, 0)).capsule())
    made = ctypes.py_object()
    to_py = exchange.FromPy(exchange.table_of(torch.Tensor).to_py)
    assert to_py(ctypes.addressof(managed), ctypes.addressof(made)) == 0
    tensor = made.value
    ctypes.pythonapi.Py_DecRef(ctypes.py_object(tensor))  # the count that `made` was given
    return tensor


def stack(t: Any, stream: Stream, fake: Any) -> Any:
    out = fake.image(np.zeros((2, *SHAPE), np.uint8), layout="NCHW", stream=stream)
    return pixview.stack([t, pixview.view(t)], out=out)


def by_table(t: Any, stream: Stream) -> Any:
    """As a consumer of DLPack's exchange table, which works on the block's stream."""
    made = ctypes.c_void_p()
    from_py = exchange.FromPy(exchange.table_of(pixview.Image).from_py)
    v = pixview.view(t)
    with pixview.using_stream(stream):
        assert from_py(id(v), ctypes.addressof(made)) == 0
    return Versioned.from_address(made.value)


USES: dict[str, Callable[[Any, Stream, Any], Any]] = {
    "view": lambda t, s, fake: pixview.view(t, stream=s),
    "view of a view": lambda t, s, fake: pixview.view(pixview.view(t), stream=s),
    "view of a crop": lambda t, s, fake: pixview.view(pixview.view(t).crop(1, 1, 2, 2), stream=s),
    "__dlpack__": lambda t, s, fake: pixview.view(t).__dlpack__(stream=s),
    "used_on": lambda t, s, fake: pixview.used_on(t, s),
    "used_on a view": lambda t, s, fake: pixview.used_on(pixview.view(t), s),
    "used_on a tensor of it": lambda t, s, fake: pixview.used_on(
        pixview.as_torch(pixview.view(t)), s
    ),
    "stack": stack,
    "exchange table": lambda t, s, fake: call_deleter(by_table(t, s)),
}


@pytest.mark.parametrize("use", USES)
def test_a_use_is_recorded(
    torch: Any, fake: Any, recorded: Recorded, other: Stream, use: str
) -> None:
    t = torchs_own(torch, fake)
    made = USES[use](t, other, fake)
    count = 2 if use == "stack" else 1
    assert recorded == [(t.data_ptr(), 0)] * count  # torch's current stream, never the user's
    del made
    drain()
    assert len(recorded) == count


def test_nothing_is_recorded_on_one_stream(torch: Any, fake: Any, recorded: Recorded) -> None:
    t = torchs_own(torch, fake)
    v = pixview.view(t)
    made = [
        v,
        pixview.view(t, stream=0),
        pixview.view(v),
        v.__dlpack__(stream=1),
        v.crop(1, 1, 2, 2),
    ]
    out = fake.image(np.zeros((1, *SHAPE), np.uint8), layout="NCHW")
    pixview.stack([t], out=out)
    del made, v
    assert recorded == []
