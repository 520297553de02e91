# SPDX-License-Identifier: Apache-2.0
"""Every public call inside a graph capture, of torch's and of CuPy's: right at every replay, or refused with
the capture whole. A kernel of this module writes and reads the pixels, so that nothing rests on pixview."""

import contextlib
import copy
import gc
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from .util import address, convert, cp, cv2, make, np, pixels, pixview, settle, torch

pytestmark = pytest.mark.alone

SHAPE = (24, 33, 3)
SCALED = {"scale": 0.5, "mean": 2.0, "std": 4.0}  # exact in float32
PADDED = {"size": (29, 36), "pad_value": 7}


@pytest.fixture(autouse=True)
def no_graphs_left():
    """CuPy destroys a graph when it is collected, which ends a capture that is under way."""
    gc.collect()


MOVE = cp.RawKernel(
    r"""
extern "C" __global__ void move(const unsigned char *src, long long sn, long long sh, long long sw,
                                long long sc, unsigned char *dst, long long dn, long long dh,
                                long long dw, long long dc, long long n, long long h, long long w,
                                long long c, long long size, long long add)
{
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n * h * w * c)
        return;
    long long k = i % c, x = i / c % w, y = i / c / w % h, m = i / c / w / h;
    src += m * sn + y * sh + x * sw + k * sc;
    dst += m * dn + y * dh + x * dw + k * dc;
    for (long long b = 0; b < size; b++)
        dst[b] = (unsigned char)(src[b] + add);
}
""",
    "move",
)


# ---- pixels, without pixview ----


class End(NamedTuple):
    """Where pixels lie, as N,H,W,C; strides in bytes."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    size: int

    def packed_at(self, at: int) -> "End":
        n, h, w, c = self.shape
        return End(
            at, self.shape, tuple(self.size * s for s in (h * w * c, w * c, c, 1)), self.size
        )

    def nbytes(self) -> int:
        return math.prod(self.shape) * self.size


def end_of(x: Any, layout: str = "HWC") -> End:
    if isinstance(x, cv2.cuda.GpuMat):
        width, height = x.size()
        shape, size = (height, width, x.channels()), x.elemSize1()
        strides, layout = (x.step, x.elemSize(), size), "HWC"
    elif isinstance(x, torch.Tensor):
        shape, size = tuple(x.shape), x.element_size()
        strides = tuple(size * s for s in x.stride())
    else:
        shape, strides, size = x.shape, x.strides, np.dtype(x.dtype).itemsize
    if isinstance(x, pixview.Image):
        at, layout = x.ptr, x.layout
    else:
        at = address(x)
    axes = [layout.find(axis) for axis in "NHWC"]
    return End(
        at,
        tuple(1 if i < 0 else shape[i] for i in axes),
        tuple(0 if i < 0 else strides[i] for i in axes),
        size,
    )


def move(src: End, dst: End, add: int = 0) -> None:
    """On CuPy's current stream."""
    assert src.shape == dst.shape and src.size == dst.size
    numbers = [src.address, *src.strides, dst.address, *dst.strides, *src.shape, src.size, add]
    blocks = (math.prod(src.shape) + 255) // 256
    MOVE((blocks,), (256,), tuple(np.int64(number) for number in numbers))


# ---- captures ----


class TorchCapture:
    library, other = "torch", "cupy"

    def __init__(self):
        self.graph, self.stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
        self.handle = self.stream.cuda_stream

    def current(self):
        return torch.cuda.stream(self.stream)

    def capturing(self):
        return torch.cuda.graph(self.graph, stream=self.stream)  # in the mode that forbids most

    def replay(self):
        self.graph.replay()


class CupyCapture:
    library, other = "cupy", "torch"

    def __init__(self, non_blocking=True):
        self.stream = cp.cuda.Stream(non_blocking=non_blocking)
        self.handle = self.stream.ptr

    def current(self):
        return self.stream

    @contextlib.contextmanager
    def capturing(self):
        with self.stream:
            self.stream.begin_capture()
            try:
                yield
            finally:
                self.graph = self.stream.end_capture()

    def replay(self):
        self.graph.launch(self.stream)


CAPTURES = {
    "torch": TorchCapture,
    "CuPy": CupyCapture,
    "CuPy, blocking": lambda: CupyCapture(non_blocking=False),
}


