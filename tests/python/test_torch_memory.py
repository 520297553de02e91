# SPDX-License-Identifier: Apache-2.0
"""Out of memory, in torch and in pixview, is a MemoryError that says what did not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pixview
import pytest


@pytest.fixture(params=[True, False], ids=["table", "attributes"])
def read(request: pytest.FixtureRequest, torch: Any) -> Any:
    pixview._core._force(torch_table=request.param)
    yield
    pixview._core._force(torch_table=True)


def boundless(*shape: int) -> Any:
    """One element, seen as an image that no copy of it can be."""
    return np.broadcast_to(np.zeros((1,) * len(shape), np.uint8), shape)


def test_torch_cannot_allocate(torch: Any, read: Any) -> None:
    one = torch.zeros(1, 1, 1, dtype=torch.uint8).expand(4, 1 << 23, 1 << 23)
    with pytest.raises(MemoryError, match="allocate"):
        pixview.as_torch(one, copy=True)
    with pytest.raises(MemoryError, match="allocate"):
        pixview.stack([one], to="torch")


@pytest.mark.parametrize("words", ["std::bad_alloc", "CUDA out of memory. Tried to allocate 1 GB"])
def test_torch_runs_out_while_it_is_read(torch: Any, words: str) -> None:
    class Full(torch.Tensor):  # type: ignore[misc]
        def is_neg(self) -> bool:
            raise RuntimeError(words)

    with pytest.raises(MemoryError, match="is_neg") as caught:
        pixview.as_numpy(torch.zeros(3, 4, 5).as_subclass(Full))
    assert str(caught.value.__cause__) == words


@pytest.mark.parametrize("shape", [(1 << 24, 1 << 24, 4), (1 << 30, 1 << 20, 4)])
def test_an_error_says_how_many_bytes(shape: tuple[int, ...]) -> None:
    with pytest.raises(MemoryError, match=str(4 * shape[0] * shape[1])):
        pixview.view(boundless(*shape), copy=True)
