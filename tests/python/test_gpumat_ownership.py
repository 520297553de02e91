# SPDX-License-Identifier: Apache-2.0
"""What GpuMats hold and what holds them: by OpenCV's own count, by the subtype, until the exit."""

from __future__ import annotations

import gc
import sys
import threading
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
    check_python,
    dead,
    eventually,
    facts,
    header,
    image,
    in_thread,
    pitched,
    tensor_of,
    wrap,
)

pytestmark = pytest.mark.cv2


# ---- ownership: others -> GpuMat ----


def test_a_gpumat_holds_its_source(cv2: Any, fake: Any, cupy: Any, torch: Any, gpumat: Any) -> None:
    for make in (
        lambda v: v,
        pixview.as_torch,
        pixview.as_cupy,
        lambda v: pixview.as_torch(pixview.as_cupy(v)),
        lambda v: pixview.as_torch(pixview.as_gpumat(v)),
    ):
        a = image(4, 5, 3).view(Array)
        expected = np.array(a)
        fake.register(np.asarray(a))
        ref = weakref.ref(a)
        x = make(pixview.from_pointer(a.ctypes.data, a.shape, "uint8", device=0, owner=a))
        g = pixview.as_gpumat(x, copy=False)
        fake.held.clear()
        del a, x
        gc.collect()
        noise = [np.full((4, 5, 3), 255, np.uint8) for _ in range(50)]
        assert ref() is not None
        fake.register(np.asarray(ref()))
        np.testing.assert_array_equal(pixview.as_numpy(g, copy=True), expected)
        fake.held.clear()
        del g, noise
        assert dead(ref)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "thread"])
def test_the_source_s_count_is_as_before(
    cv2: Any, fake: Any, torch: Any, gpumat: Any, elsewhere: bool
) -> None:
    t = tensor_of(fake, image(4, 5, 3))
    count = sys.getrefcount(t)
    box = [pixview.as_gpumat(t) for _ in range(10)]
    assert sys.getrefcount(t) == count + 10
    in_thread(box.clear) if elsewhere else box.clear()
    assert eventually(lambda: sys.getrefcount(t) == count)


def test_refused_conversions_leave_the_count(cv2: Any, fake: Any, torch: Any, gpumat: Any) -> None:
    t = tensor_of(fake, image(4, 5, 3))
    z = pixview.as_torch(fake.image(image(4, 5, dtype="complex64")))
    counts = sys.getrefcount(t), sys.getrefcount(z)
    for _ in range(20):
        for bad in (
            lambda: pixview.as_gpumat(z),
            lambda: pixview.as_gpumat(t, src_layout="HWC", copy=False),
            lambda: pixview.as_gpumat(t, src_layout="HW"),
            lambda: pixview.as_gpumat(t, stream="x"),
        ):
            with pytest.raises((pixview.Error, TypeError)):
                bad()
    assert eventually(lambda: (sys.getrefcount(t), sys.getrefcount(z)) == counts)


def test_on_a_stock_build_it_is_a_subtype(cv2: Any, fake: Any, torch: Any, gpumat: Any) -> None:
    g = pixview.as_gpumat(tensor_of(fake, pitched(10, 20)))
    assert isinstance(g, cv2.cuda.GpuMat)
    if facts(cv2)["own"] == "native":
        assert type(g) is cv2.cuda.GpuMat
        return
    assert type(g) is not cv2.cuda.GpuMat
    assert not gc.is_tracked(g)
    assert g.rowRange(1, 3).size() == (20, 2)
    with pytest.raises(TypeError):
        type("Mine", (type(g),), {})


def test_the_subtype_made_by_hand_is_harmless(cv2: Any, fake: Any) -> None:
    g = pixview.as_gpumat(fake.image(pitched(4, 5)))
    kind = type(g)
    for made in (kind(), kind.__new__(kind), kind(g)):
        assert isinstance(made, cv2.cuda.GpuMat)
        del made
    assert g.size() == (5, 4)


def test_twenty_thousand_conversions(
    cv2: Any, fake: Any, cupy: Any, torch: Any, gpumat: Any
) -> None:
    a = fake.register(image(4, 5, 3))
    v = pixview.from_pointer(address(a), a.shape, "uint8", device=0, owner=a)
    t, c = pixview.as_torch(v), pixview.as_cupy(v)
    g, bare = pixview.as_gpumat(v), wrap(cv2, a)
    for x in (v, t, c):
        check_flat(lambda x=x: pixview.as_gpumat(x))
    for x in (g, bare):
        for call in (pixview.as_torch, pixview.as_cupy, pixview.view):
            check_flat(lambda x=x, call=call: call(x))