class Memory:
    """What was there before the capture. The graph makes `base` = `static` + 1, and writes `out`."""

    def __init__(self, capture, kind):
        zeros = np.zeros(SHAPE, np.uint8)
        self.capture, self.own = capture, capture.library
        self.static, self.out = cp.zeros(SHAPE, cp.uint8), cp.zeros(1 << 16, cp.uint8)
        self.base = make(kind, zeros)
        self.into = {kind: make(kind, zeros) for kind in ("torch", "cupy", "gpumat")}
        self.batch = {
            "torch": torch.zeros((2, *SHAPE), dtype=torch.uint8, device="cuda"),
            "cupy": cp.zeros((2, *SHAPE), cp.uint8),
        }
        self.host = zeros.copy()
        self.side = torch.cuda.Stream()
        self.kept = []  # sources and results live as long as the graph
        torch.cuda.synchronize()

    def kernels(self):
        """This module's kernels run on the stream of the capture, whatever the mode."""
        return cp.cuda.ExternalStream(self.capture.handle)

    def write(self):
        with self.kernels():
            move(end_of(self.static), end_of(self.base), add=1)

    def read(self, result, layout):
        at = self.out.data.ptr
        for x in result if isinstance(result, list) else [result]:
            if type(x).__name__ == "PyCapsule":
                x = torch.utils.dlpack.from_dlpack(x)
            self.kept.append(x)
            end = end_of(x, layout)
            with self.kernels():
                move(end, end.packed_at(at))
            at += end.nbytes()


def hwc(x):
    return {"src_layout": "HWC"} if isinstance(x, torch.Tensor) else {}


def image_of(x):
    return pixview.view(x, **hwc(x))


def pointer_of(m):
    return pixview.from_pointer(address(m.base), SHAPE, "uint8", owner=m.base)


SOURCES = {  # the kind of the memory, and the object, which is made inside the capture
    "torch": ("torch", lambda m: m.base),
    "cupy": ("cupy", lambda m: m.base),
    "gpumat": ("gpumat", lambda m: m.base),
    "image of torch": ("torch", lambda m: image_of(m.base)),
    "image of cupy": ("cupy", lambda m: image_of(m.base)),
    "pointer": ("cupy", pointer_of),
}


# ---- calls that are captured ----


class Call(NamedTuple):
    run: Callable  # (m, x) -> whose pixels are read
    layout: str = "HWC"  # of a result of torch or CuPy
    pixels: Callable = lambda x: x[None]  # of the image -> N,H,W,C
    on: str = ""  # what has to be on the stream of the capture, besides the source
    copies: bool = False  # takes memory inside of the capture


def twice(x):
    return np.stack([x, x])


def scaled(x):
    return (twice(x) * np.float32(0.5) - np.float32(2)) / np.float32(4)


def padded(x):
    out = np.full((2, *PADDED["size"], 3), PADDED["pad_value"], np.uint8)
    out[:, : SHAPE[0], : SHAPE[1]] = x
    return out


def stacked(x, **keywords):
    return pixview.stack([x, x], **hwc(x), **keywords)


def planes_unstacked(m, x):
    planes = convert(x, m.own, layout="CHW", contiguous=True)
    m.kept.append(planes)
    return pixview.unstack(planes, to="gpumat", src_layout="CHW")


def batch_unstacked(m, x):
    batch = stacked(x, to=m.own)
    m.kept.append(batch)
    return pixview.unstack(batch, to="gpumat", src_layout="NCHW")


def used_on(m, x, stream):
    view = image_of(x)
    pixview.used_on(view, stream)
    return view


def stream_of(m, x):
    assert pixview.stream_of(x) == m.capture.handle
    return x


def plan(m, x):
    assert pixview.plan(x, "torch", **hwc(x), layout="HWC").kind == "view"
    return x


def warm_up(m, x):
    pixview.warm_up()
    return x


def in_a_block(m, x):
    """The capture's stream for everything: what a copy across the border of the capture needs."""
    with pixview.using_stream(m.capture.stream):
        m.kept.append(convert(x, m.capture.other, copy=True))
        pixview.copy_into(m.into["gpumat"], m.kept[-1], **hwc(m.kept[-1]))
        return m.into["gpumat"]


def pointer(m, x):
    end = end_of(x)
    return pixview.from_pointer(
        end.address, SHAPE, "uint8", strides=end.strides[1:], owner=x, stream=m.capture.stream
    )


