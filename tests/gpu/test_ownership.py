# SPDX-License-Identifier: Apache-2.0
"""A view keeps its source alive, both ways, and lets it go exactly once."""

import ctypes
import os
import subprocess
import sys
import textwrap
import threading

import pytest

from .util import (
    address,
    churn,
    convert,
    cp,
    cv2,
    cv_type,
    free_memory,
    host,
    make,
    new_mat,
    np,
    pixels,
    pixview,
    settle,
    torch,
)

KINDS = ("torch", "cupy", "gpumat")
DIRECTIONS = [(a, b) for a in KINDS for b in KINDS if a != b]
# 2 MiB is a block that every pool hands back as it is; the small one shares a segment.
IMAGES = {"large": (512, 1365, 3), "small": (17, 33, 3)}

each_direction = pytest.mark.parametrize(
    "source, result", DIRECTIONS, ids=["-".join(d) for d in DIRECTIONS]
)
each_image = pytest.mark.parametrize("shape", IMAGES.values(), ids=IMAGES)


@pytest.fixture(autouse=True)
def empty_pools():
    settle()
    torch.cuda.empty_cache()
    cp.get_default_memory_pool().free_all_blocks()


def parts(mat):
    """Other GpuMats on the same memory, with the slice of the image that each shows."""
    height, width = mat.size()[::-1]
    return {
        "roi": (cv2.cuda.GpuMat(mat, (5, 3, width - 9, height - 7)), np.s_[3:-4, 5:-4]),
        "rowRange": (mat.rowRange(2, height - 1), np.s_[2:-1]),
        "colRange": (mat.colRange(1, width - 2), np.s_[:, 1:-2]),
        "header": (cv2.cuda.GpuMat(mat), np.s_[:]),
        "roi of roi": (mat.rowRange(1, height).colRange(4, width), np.s_[1:, 4:]),
    }


PARTS = ("roi", "rowRange", "colRange", "header", "roi of roi")


@pytest.mark.parametrize("kind", ["torch", "cupy"])
def test_the_churn_would_be_seen(kind):
    """What the others rest on: over a header that owns nothing, the pools write."""
    image = pixels(IMAGES["large"])
    array = make(kind, image)
    height, width, channels = image.shape
    bare = cv2.cuda.createGpuMatFromCudaMemory(
        height, width, cv_type("uint8", channels), address(array)
    )
    del array
    settle()
    filled = churn(image)
    assert not np.array_equal(host(bare, "uint8"), image)
    del filled


@each_direction
@each_image
def test_source_dropped(source, result, shape):
    image = pixels(shape)
    x = make(source, image)
    ptr = address(x)
    view = convert(x, result, copy=False)
    assert address(view) == ptr
    del x
    settle()
    filled = churn(image)
    np.testing.assert_array_equal(host(view, "uint8"), image)
    del filled


@pytest.mark.parametrize("source", ["torch", "cupy"])
@pytest.mark.parametrize("part", PARTS)
@each_image
def test_only_a_part_of_the_result_is_kept(source, part, shape):
    """The ROI of a GpuMat over a tensor holds the tensor when the GpuMat itself is gone."""
    image = pixels(shape)
    x = make(source, image)
    kept, where = parts(convert(x, "gpumat", copy=False))[part]
    del x
    settle()
    filled = churn(image)
    np.testing.assert_array_equal(host(kept, "uint8"), image[where])
    del filled


@pytest.mark.parametrize("result", ["torch", "cupy"])
@pytest.mark.parametrize("part", PARTS)
@each_image
def test_source_is_a_part_whose_parents_are_gone(result, part, shape):
    image = pixels(shape)
    mat, where = parts(new_mat(image))[part]
    view = convert(mat, result, copy=False)
    assert address(view) == mat.cudaPtr()
    del mat
    settle()
    filled = churn(image)
    np.testing.assert_array_equal(host(view), image[where])
    del filled


@pytest.mark.parametrize("source", ["torch", "cupy"])
@pytest.mark.parametrize("result", ["torch", "cupy"])
@pytest.mark.parametrize("part", PARTS)
def test_chain(source, result, part):
    """Array -> GpuMat -> its part -> array: only the last is kept."""
    image = pixels(IMAGES["large"])
    mat, where = parts(convert(make(source, image), "gpumat", copy=False))[part]
    view = convert(mat, result, copy=False)
    del mat
    settle()
    filled = churn(image)
    np.testing.assert_array_equal(host(view), image[where])
    del filled


