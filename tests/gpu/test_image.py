# SPDX-License-Identifier: Apache-2.0
"""Writes that torch counts, memory that runs out, and Images as Python objects, in GPU memory."""

import copy
import pickle

import pytest

from .util import np, pixels, pixview, torch

SHAPE = (48, 65, 3)

DESTINATIONS = {
    "tensor": lambda t: t,
    "batch": lambda t: t,
    "image": lambda t: pixview.view(t, src_layout="HWC"),
    "gpumat": lambda t: pixview.as_gpumat(t, src_layout="HWC"),
    "cupy": lambda t: pixview.as_cupy(t, src_layout="HWC"),
}


@pytest.mark.parametrize("to", DESTINATIONS)
def test_a_write_is_counted(to):
    image = torch.ones(SHAPE, device="cuda")
    weights = torch.ones(SHAPE, device="cuda", requires_grad=True)
    target = torch.full(SHAPE, 2.0, device="cuda")
    total = (weights * target).sum()
    before = target._version
    if to == "batch":
        pixview.stack([image], out=target[None], src_layout="HWC", layout="NHWC")
    else:
        source = pixview.view(image, layout="HWC", src_layout="HWC")
        options = {"dst_layout": "HWC"} if to == "tensor" else {}
        pixview.copy_into(DESTINATIONS[to](target), source, **options)
    assert target._version == before + 1
    assert bool((target == 1).all())
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()


def test_torch_out_of_memory_is_a_memory_error():
    total = torch.cuda.get_device_properties(0).total_memory
    small = torch.zeros((1, 1, 1), dtype=torch.uint8, device="cuda").expand(3, 8000, 8000)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + (8 << 20)) / total)
    try:
        for call in (pixview.as_gpumat, lambda x: pixview.as_torch(x, copy=True)):
            with pytest.raises(MemoryError, match="memory"):
                call(small)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert pixview.as_torch(small[:, :8, :8], copy=True).shape == (3, 8, 8)


def test_pickle_copy_and_deepcopy():
    image = pixels(SHAPE)
    view = pixview.view(torch.from_numpy(image).cuda(), src_layout="HWC").crop(1, 2, 30, 40)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        got = pickle.loads(pickle.dumps(view, protocol))  # by its share: test_share.py
        assert got.ptr == view.ptr and got.shape == view.shape
        del got
    again = pickle.loads(pickle.dumps(pixview.view(pixview.as_numpy(view, copy=True))))
    deep = copy.deepcopy(view)
    assert copy.copy(view).ptr == view.ptr != deep.ptr and deep.device == ("cuda", 0)
    for got in (again, pixview.as_numpy(deep, copy=True)):
        np.testing.assert_array_equal(np.asarray(got), image[1:31, 2:42])


def test_interface_of_packed_memory_has_no_strides():
    view = pixview.view(torch.from_numpy(pixels(SHAPE)).cuda(), src_layout="HWC")
    assert view.__cuda_array_interface__["strides"] is None
    for got in (
        torch.as_tensor(view, device="cuda"),
        torch.as_tensor(view.crop(0, 0, 9, 9), device="cuda"),
    ):
        assert got.data_ptr() == view.ptr