def into(kind):
    return lambda m, x: pixview.copy_into(
        m.into[kind or m.own],
        x,
        **hwc(x),
        **({"dst_layout": "HWC"} if (kind or m.own) == "torch" else {}),
    )


def into_image(m, x):
    return pixview.copy_into(image_of(m.into[m.own]), x, **hwc(x))


def stacked_into_image(m, x):
    out = pixview.view(m.batch[m.own], src_layout="NHWC")
    assert stacked(x, out=out) is out
    return out


def capsule(m, x, **keywords):
    return image_of(x).__dlpack__(stream=m.capture.handle, **keywords)


def cropped(x):
    return x[None, 3:20, 5:30]


GOOD = Call(into(None))

CALLS = {
    "view": Call(lambda m, x: image_of(x)),
    "view planes": Call(
        lambda m, x: pixview.view(x, **hwc(x), layout="CHW", contiguous=True), copies=True
    ),
    "view copy": Call(lambda m, x: pixview.view(x, **hwc(x), copy=True), copies=True),
    "crop": Call(lambda m, x: image_of(x).crop(3, 5, 17, 25), pixels=cropped),
    "copy.copy": Call(lambda m, x: copy.copy(image_of(x))),
    "copy.deepcopy": Call(lambda m, x: copy.deepcopy(image_of(x)), copies=True),
    "dlpack": Call(capsule),
    "dlpack versioned": Call(lambda m, x: capsule(m, x, max_version=(1, 0))),
    "dlpack copy": Call(lambda m, x: capsule(m, x, copy=True), copies=True),
    "from_pointer": Call(pointer),
    "as_gpumat": Call(lambda m, x: convert(x, "gpumat")),
    "as_gpumat stream=": Call(lambda m, x: convert(x, "gpumat", stream=m.capture.stream)),
    "as_gpumat copy": Call(lambda m, x: convert(x, "gpumat", copy=True), on="gpumat", copies=True),
    "copy_into image": Call(into_image),
    "stack image": Call(
        lambda m, x: stacked(x, to="image", layout="NHWC"), pixels=twice, copies=True
    ),
    "stack gpumat": Call(
        lambda m, x: pixview.stack([x], to="gpumat", **hwc(x)), on="gpumat", copies=True
    ),
    "stack out image": Call(stacked_into_image, pixels=twice),
    "unstack image": Call(lambda m, x: pixview.unstack(x, to="image", **hwc(x))),
    "unstack image copy": Call(
        lambda m, x: pixview.unstack(x, to="image", copy=True, **hwc(x)), copies=True
    ),
    "unstack gpumat": Call(lambda m, x: pixview.unstack(x, to="gpumat", **hwc(x))),
    "unstack planes": Call(planes_unstacked, on="gpumat", copies=True),
    "unstack batch": Call(batch_unstacked, pixels=twice, on="gpumat", copies=True),
    "copy_into gpumat": Call(into("gpumat"), on="gpumat"),
    "used_on": Call(lambda m, x: used_on(m, x, m.capture.stream)),
    "used_on outside": Call(lambda m, x: used_on(m, x, m.side)),
    "stream_of": Call(stream_of),
    "plan": Call(plan),
    "warm_up": Call(warm_up),
    "using_stream": Call(in_a_block, copies=True),
}


def calls_of(kind, planes):
    """The calls whose result is of torch or of CuPy; `planes`: the axes of an unstacked image."""
    return {
        f"as_{kind}": Call(lambda m, x: convert(x, kind), on=kind),
        f"as_{kind} planes": Call(
            lambda m, x: convert(x, kind, layout="CHW", contiguous=True),
            "CHW",
            on=kind,
            copies=True,
        ),
        f"as_{kind} copy": Call(lambda m, x: convert(x, kind, copy=True), on=kind, copies=True),
        f"copy_into {kind}": Call(into(kind), on=kind),
        f"stack {kind}": Call(lambda m, x: stacked(x, to=kind), "NCHW", twice, kind, True),
        f"stack {kind} scaled": Call(
            lambda m, x: stacked(x, to=kind, **SCALED), "NCHW", scaled, kind, True
        ),
        f"stack {kind} padded": Call(
            lambda m, x: stacked(x, to=kind, layout="NHWC", **PADDED), "NHWC", padded, kind, True
        ),
        f"stack out {kind}": Call(
            lambda m, x: stacked(x, out=m.batch[kind], layout="NHWC"), "NHWC", twice, kind
        ),
        f"unstack {kind}": Call(
            lambda m, x: pixview.unstack(x, to=kind, **hwc(x)), planes, on=kind
        ),
        f"unstack {kind} copy": Call(
            lambda m, x: pixview.unstack(x, to=kind, copy=True, **hwc(x)),
            planes,
            on=kind,
            copies=True,
        ),
    }