def test_many_threads(cv2: Any, fake: Any, torch: Any, gpumat: Any) -> None:
    a = fake.register(image(4, 5, 3))
    t = tensor_of(fake, a)
    count = sys.getrefcount(t)
    shared = [pixview.as_gpumat(t)]

    def work() -> None:
        for _ in range(500):
            g = pixview.as_gpumat(t)
            u = pixview.as_torch(g)
            w = pixview.as_torch(shared[0])
            assert u.data_ptr() == w.data_ptr() == address(a)
            part = g.rowRange(1, 3)
            del g, u
            assert part.cudaPtr() == address(a) + 15
            del part, w

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shared.clear()
    assert eventually(lambda: sys.getrefcount(t) == count)


# ---- ownership by OpenCV's own count ----


def owned(fake: Any) -> tuple[Any, Any]:
    """A GpuMat of ours, and a weak reference to the array under it."""
    a = image(40, 50, 3).view(Array)
    fake.register(np.asarray(a))
    t = pixview.as_torch(pixview.from_pointer(a.ctypes.data, a.shape, "uint8", device=0, owner=a))
    fake.held.clear()
    return pixview.as_gpumat(t), weakref.ref(a)


def test_regions_copies_and_ranges_hold_the_source(
    cv2: Any, fake: Any, torch: Any, native: None
) -> None:
    for derive in (
        lambda g: cv2.cuda.GpuMat(g, (3, 2, 5, 4)),
        lambda g: g.rowRange(1, 9),
        lambda g: g.colRange(1, 9),
        lambda g: g.row(3),
        lambda g: cv2.cuda.GpuMat(g),
        lambda g: g.reshape(1),
        lambda g: cv2.cuda.GpuMat(g.rowRange(1, 9).colRange(2, 8)),
    ):
        g, ref = owned(fake)
        part = derive(g)
        expected = header(part).data
        del g
        gc.collect()
        assert ref() is not None
        assert part.cudaPtr() == expected
        assert header(part).refcount[0] == 1
        del part
        assert dead(ref)


def test_counts_of_headers(cv2: Any, fake: Any, torch: Any, native: None) -> None:
    g, ref = owned(fake)
    count = header(g).refcount
    assert count[0] == 1
    parts = [g.rowRange(i, i + 1) for i in range(5)]
    assert count[0] == 6
    t = pixview.as_torch(g)  # holds what the headers hold
    assert count[0] == 6
    h = pixview.as_gpumat(t)
    parts.clear()
    del g
    assert ref() is not None
    del h
    assert ref() is not None
    del t
    assert dead(ref)


def test_several_gpumats_of_one_source_free_once(
    cv2: Any, fake: Any, torch: Any, native: None
) -> None:
    a = fake.register(image(4, 5, 3))
    v = pixview.from_pointer(address(a), a.shape, "uint8", device=0, owner=a)
    count = sys.getrefcount(a)
    for _ in range(3):
        made = [pixview.as_gpumat(v) for _ in range(4)]
        parts = [g.rowRange(0, 2) for g in made]
        made.clear()
        assert sys.getrefcount(a) >= count
        parts.clear()
        assert sys.getrefcount(a) == count
    del v
    assert sys.getrefcount(a) == count - 1


@pytest.mark.parametrize("how", ["release", "swap", "setTo none"])
def test_release_drops_the_source(cv2: Any, fake: Any, torch: Any, native: None, how: str) -> None:
    g, ref = owned(fake)
    if how == "release":
        g.release()
    elif how == "swap":
        other = cv2.cuda.GpuMat()
        g.swap(other)
        g.release(), other.release()
    else:
        g = None
    assert dead(ref)


def test_create_on_ours_drops_the_source(cv2: Any, fake: Any, torch: Any, native: None) -> None:
    """OpenCV then asks our allocator, which declines, and its own, which has no GPU here."""
    for call in (
        lambda g: g.create((7, 8), cv2.CV_8UC1),
        lambda g: g.upload(np.zeros((7, 8), np.uint8)),
    ):
        g, ref = owned(fake)
        with pytest.raises(cv2.error):
            call(g)
        assert dead(ref)
        del g


def test_create_of_the_same_size_keeps_the_memory(
    cv2: Any, fake: Any, torch: Any, native: None
) -> None:
    g, ref = owned(fake)
    before = g.cudaPtr()
    g.create((50, 40), cv2.CV_8UC3)
    assert g.cudaPtr() == before and ref() is not None


def test_a_tensor_outlives_release_on_the_original(
    cv2: Any, fake: Any, cupy: Any, torch: Any, native: None
) -> None:
    for call in (pixview.as_torch, pixview.as_cupy, pixview.view):
        g, ref = owned(fake)
        made = call(g)
        before = address(made)
        g.release()
        gc.collect()
        noise = [np.full((40, 50, 3), 255, np.uint8) for _ in range(50)]
        assert ref() is not None and address(made) == before
        fake.register(np.asarray(ref()))
        fake.held.clear()
        np.testing.assert_array_equal(pixview.as_numpy(made, copy=True), image(40, 50, 3))
        del made, g, noise
        assert dead(ref)


