# SPDX-License-Identifier: Apache-2.0
"""Nothing moves between host and GPU unless copy=True says so."""

import pytest

from .util import busy, convert, cp, cv2, host, make, new_mat, np, pixels, pixview, torch

IMAGE = pixels((60, 77, 3))


def gpu_sources():
    mat = new_mat(IMAGE)
    array = cp.array(IMAGE)
    planes = torch.from_numpy(IMAGE).cuda().permute(2, 0, 1)
    return {
        "pitched GpuMat": (mat, IMAGE),
        "ROI": (cv2.cuda.GpuMat(mat, (9, 5, 30, 40)), IMAGE[5:45, 9:39]),
        "one row": (mat.rowRange(7, 8), IMAGE[7:8]),
        "one column": (mat.colRange(7, 8), IMAGE[:, 7:8]),
        "our GpuMat": (pixview.as_gpumat(array[3:, 5:]), IMAGE[3:, 5:]),
        "CuPy": (array, IMAGE),
        "flipped CuPy": (array[::-1, :, ::-1], IMAGE[::-1, :, ::-1]),
        "every second": (array[1::2, ::3], IMAGE[1::2, ::3]),
        "CHW view": (planes, IMAGE),
        "CHW planes": (planes.contiguous(), IMAGE),
        "Image": (pixview.view(mat), IMAGE),
    }


@pytest.mark.parametrize("name", gpu_sources())
def test_download(name):
    source, expected = gpu_sources()[name]
    found = pixview.as_numpy(source, copy=True)
    assert type(found) is np.ndarray and found.flags.c_contiguous and found.flags.writeable
    np.testing.assert_array_equal(found, expected)
    planes = pixview.as_numpy(source, copy=True, layout="CHW")
    assert planes.flags.c_contiguous
    np.testing.assert_array_equal(planes, expected.transpose(2, 0, 1))


@pytest.mark.parametrize("name", gpu_sources())
@pytest.mark.parametrize("copy", [None, False])
def test_no_silent_download(name, copy):
    with pytest.raises(pixview.DeviceError, match="copy=True"):
        pixview.as_numpy(gpu_sources()[name][0], copy=copy)


def test_numpy_does_not_make_an_object_array():
    with pytest.raises(pixview.DeviceError):
        np.asarray(pixview.view(new_mat(IMAGE)))


def host_sources():
    return {
        "dense": (IMAGE, IMAGE),
        "slice": (IMAGE[3:50, 5:], IMAGE[3:50, 5:]),
        "flipped": (IMAGE[::-1, ::-1, ::-1], IMAGE[::-1, ::-1, ::-1]),
        "planes": (IMAGE.transpose(2, 0, 1).copy().transpose(1, 2, 0), IMAGE),
        "read-only": (np.frombuffer(IMAGE.tobytes(), np.uint8).reshape(IMAGE.shape), IMAGE),
        "CPU tensor": (torch.from_numpy(IMAGE).permute(2, 0, 1), IMAGE),
        "pinned tensor": (torch.from_numpy(IMAGE).pin_memory().permute(2, 0, 1), IMAGE),
    }


@pytest.mark.parametrize("to", ["gpumat", "cupy"])
@pytest.mark.parametrize("name", host_sources())
def test_upload(name, to):
    source, expected = host_sources()[name]
    convert_to = {"gpumat": pixview.as_gpumat, "cupy": pixview.as_cupy}[to]
    found = convert_to(source, copy=True)
    np.testing.assert_array_equal(host(found, "uint8"), expected)
    for copy in (None, False):
        with pytest.raises(pixview.DeviceError, match="copy=True"):
            convert_to(source, copy=copy)


def test_upload_holds_its_source():
    """The source may be dropped and its memory written at once."""
    for _ in range(20):
        big = np.ascontiguousarray(np.broadcast_to(pixels((1, 1000, 3)), (1000, 1000, 3)))
        pinned = torch.from_numpy(big).pin_memory()
        mats = [
            pixview.as_gpumat(big, copy=True),
            pixview.as_gpumat(pinned, src_layout="HWC", copy=True),
        ]
        expected = big.copy()
        del pinned
        big.fill(7)
        again = torch.empty(1000, 1000, 3, dtype=torch.uint8, pin_memory=True).fill_(9)
        for mat in mats:
            np.testing.assert_array_equal(host(mat, "uint8"), expected)
        del again