CALLS |= calls_of("torch", "CHW") | calls_of("cupy", "HWC")


# ---- the tests ----


@pytest.fixture(scope="module", autouse=True)
def warm():
    pixview.warm_up()


@contextlib.contextmanager
def no_collections():
    """A graph of CuPy's that is collected inside of a capture would break it."""
    settle()
    cp.get_default_memory_pool().free_all_blocks()  # what is taken inside is taken from the driver
    torch.cuda.empty_cache()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def block(m, mode):
    """One stream for everything, or the capture's library alone on it."""
    return pixview.using_stream(m.capture.stream) if mode == "joined" else contextlib.nullcontext()


def queue(m, source, call):
    m.write()
    x = SOURCES[source][1](m)
    m.kept.append(x)
    result = call.run(m, x)
    m.kept.append(result)
    m.read(result, call.layout)


def check(m, call, replay):
    """Twice, with new inputs: the result is made anew each time, from what is there then."""
    for seed in (1, 2):
        image = pixels(SHAPE, seed=seed)
        m.static.set(image)
        m.out.fill(0xEE)
        torch.cuda.synchronize()
        replay()
        torch.cuda.synchronize()
        expected = call.pixels(image + np.uint8(1))
        found = m.out.get()[: expected.nbytes].view(expected.dtype).reshape(expected.shape)
        np.testing.assert_array_equal(found, expected)


def check_without_capture(m, mode, source, call):
    """The same calls on the same stream; and kernels are loaded now."""

    def run():
        with m.capture.current(), block(m, mode):
            queue(m, source, call)

    check(m, call, run)
    m.kept.clear()


def memory(kind, source):
    return Memory(CAPTURES[kind](), SOURCES[source][0])


def own_of(kind):
    return "torch" if kind == "torch" else "cupy"


def joined():
    return [(k, "joined", s) for k in CAPTURES for s in ("torch", "cupy", "gpumat", "pointer")]


def alone():
    return [(k, "alone", s) for k in CAPTURES for s in (own_of(k), f"image of {own_of(k)}")]


def captured():
    return [
        (kind, mode, source, name)
        for kind, mode, source in joined() + alone()
        for name, call in CALLS.items()
        if mode == "joined" or call.on in ("", own_of(kind))
    ]


@pytest.mark.parametrize(("kind", "mode", "source", "name"), captured())
def test_captured(kind, mode, source, name):
    """Memory inside of a capture of CuPy's, which has no pool for that, may be refused by name."""
    call, m = CALLS[name], memory(kind, source)
    refusable = call.copies and m.own == "cupy"
    check_without_capture(m, mode, source, call)
    refused = None
    with no_collections(), m.capture.capturing(), block(m, mode):
        try:
            queue(m, source, call)
        except pixview.CudaError as error:
            if not refusable:
                raise
            refused = str(error)
            queue(m, source, GOOD)
    assert refused is None or "capture" in refused
    check(m, GOOD if refused else call, m.capture.replay)
    m.kept.clear()  # before the graph


def check_refused(m, mode, source, refuse):
    """The error of the call; what is captured after it is in the graph, and right."""
    check_without_capture(m, mode, source, GOOD)
    with no_collections(), m.capture.capturing(), block(m, mode):
        m.write()
        x = SOURCES[source][1](m)
        with pytest.raises((pixview.Error, MemoryError)) as e:
            refuse(m, x)
        queue(m, source, GOOD)
    check(m, GOOD, m.capture.replay)
    return e.value


