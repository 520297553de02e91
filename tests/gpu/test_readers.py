# SPDX-License-Identifier: Apache-2.0
"""Device memory as pixview's readers meet it: decoders' interfaces, odd addresses, four axes, any strides.

What is read is made by hand with CuPy or its bytes, and every pixel of every result is compared.
"""

import pytest

from .util import busy, convert, cp, cv2, host, mat_view, np, pixels, pixview, raw_view, torch

SHAPE = (37, 41, 3)
TO = ("torch", "cupy", "gpumat", "numpy", "image")
each_result = pytest.mark.parametrize("to", TO)


class Interface:
    """Known by its CUDA array interface alone."""

    def __init__(self, at, shape, dtype, strides=None, owner=None, **changes):
        self.owner = owner
        self.__cuda_array_interface__ = {
            "shape": tuple(shape),
            "typestr": np.dtype(dtype).str,
            "data": (at, False),
            "strides": strides,
            "version": 3,
            **changes,
        }


def interface(array, **changes):
    """The same memory as a CuPy array's."""
    changes.setdefault("strides", array.strides)
    return Interface(array.data.ptr, array.shape, array.dtype, owner=array, **changes)


def result(x, to, **keywords):
    """As `to`, H,W,C or N,H,W,C. A download has to be asked for."""
    if to == "image":
        return pixview.view(x, **keywords)
    if to == "numpy":
        keywords["copy"] = True
    return convert(x, to, **keywords)


def bytes_of(x, dtype):
    """The pixels of a result as bytes, which compare equal where two NaNs do not."""
    if isinstance(x, pixview.Image):
        x = cp.asarray(x)
    return np.ascontiguousarray(host(x, dtype)).view(np.uint8)


def check(found, expected):
    found = bytes_of(found, expected.dtype)
    expected = np.ascontiguousarray(expected)
    assert found.size == expected.nbytes
    np.testing.assert_array_equal(found.ravel(), expected.view(np.uint8).ravel())


# ---- interfaces of decoders ----


@each_result
@pytest.mark.parametrize("typestr", ["<u2", "|u2", "=u2"])
@pytest.mark.parametrize("stream", [None, 0, 1, 2])
def test_an_interface_of_a_decoder(stream, typestr, to):
    """`stream: 0` is the legacy stream, and `|u2` native, although the protocol allows neither."""
    image = pixels(SHAPE, "uint16")
    x = interface(cp.array(image), typestr=typestr, stream=stream)
    torch.cuda.synchronize()
    check(result(x, to), image)
    assert pixview.stream_of(x) == (-1 if stream is None else 0 if stream == 1 else stream)


@pytest.mark.alone
@each_result
@pytest.mark.parametrize("stream", [0, 1])
def test_the_stream_of_an_interface_is_waited_for(stream, to):
    image, side = pixels(SHAPE, "uint16") // 2, cp.cuda.Stream(non_blocking=True)
    for _ in range(3):
        array = cp.array(image)
        torch.cuda.synchronize()
        busy(torch.cuda.default_stream())
        array += 1  # late, on the legacy stream
        with side, torch.cuda.stream(torch.cuda.Stream()):
            keywords = {"stream": side} if to in ("gpumat", "image") else {}
            found = copied(result(interface(array, stream=stream), to, **keywords))
            side.synchronize()
            torch.cuda.current_stream().synchronize()
        check(found, image + 1)


def copied(x):
    """On the stream that the result is on."""
    if isinstance(x, torch.Tensor):
        return x.clone()
    if isinstance(x, cv2.cuda.GpuMat):
        return mat_view(x, "uint16").copy()
    if isinstance(x, pixview.Image):
        return raw_view(x.ptr, x.shape, x.strides, "uint16", x).copy()
    return x.copy()


# ---- memory that is not aligned to its element ----


def unaligned(dtype, offset, pad):
    """Elements that begin `offset` bytes into CuPy's memory, in rows that are `pad` bytes longer."""
    dtype = np.dtype(dtype)
    height, width, channels = SHAPE
    strides = (width * channels * dtype.itemsize + pad, channels * dtype.itemsize, dtype.itemsize)
    raw = pixels((height * strides[0] + 16,), seed=offset)
    memory = cp.array(raw)
    image = np.ndarray(SHAPE, dtype, raw, offset, strides).copy()
    return memory, memory.data.ptr + offset, strides, image


