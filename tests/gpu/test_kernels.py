# SPDX-License-Identifier: Apache-2.0
"""The strided copy on the GPU against NumPy."""

import math
import random

import pytest

from .util import convert, cp, cv2, host, new_mat, np, pixels, pixview, torch

DTYPES = ["uint8", "int16", "float16", "float32", "int64", "float64", "complex64", "complex128"]
LAYOUTS = ["HW", "CHW", "HWC", "NCHW", "NHWC"]
AXES = "NHWC"


def random_slices(rng, extents, negative):
    """Per axis a step and a margin: the shape of a base array, and the slices that give `extents`."""
    shape, slices = [], []
    for extent in extents:
        step = rng.choice([1, 1, 1, 2, 3])
        before, after = rng.choice([0, 0, 1, 5]), rng.choice([0, 0, 2])
        length = before + (extent - 1) * step + 1 + after
        shape.append(length)
        if negative and rng.random() < 0.3:
            last = before + (extent - 1) * step
            stop = before - 1 if before > 0 else None
            slices.append(slice(last, stop, -step))
        else:
            slices.append(slice(before, before + (extent - 1) * step + 1, step))
    return shape, tuple(slices)


def random_view(rng, extents, layout, negative):
    """(base shape, function from the base to a view with axes as `layout`): any memory order."""
    wanted = [AXES.index(axis) for axis in layout]
    memory = wanted[:]
    rng.shuffle(memory)
    while True:
        shape, slices = random_slices(rng, [extents[i] for i in memory], negative)
        if math.prod(shape) < 500_000:
            break
    order = [memory.index(i) for i in wanted]
    return shape, lambda base: base[slices].transpose(order)


def random_extents(rng):
    while True:
        extents = [
            rng.choice([1, 1, 2, 3]),
            rng.choice([1, 2, 7, 33, 130]),
            rng.choice([1, 3, 8, 31, 64, 257]),
            rng.choice([1, 2, 3, 4, 4, 19]),
        ]
        if math.prod(extents) < 100_000:
            return extents


def pair_of_layouts(rng, extents):
    """Two layouts that can hold the extents: an axis of size 1 may be left out."""
    fitting = [
        layout
        for layout in LAYOUTS
        if all(axis in layout or extents[i] == 1 for i, axis in enumerate(AXES))
    ]
    return rng.choice(fitting), rng.choice(fitting)


def in_layout(view, source, target):
    """The same pixels with the axes of another layout."""
    absent = [axis for axis in AXES if axis not in source]
    order = [*source, *absent]
    full = view.reshape(view.shape + (1,) * len(absent))
    dropped = [axis for axis in AXES if axis not in target]
    full = full.transpose([order.index(axis) for axis in [*target, *dropped]])
    return full.reshape(full.shape[: len(target)])


