# SPDX-License-Identifier: Apache-2.0
"""Who holds device memory, and for how long: the fake driver, torch, CuPy."""

from __future__ import annotations

import gc
import sys
import weakref
from typing import Any

import numpy as np
import pixview
import pytest
from support import (
    Array,
    address,
    check_flat,
    check_fork,
    cuda_array_interface,
    dead,
    eventually,
    image,
    in_thread,
)


def test_device_views_hold_and_drop_the_source(fake: Any, cupy: Any, torch: Any) -> None:
    class Array(np.ndarray):
        pass

    for call in (
        pixview.as_torch,
        pixview.as_cupy,
        pixview.view,
        lambda x: pixview.as_cupy(pixview.as_torch(x)),
    ):
        for elsewhere in (False, True):
            a = image(4, 5, 3).view(Array)
            fake.register(np.asarray(a))
            x = cuda_array_interface(a)
            ref = weakref.ref(a)
            box = [call(x)]
            del a, x
            fake.held.clear()
            gc.collect()
            assert ref() is not None
            in_thread(box.clear) if elsewhere else box.clear()
            assert dead(ref)


def test_a_stream_ordered_release_still_drops_the_source(fake: Any, cupy: Any) -> None:
    a = image(4, 5, 3)
    fake.register(a)
    count = sys.getrefcount(a)
    v = pixview.from_pointer(address(a), a.shape, "uint8", device=0, owner=a, stream=fake.stream)
    box = [pixview.as_cupy(v)]
    del v
    in_thread(box.clear)
    assert eventually(lambda: sys.getrefcount(a) == count)


@pytest.mark.parametrize("to", ["copy_into", "cupy"])
def test_an_upload_from_pinned_memory_holds_its_source(fake: Any, cupy: Any, to: str) -> None:
    on_gpu = fake.image(np.zeros((4, 5, 3), np.uint8))
    a = image(4, 5, 3).view(Array)
    fake.register(np.asarray(a), device=-1)
    fake.held.clear()
    ref, expected = weakref.ref(a), np.array(a)
    fake.lib.fake_set_pending(1 << 20)
    made = pixview.copy_into(on_gpu, a) if to == "copy_into" else pixview.as_cupy(a, copy=True)
    assert fake.work()[-3:] == ["copy", "record", "query"]  # the host does not wait
    del a
    eventually(lambda: ref() is None, seconds=0.1)
    assert ref() is not None
    fake.lib.fake_set_pending(0)
    assert dead(ref)
    np.testing.assert_array_equal(pixview.as_numpy(made, copy=True), expected)


def test_leaves_nothing_behind(fake: Any, cupy: Any, torch: Any) -> None:
    a = fake.register(image(4, 5, 3))
    v = pixview.from_pointer(address(a), a.shape, "uint8", device=0, owner=a)
    t, c = pixview.as_torch(v), pixview.as_cupy(v)
    check_flat(lambda: pixview.as_torch(v))
    check_flat(lambda: pixview.as_cupy(v))
    check_flat(lambda: pixview.as_torch(c))
    check_flat(lambda: pixview.as_cupy(t))
    check_flat(lambda: pixview.view(t))
    check_flat(lambda: pixview.view(c))


def test_torch_that_refuses_the_device_leaves_nothing_behind(fake: Any, torch: Any) -> None:
    """torch.from_dlpack of device memory fails in a build without CUDA, with an exception pending."""
    a = fake.register(image(4, 5, 3))
    count = sys.getrefcount(a)
    v = pixview.from_pointer(address(a), a.shape, "uint8", device=0, owner=a)
    for _ in range(5):
        with pytest.raises((AssertionError, RuntimeError)):
            torch.from_dlpack(v)
        with pytest.raises((AssertionError, RuntimeError)):
            torch.utils.dlpack.from_dlpack(v.__dlpack__())
    del v
    assert eventually(lambda: sys.getrefcount(a) == count)


def test_exit_with_live_device_views(fake: Any, torch: Any) -> None:
    check_fork(
        """
import builtins, ctypes, os, numpy as np, torch, cupy, pixview
from support import image
lib = ctypes.CDLL(os.environ["PIXVIEW_FAKE_DRIVER"])
class Stream: ptr = lib.fake_stream(0)
cupy.cuda.get_current_stream = lambda device=None: Stream
a = image(4, 5, 3)
lib.fake_register(ctypes.c_void_p(a.ctypes.data), ctypes.c_size_t(a.nbytes), 0)
v = pixview.from_pointer(a.ctypes.data, a.shape, "uint8", device=0, owner=a)
builtins.kept = [v, pixview.as_torch(v), pixview.as_cupy(v), pixview.as_torch(v), v.__dlpack__()]
"""
    )
