# SPDX-License-Identifier: Apache-2.0
"""A view keeps its source alive, both ways; released exactly once, from any thread, at exit too."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pixview
import pytest
from support import (
    Dlpack,
    array_interface,
    call_deleter,
    check_fork,
    check_python,
    consume,
    dead,
    drain,
    eventually,
    fork_python,
    image,
    in_thread,
    not_sanitized,
)

SHAPE = (64, 65, 3)


def churn(torch: Any) -> list[Any]:
    """New memory of the same size, with other contents: what was freed too early is overwritten."""
    made: list[Any] = [np.full(SHAPE, 255, np.uint8) for _ in range(50)]
    made += [torch.full(SHAPE, 255, dtype=torch.uint8) for _ in range(50)]
    return made


class Array(np.ndarray):
    """Takes weak references, as ndarray does, and is not shared by anything else."""


def from_numpy() -> tuple[Any, Any]:
    a = image(*SHAPE)
    return a, a.copy()


def from_torch() -> tuple[Any, Any]:
    import torch

    t = torch.from_numpy(image(*SHAPE)).permute(2, 0, 1).contiguous()
    return t, image(*SHAPE)


def from_dlpack() -> tuple[Any, Any]:
    return Dlpack(image(*SHAPE)), image(*SHAPE)


def from_interface() -> tuple[Any, Any]:
    return array_interface(image(*SHAPE)), image(*SHAPE)


def from_pointer() -> tuple[Any, Any]:
    a = image(*SHAPE)
    return pixview.from_pointer(a.ctypes.data, SHAPE, "uint8", owner=a, device="cpu"), a.copy()


SOURCES = [from_numpy, from_torch, from_dlpack, from_interface, from_pointer]
TARGETS = [
    pixview.as_torch,
    pixview.as_numpy,
    pixview.view,
    lambda x: pixview.view(x).crop(0, 0, 64, 65),
]
TARGET_IDS = ["torch", "numpy", "image", "crop"]


def pixels(x: Any) -> np.ndarray[Any, Any]:
    """H,W,C whatever the type."""
    if isinstance(x, pixview.Image):
        a, layout = np.asarray(x), x.layout
    elif isinstance(x, np.ndarray):
        a, layout = x, "HWC"
    else:
        a, layout = x.numpy(), "CHW"
    return a.transpose(1, 2, 0) if layout == "CHW" else a


@pytest.mark.parametrize("source", SOURCES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("target", TARGETS, ids=TARGET_IDS)
def test_source_dropped_and_pixels_still_right(torch: Any, source: Any, target: Any) -> None:
    x, expected = source()
    made = target(x)
    del x
    gc.collect()
    noise = churn(torch)
    np.testing.assert_array_equal(pixels(made), expected)
    del noise


@pytest.mark.parametrize("source", SOURCES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("target", TARGETS, ids=TARGET_IDS)
def test_a_chain_of_views(torch: Any, source: Any, target: Any) -> None:
    x, expected = source()
    made = x
    for call in (pixview.view, pixview.as_torch, pixview.as_numpy, pixview.view, target):
        made = call(made)
    del x
    gc.collect()
    noise = churn(torch)
    np.testing.assert_array_equal(pixels(made), expected)
    del noise


@pytest.mark.parametrize("target", TARGETS, ids=TARGET_IDS)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "thread"])
def test_the_source_goes_when_its_last_view_goes(torch: Any, target: Any, elsewhere: bool) -> None:
    a = image(*SHAPE).view(Array)
    ref = weakref.ref(a)
    box = [target(a), target(a)]
    del a
    gc.collect()
    assert ref() is not None
    box.pop()
    gc.collect()
    assert ref() is not None
    if elsewhere:
        in_thread(box.clear)
    else:
        box.clear()
    assert dead(ref)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "thread"])
@pytest.mark.parametrize("target", TARGETS, ids=TARGET_IDS)
def test_a_tensor_goes_when_its_last_view_goes(torch: Any, target: Any, elsewhere: bool) -> None:
    t = torch.zeros(3, 64, 65, dtype=torch.uint8)
    count = sys.getrefcount(t)
    box = [target(t)]
    if isinstance(box[0], torch.Tensor):
        pytest.skip("as_torch of a tensor is that tensor")
    assert sys.getrefcount(t) > count
    if elsewhere:
        in_thread(box.clear)
    else:
        box.clear()
    assert eventually(lambda: sys.getrefcount(t) == count)
    other = torch.zeros(3, 64, 65, dtype=torch.uint8)
    ref = weakref.ref(other)
    kept = target(other)
    del other
    assert pixels(kept).shape == SHAPE
    del kept
    assert dead(ref)


def test_refcounts_are_as_before_after_every_kind_of_call(torch: Any) -> None:
    a, t = image(*SHAPE), torch.zeros(3, 64, 65)
    v = pixview.view(a)
    readonly = image(*SHAPE)
    readonly.flags.writeable = False
    calls: list[Callable[[], Any]] = [
        lambda: pixview.as_torch(a),
        lambda: pixview.as_torch(a, copy=True),
        lambda: pixview.as_torch(a, contiguous=True),
        lambda: pixview.as_torch(readonly),
        lambda: pixview.as_torch(readonly, allow_readonly=True),
        lambda: pixview.as_numpy(a),
        lambda: pixview.as_numpy(t),
        lambda: pixview.as_numpy(t, copy=True),
        lambda: pixview.as_numpy(v),
        lambda: pixview.as_torch(t),
        lambda: pixview.as_torch(t, copy=True),
        lambda: pixview.view(t),
        lambda: pixview.view(v),
        lambda: pixview.view(v, layout="CHW"),
        lambda: pixview.view(a, copy=True),
        lambda: pixview.plan(a, "torch"),
        lambda: pixview.copy_into(np.zeros(SHAPE, np.uint8), a),
        lambda: v.crop(0, 0, 5, 5),
        lambda: v.owner,
        lambda: v.dtype,
    ]
    objects = [a, t, v, readonly, np.dtype("uint8"), torch.uint8, pixview.Image]
    for i, call in enumerate(calls):
        call()
        drain()
        before = [sys.getrefcount(x) for x in objects]
        for _ in range(20):
            call()
        assert eventually(lambda before=before: [sys.getrefcount(x) for x in objects] == before), i


def test_a_view_made_on_another_thread() -> None:
    a = image(*SHAPE)
    made = in_thread(lambda: pixview.as_numpy(pixview.view(a)))
    np.testing.assert_array_equal(made, a)


@pytest.mark.parametrize("version", [None, (1, 0)])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "thread"])
def test_the_deleter_without_the_gil(version: Any, elsewhere: bool) -> None:
    a = image(*SHAPE).view(Array)
    ref = weakref.ref(a)
    managed = consume(pixview.view(a).__dlpack__(max_version=version))
    del a
    gc.collect()
    assert ref() is not None
    if elsewhere:
        in_thread(lambda: call_deleter(managed))
    else:
        call_deleter(managed)
    assert dead(ref)


def test_deleters_without_the_gil_from_many_threads() -> None:
    a = image(*SHAPE)
    count = sys.getrefcount(a)
    v = pixview.view(a)
    lists = [[consume(v.__dlpack__()) for _ in range(500)] for _ in range(8)]
    del v
    threads = [threading.Thread(target=lambda m=m: [call_deleter(x) for x in m]) for m in lists]
    for thread in threads:
        thread.start()
    for _ in range(2000):
        pixview.view(a)
    for thread in threads:
        thread.join()
    assert eventually(lambda: sys.getrefcount(a) == count)


def test_many_threads_convert_and_drop(torch: Any) -> None:
    a, t = image(*SHAPE), torch.zeros(3, 64, 65, dtype=torch.uint8)
    counts = sys.getrefcount(a), sys.getrefcount(t)

    def work() -> None:
        for _ in range(300):
            x, y, z = pixview.as_torch(a), pixview.as_numpy(t), pixview.view(a)
            assert x.data_ptr() == a.ctypes.data and y.ctypes.data == t.data_ptr()
            del x, y, z

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert eventually(lambda: (sys.getrefcount(a), sys.getrefcount(t)) == counts)


def test_a_dropped_source_that_runs_python(torch: Any) -> None:
    """The owner's own destructor may convert again, raise, or look at the world."""
    seen: list[int] = []

    class Noisy:
        def __init__(self) -> None:
            self.a = image(4, 5)
            self.__array_interface__ = self.a.__array_interface__

        def __del__(self) -> None:
            seen.append(pixview.as_numpy(self.a).shape[0])
            pixview.view(self.a)

    for call in (pixview.as_torch, pixview.as_numpy, pixview.view):
        made = call(Noisy())
        in_thread(lambda box=[made]: box.clear())
        del made
    assert eventually(lambda: seen == [4, 4, 4])


