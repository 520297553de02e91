# SPDX-License-Identifier: Apache-2.0
"""CuPy arrays of every kind of memory: viewed, copied, held, and given back to their own allocator."""

import pytest

from .util import AS, busy, cp, host, np, pixels, pixview, settle, torch

SHAPE = (240, 321, 3)
KINDS = ("pool", "managed pool", "managed", "async pool", "async", "none")


@pytest.fixture(params=KINDS)
def allocator(request):
    """Puts CuPy's allocator aside; the pools are new, so that nothing else uses them."""
    kind = request.param
    pool = None
    if kind == "pool":
        pool = cp.cuda.MemoryPool()
    elif kind == "managed pool":
        pool = cp.cuda.MemoryPool(cp.cuda.malloc_managed)
    elif kind == "async pool":
        pool = cp.cuda.MemoryAsyncPool()
    functions = {
        "managed": cp.cuda.malloc_managed,
        "async": cp.cuda.memory.malloc_async,
        "none": None,
    }
    before = cp.cuda.get_allocator()
    cp.cuda.set_allocator(pool.malloc if pool else functions[kind])
    yield pool
    cp.cuda.set_allocator(before)
    settle()


def used(pool):
    return pool.used_bytes()


@pytest.mark.parametrize("to", ["torch", "gpumat", "numpy"])
def test_a_view_holds_the_memory_and_lets_it_go(allocator, to):
    image = pixels(SHAPE)
    before = used(allocator) if allocator else None
    array = cp.asarray(image)
    address = array.data.ptr
    view = AS[to](array, **({"copy": True} if to == "numpy" else {"copy": False}))
    del array
    settle()
    again = cp.empty(SHAPE, np.uint8)  # would take the memory if it were free
    again.fill(0xA5)
    shown = host(view, np.uint8)
    if to == "torch":
        assert view.data_ptr() == address and again.data.ptr != address
        shown = shown.transpose(1, 2, 0)
    if to == "gpumat":
        assert view.cudaPtr() == address and again.data.ptr != address
    np.testing.assert_array_equal(shown, image)
    del view, again
    settle()
    if allocator:
        assert used(allocator) == before


def test_a_copy_from_planes(allocator):
    image = pixels(SHAPE, seed=1)
    planes = cp.asarray(np.ascontiguousarray(image.transpose(2, 0, 1)))
    mat = pixview.as_gpumat(planes, src_layout="CHW", copy=None)
    del planes
    np.testing.assert_array_equal(host(mat, np.uint8), image)


def test_managed_memory_says_so():
    array = cp.ndarray(SHAPE, np.uint8, cp.cuda.malloc_managed(int(np.prod(SHAPE))))
    array[...] = 7
    tensor = pixview.as_torch(array)
    assert tensor.is_cuda and int(tensor[0, 0, 0]) == 7


def test_memory_of_the_async_pool_goes_back_after_the_consumer():
    """The consumer on a stream of its own is slow; the array's stream takes the memory at once."""
    pool = cp.cuda.MemoryAsyncPool()
    before = cp.cuda.get_allocator()
    image = pixels(SHAPE, seed=2)
    consumer = torch.cuda.Stream()
    cp.cuda.set_allocator(pool.malloc)
    try:
        for _ in range(8):
            array = cp.asarray(image)
            with torch.cuda.stream(consumer):
                tensor = pixview.as_torch(array)
                busy(consumer, 5)
                out = tensor.clone()
            del array, tensor
            settle_host()
            again = cp.empty(SHAPE, np.uint8)
            again.fill(0xA5)
            consumer.synchronize()
            np.testing.assert_array_equal(out.cpu().numpy().transpose(1, 2, 0), image)
            del again
    finally:
        cp.cuda.set_allocator(before)
        settle()


def settle_host():
    """Drops what is to be dropped, without waiting for the GPU."""
    pixview.view(np.zeros((2, 2), np.uint8))
