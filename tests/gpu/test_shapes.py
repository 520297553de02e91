# SPDX-License-Identifier: Apache-2.0
"""Every width, channel count and type, with every kind of row pitch and offset."""

import pytest

from .util import (
    DTYPES,
    OPENCV5,
    bare_mat,
    convert,
    cp,
    cv2,
    cv_type,
    host,
    mat_view,
    new_mat,
    np,
    pixels,
    pixview,
    torch,
)

WIDTHS = range(1, 68)
MARGIN = 3  # rows and columns of a parent around an ROI

each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_channels = pytest.mark.parametrize("channels", [1, 2, 3, 4])
each_result = pytest.mark.parametrize("result", ["torch", "cupy"])


def check(found, expected, *what):
    """Bytes, so that a NaN equals itself; H,W where there is one channel."""
    if expected.shape[2] == 1 and found.ndim == 2:
        found = found[..., None]
    assert found.shape == expected.shape, what
    assert found.dtype == expected.dtype, what
    assert found.tobytes() == expected.tobytes(), what


@pytest.mark.parametrize("height", [1, 4])
@each_result
@each_channels
@each_dtype
def test_gpumat_pitched_and_roi(dtype, channels, result, height):
    base = pixels((height + 2 * MARGIN, WIDTHS[-1] + 2 * MARGIN, channels), dtype)
    for width in WIDTHS:
        image = base[:, : width + 2 * MARGIN]
        mat = new_mat(image)
        check(host(convert(mat, result, copy=False)), image, "pitched", width)
        offset = width % MARGIN
        roi = cv2.cuda.GpuMat(mat, (offset, MARGIN - offset, width, height))
        expected = image[MARGIN - offset :, offset:][:height, :width]
        view = convert(roi, result, copy=False)
        check(host(view), expected, "roi", width)


@pytest.mark.parametrize("height", [1, 4])
@each_result
@each_channels
@each_dtype
def test_gpumat_over_foreign_memory(dtype, channels, result, height):
    """Tight rows, and rows whose padding is any number of elements."""
    base = cp.array(pixels((height * 90, 4), dtype)).reshape(-1)
    for width in WIDTHS:
        for padding in (0, 1, width % 7):
            row = width * channels + padding
            size = base.itemsize
            strides = (row * size, channels * size, size)
            offset = width % 5
            array = cp.ndarray((height, width, channels), dtype, base.data + offset * size, strides)
            view = convert(bare_mat(array), result, copy=False)
            check(host(view), array.get(), width, padding)


@each_channels
@each_dtype
def test_planes_to_gpumat(dtype, channels):
    """One kernel from C,H,W, dense or a slice at any offset."""
    height = 5
    planes = pixels((channels, height + 2, WIDTHS[-1] + 4), dtype)
    tensor, array = torch.from_numpy(planes).cuda(), cp.array(planes)
    for width in WIDTHS:
        where = np.s_[:, 1 : height + 1, width % 4 : width % 4 + width]
        expected = planes[where].transpose(1, 2, 0)
        mats = {
            "torch": pixview.as_gpumat(tensor[where]),
            "torch, dense": pixview.as_gpumat(tensor[where].contiguous()),
            "torch, copy": pixview.as_gpumat(tensor[where], copy=True),
            "cupy": pixview.as_gpumat(array[where], src_layout="CHW"),
        }
        for name, mat in mats.items():
            assert mat.type() == cv_type(dtype, channels)
            check(host(mat, dtype), expected, name, width)


@each_channels
@each_dtype
def test_interleaved_to_gpumat(dtype, channels):
    """A view of dense and of sliced rows; the GpuMat says the same pitch."""
    base = pixels((9, WIDTHS[-1] + 8, channels), dtype)
    array = cp.array(base)
    for width in WIDTHS:
        where = np.s_[2:7, width % 8 : width % 8 + width]
        mat = pixview.as_gpumat(array[where], copy=False)
        assert mat.cudaPtr() == array[where].data.ptr
        assert mat.step == array.strides[0] and mat.type() == cv_type(dtype, channels)
        check(host(mat, dtype), base[where], "slice", width)
        dense = cp.ascontiguousarray(array[where])
        mat = pixview.as_gpumat(dense, copy=False)
        assert mat.isContinuous() and mat.cudaPtr() == dense.data.ptr
        check(host(mat, dtype), base[where], "dense", width)
        mat = pixview.as_gpumat(array[2, where[1]][None], copy=False)
        assert mat.size() == (width, 1)
        check(host(mat, dtype), base[2:3, where[1]], "one row", width)