@pytest.mark.parametrize("dtype", DTYPES)
def test_copy_into_random_views(dtype):
    """Any permutation, any steps, margins untouched."""
    rng = random.Random(dtype)
    for case in range(60):
        extents = random_extents(rng)
        source, target = pair_of_layouts(rng, extents)
        src_shape, src_of = random_view(rng, extents, source, negative=True)
        dst_shape, dst_of = random_view(rng, extents, target, negative=False)
        src, dst = pixels(src_shape, dtype, case), pixels(dst_shape, dtype, case + 1000)
        src_gpu, dst_gpu = cp.array(src), cp.array(dst)
        target_view = dst_of(dst_gpu)
        result = pixview.copy_into(
            target_view, src_of(src_gpu), src_layout=source, dst_layout=target
        )
        assert result is target_view
        dst_of(dst)[...] = in_layout(src_of(src), source, target)
        np.testing.assert_array_equal(dst_gpu.get(), dst, f"{case}: {extents} {source}->{target}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_copies_of_random_views(dtype):
    """contiguous=True and copy=True give dense arrays in the layout asked for."""
    rng = random.Random(dtype)
    for case in range(40):
        extents = random_extents(rng)
        source, target = pair_of_layouts(rng, extents)
        shape, of = random_view(rng, extents, source, negative=True)
        base = pixels(shape, dtype, case)
        expected = in_layout(of(base), source, target)
        view = of(cp.array(base))
        for flags in ({"contiguous": True}, {"copy": True}):
            array = pixview.as_cupy(view, src_layout=source, layout=target, **flags)
            assert array.flags.c_contiguous
            np.testing.assert_array_equal(array.get(), expected, f"{case} {source}->{target}")
            tensor = pixview.as_torch(view, src_layout=source, layout=target, **flags)
            assert tensor.is_contiguous()
            np.testing.assert_array_equal(host(tensor), expected, f"{case} {source}->{target}")


def test_contiguous_copies_only_when_needed():
    dense = cp.array(pixels((8, 9, 3)))
    assert pixview.as_cupy(dense, contiguous=True) is dense
    assert pixview.as_torch(dense, layout="HWC", contiguous=True).data_ptr() == dense.data.ptr
    planes = pixview.as_torch(dense, contiguous=True)
    assert planes.is_contiguous() and planes.data_ptr() != dense.data.ptr
    mat = new_mat(pixels((8, 9, 3)))
    assert pixview.as_torch(mat, contiguous=True).data_ptr() != mat.cudaPtr()


def test_broadcast_source():
    row = cp.array(pixels((1, 40, 3)))
    image = cp.broadcast_to(row, (30, 40, 3))
    mat = pixview.as_gpumat(image)
    np.testing.assert_array_equal(host(mat, "uint8"), image.get())
    tensor = pixview.as_torch(
        torch.as_tensor(row, device="cuda").expand(30, 40, 3),
        src_layout="HWC",
        layout="CHW",
        contiguous=True,
    )
    np.testing.assert_array_equal(host(tensor), image.get().transpose(2, 0, 1))


@pytest.mark.parametrize("flip", [np.s_[::-1], np.s_[:, ::-1], np.s_[..., ::-1]])
def test_negative_strides(flip):
    """No GpuMat and no tensor has them: a copy, or an error when none is allowed."""
    image = pixels((20, 30, 3))
    array = cp.array(image)
    for to in ("gpumat", "torch"):
        with pytest.raises(pixview.LayoutError):
            convert(array[flip], to, copy=False)
        found = convert(array[flip], to)
        np.testing.assert_array_equal(host(found, "uint8"), image[flip])


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_copy_into_part_of_a_gpumat(dtype, channels):
    """Pixels around the ROI, and the padding of the rows, stay as they are."""
    image = pixels((40, 50, channels), dtype)
    mat = new_mat(image)
    planes = torch.from_numpy(pixels((channels, 11, 23), dtype, 1)).cuda()
    roi = cv2.cuda.GpuMat(mat, (7, 5, 23, 11))
    assert pixview.copy_into(roi, planes) is roi
    expected = image.copy()
    expected[5:16, 7:30] = host(planes).transpose(1, 2, 0)
    np.testing.assert_array_equal(host(mat, dtype), expected)


def test_copy_into_from_gpumat():
    image = pixels((40, 50, 3))
    mat = new_mat(image)
    planes = torch.zeros(3, 40, 50, dtype=torch.uint8, device="cuda")
    assert pixview.copy_into(planes, mat) is planes
    np.testing.assert_array_equal(host(planes), image.transpose(2, 0, 1))
    array = cp.zeros((40, 50, 3), cp.uint8)
    pixview.copy_into(array, planes)
    np.testing.assert_array_equal(array.get(), image)


def test_copy_into_refuses():
    mat = new_mat(pixels((40, 50, 3)))
    with pytest.raises(pixview.DtypeError):
        pixview.copy_into(torch.zeros(3, 40, 50, device="cuda"), mat)
    with pytest.raises(pixview.LayoutError):
        pixview.copy_into(torch.zeros(3, 40, 51, dtype=torch.uint8, device="cuda"), mat)
    leaf = torch.zeros(3, 4, 4, device="cuda", requires_grad=True)
    with pytest.raises(pixview.Error):
        pixview.copy_into(leaf, torch.ones(3, 4, 4, device="cuda"))


def test_overlap_is_of_rectangles():
    image = pixels((30, 40, 3))
    mat = new_mat(image)
    left, right = mat.colRange(0, 20), mat.colRange(20, 40)
    pixview.copy_into(right, left)
    expected = np.concatenate([image[:, :20], image[:, :20]], 1)
    np.testing.assert_array_equal(host(mat, "uint8"), expected)
    with pytest.raises(pixview.LayoutError):
        pixview.copy_into(mat.colRange(1, 21), left)


WIDTHS = (3, 7, 31, 33, 100, 1001, 1023)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("width", WIDTHS)
def test_copies_fit_textures(width, channels):
    """OpenCV 5 binds textures to 1- and 4-channel images: tight rows of these widths are refused."""
    image = pixels((64, width, channels))
    uploaded = cv2.cuda.GpuMat()
    uploaded.upload(image)
    array = cp.array(image)
    planes = torch.from_numpy(image).cuda().permute(2, 0, 1).contiguous()
    turn = np.float32([[0.9, 0.1, 1], [-0.1, 0.9, 2]])
    cubic = cv2.cuda.resize(uploaded, (77, 55), interpolation=cv2.INTER_CUBIC).download()
    warped = cv2.cuda.warpAffine(uploaded, turn, (width, 64), flags=cv2.INTER_LINEAR).download()
    for mat in (
        pixview.as_gpumat(array, copy=True),
        pixview.as_gpumat(pixview.as_gpumat(array), copy=True),
        pixview.as_gpumat(planes, copy=True),
        pixview.as_gpumat(image, copy=True),
    ):
        assert mat.step % 32 == 0
        again = cv2.cuda.resize(mat, (77, 55), interpolation=cv2.INTER_CUBIC)
        np.testing.assert_array_equal(again.download(), cubic)
        again = cv2.cuda.warpAffine(mat, turn, (width, 64), flags=cv2.INTER_LINEAR)
        np.testing.assert_array_equal(again.download(), warped)