CHANGES = {
    "release": lambda mat: mat.release(),
    "upload": lambda mat: mat.upload(np.zeros((700, 300, 3), np.uint8)),
    "create": lambda mat: mat.create(700, 300, cv_type("uint8", 4)),
    "release, upload": lambda mat: (mat.release(), mat.upload(np.zeros((700, 300), np.uint8))),
    "swap": lambda mat: mat.swap(cv2.cuda.GpuMat()),
}


@pytest.mark.parametrize("result", ["torch", "cupy"])
@pytest.mark.parametrize("change", CHANGES)
def test_the_original_gets_other_memory(result, change):
    """A view holds the memory, not the user's GpuMat object."""
    image = pixels(IMAGES["large"])
    mat = new_mat(image)
    view = convert(mat, result, copy=False)
    CHANGES[change](mat)
    settle()
    filled = churn(image)
    np.testing.assert_array_equal(host(view), image)
    del filled


@pytest.mark.parametrize("source", ["torch", "cupy"])
@pytest.mark.parametrize("change", CHANGES)
def test_our_gpumat_gets_other_memory(source, change):
    """OpenCV asks our allocator for the new memory, and gets its own; ours is let go."""
    image = pixels(IMAGES["large"])
    x = make(source, image)
    before = sys.getrefcount(x)
    mat = convert(x, "gpumat", copy=False)
    roi = mat.rowRange(3, 9)
    CHANGES[change](mat)
    np.testing.assert_array_equal(host(roi, "uint8"), image[3:9])
    if mat.cudaPtr():
        mat.setTo((1, 1, 1, 1))
    np.testing.assert_array_equal(host(x), image)
    del mat, roi
    settle()
    assert sys.getrefcount(x) == before


def test_torch_memory_comes_back():
    settle()
    before = torch.cuda.memory_allocated()
    x = torch.zeros(1000, 1000, 3, dtype=torch.uint8, device="cuda")
    views = [pixview.as_gpumat(x, src_layout="HWC"), pixview.as_cupy(x, src_layout="HWC")]
    views += [views[0].rowRange(0, 10), views[1][5:], pixview.view(x, src_layout="HWC")]
    del x
    while views:
        settle()
        assert torch.cuda.memory_allocated() >= before + 3_000_000
        views.pop()
    settle()
    assert torch.cuda.memory_allocated() == before


def test_cupy_memory_comes_back():
    pool = cp.get_default_memory_pool()
    settle()
    before = pool.used_bytes()
    x = cp.zeros((1000, 1000, 3), cp.uint8)
    views = [pixview.as_gpumat(x), pixview.as_torch(x)]
    views += [views[0].rowRange(0, 10), views[1][:, 5:], pixview.view(x)]
    del x
    while views:
        settle()
        assert pool.used_bytes() >= before + 3_000_000
        views.pop()
    settle()
    assert pool.used_bytes() == before


@pytest.mark.alone
@pytest.mark.parametrize("result", ["torch", "cupy"])
def test_gpumat_memory_goes_back_to_the_driver(result):
    settle()
    mat = cv2.cuda.GpuMat(20000, 20000, cv2.CV_8UC3)
    held = free_memory()
    view = convert(mat, result, copy=False)
    mat.release()
    settle()
    assert free_memory() <= held + (1 << 20), "freed while a view looks at it"
    del view
    settle()
    assert free_memory() >= held + 1_200_000_000
    assert mat.empty()


def opencv_count(mat):
    """OpenCV's own reference count, read from the header (a GIL build, LP64)."""
    header = ctypes.cast(id(mat) + 16, ctypes.POINTER(ctypes.c_void_p))[0]
    count = ctypes.cast(header + 32, ctypes.POINTER(ctypes.c_void_p))[0]
    return ctypes.cast(count, ctypes.POINTER(ctypes.c_int))[0]


def in_threads(work, count=8):
    errors = []

    def run(index):
        try:
            work(index)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors


@pytest.mark.parametrize("result", ["torch", "cupy"])
def test_opencv_count_is_as_before(result):
    mat = new_mat(pixels((64, 64, 3)))
    headers = [cv2.cuda.GpuMat(mat) for _ in range(8)]
    before = opencv_count(mat)
    assert before == 9

    def work(index):
        for _ in range(5000):
            convert(headers[index], result, copy=False)

    in_threads(work)
    settle()
    assert opencv_count(mat) == before


@pytest.mark.parametrize("source", ["torch", "cupy"])
def test_parts_dropped_by_eight_threads(source):
    image = pixels((64, 64, 3))
    x = make(source, image)
    before = sys.getrefcount(x)
    for _ in range(20):
        mat = convert(x, "gpumat", copy=False)
        piles = [[mat.rowRange(i, i + 5) for _ in range(100)] for i in range(8)]
        del mat
        in_threads(lambda index, piles=piles: piles[index].clear())
    settle()
    assert sys.getrefcount(x) == before
    np.testing.assert_array_equal(host(x), image)