UNALIGNED = [
    ("uint16", 1, 0),
    ("uint16", 0, 1),
    ("int16", 3, 5),
    ("float16", 1, 0),
    ("float32", 1, 0),
    ("float32", 2, 0),
    ("float32", 0, 2),
    ("int32", 3, 1),
    ("float64", 4, 0),
]
each_unaligned = pytest.mark.parametrize(("dtype", "offset", "pad"), UNALIGNED)
each_reader = pytest.mark.parametrize("reader", ["interface", "cupy"])


def unaligned_source(reader, memory, at, strides, dtype):
    if reader == "cupy":
        return raw_view(at, SHAPE, strides, dtype, memory)
    return Interface(at, SHAPE, dtype, strides, memory)


@each_result
@each_reader
@each_unaligned
def test_unaligned(dtype, offset, pad, reader, to):
    memory, at, strides, image = unaligned(dtype, offset, pad)
    x = unaligned_source(reader, memory, at, strides, dtype)
    torch.cuda.synchronize()
    check(result(x, to), image)
    check(result(x, to, copy=True), image)
    if to != "numpy":
        with pytest.raises(pixview.LayoutError, match="alignment"):
            result(x, to, copy=False)
        assert pixview.plan(x, to).kind == "copy"


@each_reader
@each_unaligned
def test_unaligned_in_lists(dtype, offset, pad, reader):
    memory, at, strides, image = unaligned(dtype, offset, pad)
    x = unaligned_source(reader, memory, at, strides, dtype)
    torch.cuda.synchronize()
    check(pixview.stack([x, x], to="torch", layout="NHWC"), np.stack([image, image]))
    check(pixview.stack([x], to="cupy", layout="NCHW"), image.transpose(2, 0, 1)[None])
    check(pixview.unstack(x, to="cupy")[0], image)
    check(pixview.unstack(x, to="gpumat")[0], image)
    into = cp.zeros(SHAPE, dtype)
    check(pixview.copy_into(into, x), image)


def test_unaligned_memory_is_not_written():
    memory, at, strides, image = unaligned("float32", 1, 0)
    before = memory.get()
    with pytest.raises(pixview.LayoutError, match="alignment"):
        pixview.copy_into(
            Interface(at, SHAPE, "float32", strides, memory), cp.zeros(SHAPE, "float32")
        )
    np.testing.assert_array_equal(memory.get(), before)


# ---- four axes ----


def four_axes():
    return pixels((2, *SHAPE), "uint8", seed=4)


@each_result
def test_four_axes_in_the_other_order(to):
    """Not believed where the other order is likely; right where the order is named."""
    batch = four_axes()
    planes = cp.array(np.ascontiguousarray(batch.transpose(0, 3, 1, 2)))
    tensor = torch.from_numpy(batch).cuda()
    torch.cuda.synchronize()
    wanted = {"layout": "NHWC"}
    if to == "gpumat":
        one = pixels(SHAPE, seed=4).transpose(2, 0, 1)
        with pytest.raises(pixview.LayoutError, match="src_layout"):
            pixview.as_gpumat(interface(cp.array(np.ascontiguousarray(one))))
        return
    call = {
        "torch": pixview.as_torch,
        "cupy": pixview.as_cupy,
        "numpy": lambda x, **k: pixview.as_numpy(x, copy=True, **k),
        "image": pixview.view,
    }[to]
    for x, order in ((planes, "NCHW"), (interface(planes), "NCHW"), (tensor, "NHWC")):
        with pytest.raises(pixview.LayoutError, match="src_layout"):
            call(x)
        check(call(x, src_layout=order, **wanted), batch)


def test_lists_of_four_axes():
    batch = four_axes()
    planes = cp.array(np.ascontiguousarray(batch.transpose(0, 3, 1, 2)))
    tensor = torch.from_numpy(batch).cuda()
    torch.cuda.synchronize()
    for x, order in ((planes, "NCHW"), (interface(planes), "NCHW"), (tensor, "NHWC")):
        for call in (pixview.stack, lambda x, **k: pixview.unstack(x, to="gpumat", **k)):
            with pytest.raises(pixview.LayoutError, match="src_layout"):
                call(x)
        check(pixview.stack(x, src_layout=order, layout="NHWC"), batch)
        for to in ("gpumat", "cupy", "image"):
            found = pixview.unstack(x, to=to, src_layout=order)
            assert len(found) == 2
            for one, expected in zip(found, batch, strict=True):
                check(one, expected)