@pytest.mark.parametrize("to", ["gpumat", "cupy", "copy_into"])
@pytest.mark.parametrize("kind", ["torch", "cupyx"])
def test_pinned_memory_is_not_waited_for(kind, to):
    """The call returns while its stream is still busy; the source is held, though it is dropped at once."""
    import cupyx

    image = np.ascontiguousarray(np.broadcast_to(pixels((1, 1000, 3)), (1000, 1000, 3)))
    side = torch.cuda.Stream()
    out = new_mat(image * 0)

    def pinned():
        if kind == "torch":
            return torch.from_numpy(image).pin_memory()
        memory = cupyx.empty_pinned(image.shape, image.dtype)
        memory[...] = image
        return memory

    def upload(source):
        layout = {"src_layout": "HWC"}
        if to == "gpumat":
            return pixview.as_gpumat(source, copy=True, stream=side, **layout)
        if to == "cupy":
            with cp.cuda.ExternalStream(side.cuda_stream):
                return pixview.as_cupy(source, copy=True, **layout)
        return pixview.copy_into(out, source, stream=side, **layout)

    upload(pinned())  # what is made once, and the pools' memory
    sources = [pinned() for _ in range(3)]
    torch.cuda.synchronize()
    kept = []
    for i in range(3):
        busy(side, 30)
        found = upload(sources.pop())
        kept.append(found)  # the free of a GpuMat would wait
        assert not side.query(), f"the call waited for the GPU ({i})"
        again = [pinned() for _ in range(3)]  # takes the memory of what was dropped
        for x in again:
            x[...] = 9
        torch.cuda.synchronize()
        np.testing.assert_array_equal(host(found, "uint8"), image)
    pixview.view(np.zeros((2, 2), np.uint8))
    # From pageable memory the call returns when the source may be written.
    busy(side, 5)
    source = image.copy()
    found = upload(source)
    source.fill(7)
    torch.cuda.synchronize()
    np.testing.assert_array_equal(host(found, "uint8"), image)


def test_transfers_in_a_capture():
    mat, static = new_mat(IMAGE), torch.zeros(8, device="cuda")
    planes, pinned = make("torch", IMAGE.transpose(2, 0, 1)), torch.from_numpy(IMAGE).pin_memory()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        stream = torch.cuda.current_stream()
        result = static + 1
        for call in (
            lambda: pixview.as_numpy(mat, copy=True, stream=stream),
            lambda: pixview.copy_into(mat, IMAGE, stream=stream),
            lambda: pixview.copy_into(planes, pinned, src_layout="HWC"),  # staged, so waited for
        ):
            with pytest.raises(pixview.CudaError) as e:
                call()
            assert e.value.code == 900
        result = result * 2
    static.fill_(2)
    graph.replay()
    torch.cuda.synchronize()
    assert (result == 6).all()


def test_host_tensor_stays_on_the_host():
    tensor = torch.from_numpy(IMAGE).permute(2, 0, 1)
    assert pixview.as_torch(tensor) is tensor
    assert pixview.as_torch(IMAGE).device.type == "cpu"
    assert pixview.view(tensor).device == ("cpu", 0)


@pytest.mark.parametrize("source", ["torch", "cupy", "gpumat"])
@pytest.mark.parametrize("result", ["torch", "cupy", "gpumat"])
def test_copy_true_copies(source, result):
    x = make(source, IMAGE)
    found = convert(x, result, copy=True)
    np.testing.assert_array_equal(host(found, "uint8"), IMAGE)
    if isinstance(x, cv2.cuda.GpuMat):
        x.setTo((0, 0, 0, 0))
    else:
        x[...] = 0
    np.testing.assert_array_equal(host(found, "uint8"), IMAGE)


def test_image_feeds_the_others():
    """An Image of a GpuMat, taken by the frameworks through the protocols."""
    mat = new_mat(IMAGE)
    image = pixview.view(mat)
    assert image.layout == "HWC" and image.shape == IMAGE.shape
    assert image.strides == (mat.step, 3, 1) and image.device == ("cuda", 0)
    assert not hasattr(image, "__array_interface__")
    for found in (
        torch.from_dlpack(image),
        torch.as_tensor(image, device="cuda"),
        cp.from_dlpack(image),
        cp.asarray(image),
        pixview.as_cupy(image.crop(0, 0, 60, 77)),
    ):
        np.testing.assert_array_equal(host(found), IMAGE)
    del mat, image
    np.testing.assert_array_equal(host(found), IMAGE)