def test_conversions_in_eight_threads():
    image = pixels((33, 47, 3))

    def work(index):
        for i in range(200):
            x = make(("torch", "cupy")[(index + i) % 2], image)
            mat = convert(x, "gpumat", copy=False)
            view = convert(mat.rowRange(1, 20), ("torch", "cupy")[i % 2], copy=False)
            del x, mat
            np.testing.assert_array_equal(host(view), image[1:20])

    in_threads(work)


class Owner:
    """Counts how often it was let go."""

    def __init__(self):
        self.memory = cp.array(pixels((40, 50, 3)))
        self.gone = []

    def image(self):
        holder = Holder(self)
        return pixview.from_pointer(
            self.memory.data.ptr, (40, 50, 3), "uint8", layout="HWC", owner=holder
        )


class Holder:
    def __init__(self, owner):
        self.owner = owner

    def __del__(self):
        self.owner.gone.append(threading.get_ident())


@pytest.mark.parametrize("result", ["gpumat", "torch", "cupy"])
def test_owner_is_released_exactly_once(result):
    owner = Owner()
    for round_ in range(50):
        view = convert(owner.image(), result, copy=False)
        if result == "gpumat":
            kept = [[view.rowRange(i, i + 3), cv2.cuda.GpuMat(view)] for i in range(8)]
        else:
            kept = [[view[i:], convert(view, "gpumat")] for i in range(8)]
        del view
        settle()
        assert len(owner.gone) == round_
        in_threads(lambda index, kept=kept: kept[index].clear())
        settle()
        assert len(owner.gone) == round_ + 1


EXIT = {
    "views at module level": "",
    "views in builtins": "import builtins; builtins.kept = kept; del kept, x, mat",
    "a cycle": "kept.append(kept); del kept, x, mat",
    "sys.exit": "sys.exit(0)",
}


@pytest.mark.parametrize("how", EXIT)
def test_interpreter_exit_with_live_views(how):
    program = textwrap.dedent("""
        import sys
        import cv2, cupy, numpy, torch, pixview
        mat = cv2.cuda.GpuMat()
        mat.upload(numpy.ones((100, 200, 3), numpy.uint8))
        x = torch.ones(3, 100, 200, device="cuda").permute(1, 2, 0).contiguous().permute(2, 0, 1)
        y = cupy.ones((100, 200, 3))
        kept = [pixview.as_torch(mat), pixview.as_cupy(mat), pixview.view(mat), pixview.view(x)]
        kept += [pixview.as_gpumat(x), pixview.as_gpumat(y), pixview.as_cupy(x), pixview.as_torch(y)]
        kept += [kept[4].rowRange(1, 5), cv2.cuda.GpuMat(kept[5]), pixview.as_torch(kept[4])]
        print("ready", flush=True)
    """) + textwrap.dedent(EXIT[how])
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, env=os.environ
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    assert done.stdout.strip() == "ready"
    assert "Error" not in done.stderr and "terminate" not in done.stderr, done.stderr


def test_buffer_pool_is_copied_or_refused():
    """Memory of a BufferPool dies with its Stream, in stack order: it cannot be held."""
    program = textwrap.dedent("""
        import cv2, numpy as np, torch, pixview
        cv2.cuda.setBufferPoolUsage(True)
        cv2.cuda.setBufferPoolConfig(0, 16 << 20, 2)
        stream = cv2.cuda.Stream()
        pool = cv2.cuda.BufferPool(stream)
        mat = pool.getBuffer(100, 200, cv2.CV_8UC3)
        image = np.random.randint(0, 256, (100, 200, 3), np.uint8)
        ptr = mat.cudaPtr()
        mat.upload(image)
        assert mat.cudaPtr() == ptr
        for convert in (pixview.as_torch, pixview.as_cupy, pixview.view):
            try:
                convert(mat, copy=False)
            except pixview.LayoutError as error:
                assert "BufferPool" in str(error), error
            else:
                raise SystemExit(f"{convert.__name__}: no error")
        tensor, array = pixview.as_torch(mat, layout="HWC"), pixview.as_cupy(mat)
        assert tensor.data_ptr() != ptr and array.data.ptr != ptr
        assert pixview.plan(mat, "torch").kind == "copy"
        del mat, pool
        torch.cuda.synchronize()
        del stream
        assert np.array_equal(tensor.cpu().numpy(), image) and np.array_equal(array.get(), image)
        cv2.cuda.setBufferPoolUsage(False)
        print("passed", flush=True)
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, env=os.environ
    )
    assert (done.returncode, done.stdout.strip()) == (0, "passed"), done.stderr