def test_a_tensor_of_a_region_outlives_every_header(
    cv2: Any, fake: Any, torch: Any, native: None
) -> None:
    g, ref = owned(fake)
    t = pixview.as_torch(cv2.cuda.GpuMat(g, (3, 2, 5, 4)).rowRange(1, 3))
    del g
    gc.collect()
    assert ref() is not None
    assert t.data_ptr() == address(ref()) + 3 * 150 + 9
    in_thread(lambda box=[t]: box.clear())
    del t
    assert dead(ref)


def test_the_last_header_dies_on_another_thread(
    cv2: Any, fake: Any, torch: Any, native: None
) -> None:
    for make in (lambda g: g.rowRange(1, 2), pixview.as_torch):
        g, ref = owned(fake)
        box = [make(g)]
        g.release()
        del g
        assert ref() is not None
        in_thread(box.clear)
        assert dead(ref)


def test_a_buffer_pool_s_gpumat_is_not_viewed(
    cv2: Any, fake: Any, torch: Any, native: None
) -> None:
    """Recognised by an allocator that is neither OpenCV's default nor ours."""
    import ctypes

    g, ref = owned(fake)
    h = header(g)
    ours, other = h.allocator, ctypes.create_string_buffer(64)
    h.allocator = ctypes.addressof(other)
    try:
        with pytest.raises(pixview.LayoutError, match="BufferPool"):
            pixview.as_torch(g, copy=False)
        assert pixview.plan(g, "torch").kind == "copy"
    finally:
        h.allocator = ours
    del g
    assert dead(ref)


def test_a_header_over_foreign_memory_holds_the_object(
    cv2: Any, fake: Any, torch: Any, gpumat: Any
) -> None:
    g = wrap(cv2, fake.register(pitched(4, 5)))
    count = sys.getrefcount(g)
    for call in (pixview.as_torch, pixview.view):
        made = call(g)
        assert sys.getrefcount(g) == count + 1
        del made
        assert eventually(lambda: sys.getrefcount(g) == count)


# ---- exit ----


@pytest.mark.parametrize("path", ["auto", "public"])
def test_exit_with_live_gpumats(fake: Any, torch: Any, path: str) -> None:
    check_fork(
        f"""
import builtins, ctypes, os, sys, numpy as np, torch, cv2, pixview
from support import image, pitched, wrap
lib = ctypes.CDLL(os.environ["PIXVIEW_FAKE_DRIVER"])
pixview._core._force(gpumat={path!r})
a = pitched(40, 50)
lib.fake_register(ctypes.c_void_p(a.ctypes.data), ctypes.c_size_t(40 * a.strides[0]), 0)
v = pixview.from_pointer(a.ctypes.data, a.shape, "uint8", strides=a.strides, device=0, owner=a)
t = pixview.as_torch(v)
g = pixview.as_gpumat(t)
builtins.kept = [g, g.rowRange(1, 5), pixview.as_torch(g), pixview.as_gpumat(pixview.view(g)), pixview.as_gpumat(v)]
sys.kept = [pixview.as_torch(wrap(cv2, a)), pixview.view(g.rowRange(1, 5))]
torch.kept, cv2.kept = pixview.as_torch(g), pixview.as_gpumat(t)
"""
    )


def test_cv2_imported_after_the_first_conversions() -> None:
    check_python(
        """
import ctypes, os, numpy as np, pixview
from support import image
a = image(4, 5, 3)
lib = ctypes.CDLL(os.environ["PIXVIEW_FAKE_DRIVER"])
lib.fake_register(ctypes.c_void_p(a.ctypes.data), ctypes.c_size_t(a.nbytes), 0)
v = pixview.from_pointer(a.ctypes.data, a.shape, "uint8", device=0, owner=a)
pixview.as_numpy(v, copy=True)
assert pixview._core._doctor()["gpumat"] is None
g = pixview.as_gpumat(v)
import cv2
assert isinstance(g, cv2.cuda.GpuMat) and pixview.view(g).shape == (4, 5, 3)
"""
    )


def test_a_cv2_that_is_none_is_an_error() -> None:
    check_python(
        """
import sys, types
cv2 = types.ModuleType("cv2")
cv2.cuda = types.SimpleNamespace(GpuMat=type("GpuMat", (), {}))
cv2.CV_8UC2 = 8
sys.modules["cv2"] = cv2
import pixview
v = pixview.from_pointer(4096, (4, 5), "uint8", device=0)
for x in (v, cv2.cuda.GpuMat()):
    for call in (pixview.as_gpumat, pixview.view) if x is not v else (pixview.as_gpumat,):
        try:
            call(x)
        except (pixview.Error, AttributeError, TypeError) as error:
            assert str(error)
        else:
            raise AssertionError((x, call))
"""
    )