@each_dtype
def test_one_column(dtype):
    base = pixels((50, 6, 3), dtype)
    array = cp.array(base)
    for column in range(6):
        where = np.s_[:, column : column + 1]
        mat = pixview.as_gpumat(array[where], copy=False)
        check(host(mat, dtype), base[where], column)
        check(host(convert(mat, "torch")), base[where], column)


@pytest.mark.parametrize("shape", [(0, 5, 3), (4, 0, 3), (0, 0, 3), (0, 5, 1), (4, 0, 1)])
@each_result
def test_nothing_in_it(shape, result):
    empty = {"torch": torch.empty(shape, device="cuda"), "cupy": cp.empty(shape, "float32")}
    for source in empty.values():
        mat = convert(source, "gpumat")
        assert mat.empty() and mat.channels() == shape[2]
        other = convert(source, result)
        assert other.size == 0 if result == "cupy" else other.numel() == 0
        assert tuple(other.shape) == shape
        if mat.size() == (0, 0):  # not to be told from a released one, which is refused
            with pytest.raises(pixview.LayoutError, match="empty"):
                convert(mat, result)
        else:
            assert 0 in convert(mat, result).shape


def test_fresh_and_released_gpumat():
    released = new_mat(pixels((10, 20, 3)))
    released.release()
    for mat in (cv2.cuda.GpuMat(), released):
        for convert_to in (pixview.as_torch, pixview.as_cupy, pixview.view):
            with pytest.raises(pixview.LayoutError, match="released"):
                convert_to(mat)


@pytest.mark.parametrize("channels", [5, 64, 128])
def test_many_channels(channels):
    image = pixels((6, 7, channels))
    mat = pixview.as_gpumat(cp.array(image))
    assert mat.channels() == channels and mat.type() == cv2.CV_MAKETYPE(cv2.CV_8U, channels)
    check(host(mat, "uint8"), image)
    check(host(convert(mat, "torch")), image)


@pytest.mark.skipif(OPENCV5, reason="OpenCV 5 has at most 128 channels")
def test_512_channels():
    image = pixels((6, 7, 512))
    check(host(pixview.as_gpumat(cp.array(image)), "uint8"), image)


@pytest.mark.skipif(not OPENCV5, reason="types of OpenCV 5")
@pytest.mark.parametrize("dtype", ["uint32", "uint64", "int64", "bool"])
def test_types_of_opencv5(dtype):
    depth = {"uint32": "CV_32U", "uint64": "CV_64U", "int64": "CV_64S", "bool": "CV_Bool"}[dtype]
    image = pixels((6, 7, 3), dtype)
    array = cp.array(image)
    mat = pixview.as_gpumat(array, copy=False)
    assert mat.type() == cv2.CV_MAKETYPE(getattr(cv2, depth), 3)
    np.testing.assert_array_equal(mat_view(mat, dtype).get(), image)
    np.testing.assert_array_equal(host(pixview.as_cupy(mat)), image)


def test_bfloat16():
    tensor = torch.randn(3, 6, 7, device="cuda").to(torch.bfloat16)
    if not OPENCV5:
        with pytest.raises(pixview.DtypeError, match=r"torch\.uint16"):
            pixview.as_gpumat(tensor)
        return
    mat = pixview.as_gpumat(tensor)
    assert mat.depth() == 8
    back = pixview.as_torch(mat)
    assert back.dtype == torch.bfloat16 and torch.equal(back, tensor)


@pytest.mark.alone
def test_more_than_two_gib():
    """Offsets beyond 31 bits, in the view, the copy kernel and the header's flags."""
    side, channels = 27000, 3  # 2.19e9 bytes
    if torch.cuda.mem_get_info()[0] < 12 << 30:
        pytest.skip("needs 12 GiB of free device memory")
    planes = torch.randint(0, 256, (channels, side, side), dtype=torch.uint8, device="cuda")
    mat = pixview.as_gpumat(planes)
    assert mat.size() == (side, side) and not mat.isContinuous()
    theirs = torch.as_tensor(mat_view(mat, "uint8"), device="cuda")
    assert torch.equal(theirs, planes.permute(1, 2, 0))
    ours = pixview.as_torch(mat, copy=False)
    assert ours.data_ptr() == mat.cudaPtr() and torch.equal(ours, planes)

    interleaved = planes.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    view = pixview.as_gpumat(interleaved, copy=False)
    assert view.cudaPtr() == interleaved.data_ptr()
    last = view.rowRange(side - 1, side)
    expected = planes[:, -1].permute(1, 0).cpu().numpy()
    np.testing.assert_array_equal(host(last, "uint8")[0], expected)
    np.testing.assert_array_equal(host(pixview.as_cupy(last))[0], expected)
    del planes, mat, theirs, ours, interleaved, view, last
    torch.cuda.empty_cache()