@pytest.mark.parametrize("strides", [False, True])
def test_an_address_of_four_axes(strides):
    batch = np.ascontiguousarray(four_axes().transpose(0, 3, 1, 2))
    planes = cp.array(batch)
    keywords = {"strides": planes.strides} if strides else {}
    with pytest.raises(pixview.LayoutError, match="layout='NCHW'"):
        pixview.from_pointer(planes.data.ptr, batch.shape, "uint8", **keywords)
    image = pixview.from_pointer(
        planes.data.ptr, batch.shape, "uint8", layout="NCHW", owner=planes, **keywords
    )
    check(pixview.as_cupy(image, layout="NHWC"), four_axes())


# ---- strides ----

STRIDES = {
    "flipped rows": lambda a: a[::-1],
    "flipped columns": lambda a: a[:, ::-1],
    "flipped channels": lambda a: a[..., ::-1],
    "all flipped": lambda a: a[::-1, ::-1, ::-1],
    "every other": lambda a: a[1::2, ::3],
    "one row": lambda a: a[7:8],
    "transposed": lambda a: a.transpose(1, 0, 2),
    "rows repeated": lambda a: np.broadcast_to(a[:1], a.shape),
    "columns repeated": lambda a: np.broadcast_to(a[:, :1], a.shape),
    "channels repeated": lambda a: np.broadcast_to(a[..., :1], a.shape),
    "one pixel": lambda a: np.broadcast_to(a[:1, :1], a.shape),
    "one value": lambda a: np.broadcast_to(a[:1, :1, :1], a.shape),
}


def with_strides(name, dtype):
    """CuPy memory, and the part of it that NumPy sees with these strides."""
    whole = pixels(SHAPE, dtype, seed=5)
    part = STRIDES[name](whole)
    begin = part.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    memory = cp.array(whole)
    return memory, memory.data.ptr + begin, part


@each_result
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("name", STRIDES)
def test_strides(name, dtype, to):
    memory, at, part = with_strides(name, dtype)
    x = Interface(at, part.shape, dtype, part.strides, memory)
    torch.cuda.synchronize()
    check(result(x, to), part)
    check(result(x, to, copy=True), part)
    if to == "torch" and min(part.strides) < 0:
        with pytest.raises(pixview.LayoutError, match="stride"):
            result(x, to, copy=False)
    if to in ("cupy", "image"):
        check(result(x, to, copy=False), part)


@pytest.mark.parametrize("name", STRIDES)
def test_strides_in_lists(name):
    memory, at, part = with_strides(name, "uint8")
    x = Interface(at, part.shape, "uint8", part.strides, memory)
    torch.cuda.synchronize()
    check(pixview.stack([x, x], layout="NHWC"), np.stack([part, part]))
    check(
        pixview.stack([x], to="cupy", scale=0.5), (part * np.float32(0.5)).transpose(2, 0, 1)[None]
    )
    check(pixview.unstack(x, to="gpumat")[0], part)
    check(pixview.copy_into(cp.zeros(part.shape, "uint8"), x), part)


def test_a_copy_into_flipped_memory():
    image = pixels(SHAPE)
    memory = cp.zeros(SHAPE, cp.uint8)
    flipped = memory[::-1, :, ::-1]
    pixview.copy_into(interface(flipped), cp.array(image))
    torch.cuda.synchronize()
    np.testing.assert_array_equal(memory.get(), image[::-1, :, ::-1])


# ---- empty ----


@each_result
@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3), (0, 5), (5, 0)])
@pytest.mark.parametrize("address", [0, 1])
def test_empty(shape, address, to):
    """Its address means nothing, and may be odd or none."""
    x = Interface(address, shape, "float32")
    for copy in (None, True):
        if to == "gpumat":
            found = pixview.as_gpumat(x, copy=copy)
            assert found.size() == (shape[1], shape[0])
            assert found.channels() == (shape[2] if len(shape) == 3 else 1)
            assert found.depth() == cv2.CV_32F
            continue
        layout = "HWC"[: len(shape)]
        keywords = {"layout": layout, "copy": True if to == "numpy" else copy}
        call = {
            "torch": pixview.as_torch,
            "cupy": pixview.as_cupy,
            "numpy": pixview.as_numpy,
            "image": pixview.view,
        }[to]
        found = call(x, **keywords)
        assert tuple(found.shape) == shape and str(found.dtype).endswith("float32")