REFUSED = {  # the CUDA error, or None for one that the driver has no part in
    "as_numpy copy": (900, lambda m, x: convert(x, "numpy", copy=True)),
    "as_numpy": (None, lambda m, x: convert(x, "numpy")),
    "as_cupy upload": (900, lambda m, x: pixview.as_cupy(m.host, copy=True)),
    "as_gpumat upload": (900, lambda m, x: pixview.as_gpumat(m.host, copy=True)),
    "copy_into download": (900, lambda m, x: pixview.copy_into(m.host, x, **hwc(x))),
    "copy_into upload": (900, lambda m, x: into(None)(m, m.host)),
    "dlpack download": (900, lambda m, x: image_of(x).__dlpack__(dl_device=(1, 0))),
    "tobytes": (None, lambda m, x: image_of(x).tobytes()),
    "stack numpy": (None, lambda m, x: stacked(x, to="numpy")),
    "stream outside": (905, lambda m, x: pixview.view(image_of(x), stream=m.side)),
    "stream outside, copy": (
        905,
        lambda m, x: pixview.view(image_of(x), stream=m.side, copy=True),
    ),
    "dlpack outside": (905, lambda m, x: image_of(x).__dlpack__(stream=m.side)),
    "used_on an int outside": (905, lambda m, x: used_on(m, x, m.side.cuda_stream)),
    "stack outside": (
        905,
        lambda m, x: stacked(image_of(x), to="image", stream=m.side),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize(("kind", "mode", "source"), joined())
def test_refused(kind, mode, source, name):
    code, refuse = REFUSED[name]
    error = check_refused(memory(kind, source), mode, source, refuse)
    assert isinstance(error, pixview.CudaError) == (code is not None), error
    assert code is None or error.code == code, error


ELSEWHERE = {  # the results are not on the stream of the capture: done once, and by no replay
    "as_other copy": lambda m, x: convert(x, m.capture.other, copy=True),
    "copy_into other": lambda m, x: into(m.capture.other)(m, x),
    "copy_into gpumat": lambda m, x: into("gpumat")(m, x),
    "copy_into image": lambda m, x: pixview.copy_into(image_of(m.into["gpumat"]), x, **hwc(x)),
    "stack other": lambda m, x: stacked(x, to=m.capture.other),
    "stack out other": lambda m, x: stacked(x, out=m.batch[m.capture.other], layout="NHWC"),
    "unstack other copy": lambda m, x: pixview.unstack(x, to=m.capture.other, copy=True, **hwc(x)),
}


@pytest.mark.parametrize("name", ELSEWHERE)
@pytest.mark.parametrize(("kind", "mode", "source"), alone())
def test_a_copy_out_of_the_capture(kind, mode, source, name):
    error = check_refused(memory(kind, source), mode, source, ELSEWHERE[name])
    if kind == "CuPy, blocking" and isinstance(error, MemoryError):
        return  # torch's allocator asks the legacy stream whether it captures, and gives up
    assert isinstance(error, pixview.CudaError) and error.code == 905, error
    assert "using_stream" in str(error)


@pytest.mark.parametrize(("kind", "mode", "source"), joined())
def test_host_memory(kind, mode, source):
    """Calls without a GPU in them do not notice the capture, nor it them."""
    m = memory(kind, source)
    check_without_capture(m, mode, source, GOOD)
    host = pixels(SHAPE)
    with no_collections(), m.capture.capturing(), block(m, mode):
        found = [
            pixview.as_torch(host, layout="HWC").numpy(),
            pixview.as_torch(host, layout="HWC", copy=True).numpy(),
            pixview.as_numpy(host, copy=True),
            np.asarray(pixview.view(host, copy=True)),
            pixview.stack([host], to="numpy", layout="NHWC")[0],
            pixview.unstack(host[None], to="numpy", copy=True)[0],
            np.asarray(pixview.copy_into(np.zeros_like(host), host)),
        ]
        queue(m, source, GOOD)
    for array in found:
        np.testing.assert_array_equal(array, host)
    check(m, GOOD, m.capture.replay)


@pytest.mark.parametrize("to", ["own", "gpumat"])
@pytest.mark.parametrize("kind", CAPTURES)
def test_pinned_memory(kind, to):
    """An upload from it does not wait: each replay reads what is there then."""
    m = memory(kind, "torch")
    pinned = torch.zeros(SHAPE, dtype=torch.uint8).pin_memory()
    to = m.own if to == "own" else to
    call = Call(lambda m, x: into(to)(m, pinned), pixels=lambda x: x[None] - np.uint8(1))

    def replay(run):
        pinned.numpy()[:] = m.static.get()
        run()

    with m.capture.current(), block(m, "joined"):
        check(m, call, lambda: replay(lambda: queue(m, "torch", call)))
    m.kept.clear()
    with no_collections(), m.capture.capturing(), block(m, "joined"):
        queue(m, "torch", call)
    check(m, call, lambda: replay(m.capture.replay))
