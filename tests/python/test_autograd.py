# SPDX-License-Identifier: Apache-2.0
"""torch counts every write into its memory, and pixview's writes with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pixview
import pytest
from support import not_sanitized, run_preloaded


def from_dlpack(x: Any) -> Any:
    import torch

    return torch.from_dlpack(x)


WRITES: dict[str, Callable[[Any, Any], Any]] = {
    "copy_into": lambda t, a: pixview.copy_into(t, a),
    "stack": lambda t, a: pixview.stack([a], out=t.unsqueeze(0)),
    "into an Image": lambda t, a: pixview.copy_into(pixview.view(t), a),
    "into a crop": lambda t, a: pixview.copy_into(pixview.view(t).crop(0, 0, 4, 5), a),
    "into a tensor over an Image": lambda t, a: pixview.copy_into(
        pixview.as_torch(pixview.view(t)), a
    ),
    "into torch's own over an Image": lambda t, a: pixview.copy_into(
        from_dlpack(pixview.view(t)), a
    ),
    "out= over an Image": lambda t, a: pixview.stack(
        [a], out=pixview.as_torch(pixview.view(t))[None]
    ),
    "into a batch Image": lambda t, a: pixview.stack([a], out=pixview.view(t, layout="NCHW")),
}


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("write", WRITES)
def test_a_write_is_counted(torch: Any, write: str, dtype: str) -> None:
    t, a = torch.zeros(3, 4, 5, dtype=getattr(torch, dtype)), np.ones((4, 5, 3), dtype)
    before = t._version
    pixview.as_numpy(t)
    pixview.copy_into(a, t)
    assert t._version == before  # it was read
    WRITES[write](t, a)
    assert t._version == before + 1


@pytest.mark.parametrize("write", WRITES)
def test_backward_refuses_what_was_overwritten(torch: Any, write: str) -> None:
    x, y = torch.ones(3, 4, 5, requires_grad=True), torch.full((3, 4, 5), 2.0)
    total = (x * y).sum()
    WRITES[write](y, np.zeros((4, 5, 3), np.float32))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()


def test_every_tensor_of_a_chain_is_counted(torch: Any) -> None:
    chain = [torch.zeros(3, 4, 5)]
    for _ in range(40):
        chain.append(pixview.as_torch(pixview.view(chain[-1])))
    pixview.copy_into(chain[-1], np.ones((4, 5, 3), np.float32))
    assert chain[0].min() == 1 and {t._version for t in chain} == {1}


@not_sanitized
def test_the_end_of_memory_hides_no_chain(torch: Any) -> None:
    """What torch holds is looked through word by word, perhaps beyond its end."""
    done = run_preloaded("storage_edges.py")
    assert (done.stdout, done.stderr) == ("1 1 1 1\n", "")


def test_a_refused_write_is_not_counted(torch: Any) -> None:
    t = torch.zeros(3, 4, 5)
    for a in (np.zeros((4, 6, 3), np.float32), np.zeros((4, 5, 3), np.uint8)):
        with pytest.raises(pixview.Error):
            pixview.copy_into(t, a)
        with pytest.raises(pixview.Error):
            pixview.stack([a], out=t[None])
    assert t._version == 0


def test_inference_mode(torch: Any) -> None:
    """A tensor made in it has no version; another one is counted, as torch does."""
    a, t = np.ones((4, 5, 3), np.float32), torch.zeros(3, 4, 5)
    with torch.inference_mode():
        plain = torch.zeros(3, 4, 5)
        pixview.copy_into(plain, a)
        pixview.copy_into(t, a)
    assert t._version == 1
    pixview.copy_into(plain, 2 * a)
    assert pixview.stack([3 * a], out=plain[None]).max() == 3


def test_a_torch_that_cannot_count(torch: Any) -> None:
    class Loud(torch.Tensor):  # type: ignore[misc]
        @classmethod
        def __torch_function__(cls, *args: Any, **keywords: Any) -> Any:
            raise RuntimeError("not this one")

    t = torch.zeros(3, 4, 5, dtype=torch.uint8).as_subclass(Loud)
    pixview.copy_into(t, np.ones((4, 5, 3), np.uint8))


def on_the_fake_gpu(fake: Any) -> Any:
    image = fake.image(np.zeros((3, 8, 8), np.uint8), layout="CHW")
    return pixview.as_torch(image), fake.image(np.ones((8, 8, 3), np.uint8))


def test_into_a_cupy_array_over_a_tensor(fake: Any, torch: Any, cupy: Any, kernels: None) -> None:
    t, a = on_the_fake_gpu(fake)
    pixview.copy_into(pixview.as_cupy(t), a)
    assert t._version == 1


@pytest.mark.cv2
def test_into_a_gpumat_over_a_tensor(fake: Any, torch: Any, gpumat: Any, kernels: None) -> None:
    t = pixview.as_torch(fake.image(np.zeros((8, 8), np.uint8)))
    pixview.copy_into(pixview.as_gpumat(t), fake.image(np.ones((8, 8), np.uint8)))
    assert t._version == 1