def test_a_reference_cycle_through_a_numpy_source_can_be_broken(torch: Any) -> None:
    class Holder:
        pass

    h = Holder()
    h.a = image(4, 5).view(Array)  # type: ignore[attr-defined]
    ref = weakref.ref(h.a)  # type: ignore[attr-defined]
    h.t = pixview.as_torch(h.a)  # type: ignore[attr-defined]
    h.self = h  # type: ignore[attr-defined]
    del h
    gc.collect()
    assert dead(ref)


# ---- interpreter exit ----

LIVE = """
import threading, numpy as np, torch, pixview
from support import Dlpack, array_interface, image
a, t = image(64, 65, 3), torch.zeros(3, 64, 65, dtype=torch.uint8)
kept = [pixview.as_torch(a), pixview.as_numpy(t), pixview.view(a), pixview.view(t).crop(1, 1, 2, 2)]
kept += [pixview.as_torch(Dlpack(image(4, 5))), pixview.as_numpy(array_interface(image(4, 5)))]
kept += [pixview.view(a).__dlpack__(), memoryview(pixview.view(a)), np.from_dlpack(pixview.view(t))]
kept += [torch.from_dlpack(pixview.view(a)), pixview.as_torch(a, copy=True), pixview.view(a, copy=True)]
"""


def test_exit_with_live_views(torch: Any) -> None:
    check_python(LIVE)  # not a fork, like the others


def test_exit_with_live_views_in_places_that_die_late(torch: Any) -> None:
    check_fork(
        LIVE
        + """
import builtins, sys
builtins.kept, sys.kept, torch.kept, pixview.kept = kept, kept[:3], kept[1:], kept[2:]
class Late:
    def __init__(self): self.kept = kept
    def __del__(self): self.kept.clear()
sys.late, builtins.late = Late(), [kept, Late()]
"""
    )


def test_exit_with_a_thread_that_still_converts(torch: Any) -> None:
    check_fork(
        LIVE
        + """
def forever():  # not through torch, whose own calls do not survive it
    while True:
        pixview.view(a).crop(1, 1, 2, 2), pixview.as_numpy(pixview.view(a)), pixview.view(a, copy=True)
for _ in range(2):
    threading.Thread(target=forever, daemon=True).start()
import time; time.sleep(0.2)
"""
    )


def test_exit_by_exception_and_by_sys_exit(torch: Any) -> None:
    assert fork_python(LIVE + "import sys; sys.exit(7)").returncode == 7
    done = fork_python(LIVE + "raise ValueError('the last word')")
    assert done.returncode == 1 and "the last word" in done.stderr


def test_fork_with_live_views() -> None:
    check_python(
        """
import os, numpy as np, pixview
from support import image
a = image(64, 65, 3)
kept = [pixview.view(a), pixview.as_numpy(pixview.view(a)), pixview.view(a, copy=True)]
pid = os.fork()
if pid == 0:
    kept.clear()
    assert pixview.as_numpy(pixview.view(a)).sum() == a.sum()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert np.asarray(kept[0]).sum() == a.sum()
"""
    )


@not_sanitized
def test_a_forked_child_drops_what_it_holds(fake: Any) -> None:
    """The driver was used before the fork: the child frees host memory all the same."""
    check_fork(
        """if True:
        import os, resource, numpy as np, torch, pixview
        pixview._core._doctor()  # loads the driver
        pid = os.fork()
        if pid == 0:
            def rss():
                with open("/proc/self/statm") as f:
                    return int(f.read().split()[1]) * resource.getpagesize()
            for _ in range(20):
                pixview.as_torch(np.ones((1024, 1024), np.uint8))
            before = rss()
            for _ in range(200):
                pixview.as_torch(np.ones((1024, 1024), np.uint8))
            os._exit(0 if rss() - before < 50e6 else 3)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        """
    )
