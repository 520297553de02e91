# SPDX-License-Identifier: Apache-2.0
"""What the fault sweep calls: every entry point of pixview, and what an Image shows.

Each case is a C function with its arguments ready, so that no Python frame runs where memory fails:
CPython itself loses objects there.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pixview
from exchange import CurrentStream, FromPy, table_of
from support import Versioned, address, call_deleter, image, wrap

SHAPE = (6, 5, 3)


@dataclass
class Case:
    name: str
    call: Callable[[], Any]
    watched: list[Any] = field(default_factory=list)  # their reference counts stay
    written: Any = None  # a destination: it holds what it held, or all of the result
    python: bool = False  # Python code of another library runs: its frames lose objects
    errors: tuple[type[BaseException], ...] = (MemoryError,)
    after: Callable[[], Any] | None = None  # gives back what the result does not own
    force: dict[str, Any] = field(default_factory=dict)  # of pixview._core._force


class World:
    """The objects that the cases read. Memory of the fake driver's GPU is host memory."""

    def __init__(self, lib: ctypes.CDLL) -> None:
        self.lib = lib
        self.kept: list[Any] = []
        self.stream = lib.fake_stream(0)

    def gpu_array(self, *shape: int) -> np.ndarray[Any, Any]:
        array = image(*shape)
        self.lib.fake_register(array.ctypes.data, array.nbytes, 0)
        self.kept.append(array)
        return array

    def gpu(self, *shape: int, **keywords: Any) -> pixview.Image:
        array = self.gpu_array(*shape)
        keywords = {"owner": array, "device": 0} | keywords
        return pixview.from_pointer(array.ctypes.data, array.shape, "uint8", **keywords)


def image_cases(w: World) -> Iterator[Case]:
    """What an Image shows, and pixview's other small calls."""
    host = image(*SHAPE)
    on_host, on_gpu = pixview.view(host), w.gpu(*SHAPE)
    for name in (
        "shape strides layout dtype device nbytes readonly owner ptr __array_interface__"
    ).split():
        if hasattr(on_host, name):
            yield Case(f"Image.{name}", partial(getattr, on_host, name), [host, on_host])
    yield Case(
        "Image.__cuda_array_interface__", partial(getattr, on_gpu, "__cuda_array_interface__")
    )
    yield Case("repr(Image)", partial(repr, on_host), [on_host])
    yield Case("Image.crop", partial(on_host.crop, 1, 1, 2, 2), [on_host, host])
    yield Case("Image.crop on a GPU", partial(on_gpu.crop, 1, 1, 2, 2), [on_gpu])
    yield Case("memoryview(Image)", partial(memoryview, on_host), [on_host])
    yield Case("Image.tobytes()", partial(bytes, on_host), [on_host])
    yield Case("Image.__array__", partial(on_host.__array__), [on_host])
    yield Case("np.asarray(Image)", partial(np.asarray, on_host), [on_host], python=True)
    yield Case("Image.__dlpack_device__", on_gpu.__dlpack_device__, [on_gpu])
    forms: dict[str, dict[str, Any]] = {
        "legacy": {},
        "versioned": {"max_version": (1, 3)},
        "copy": {"max_version": (1, 3), "copy": True},
        "legacy copy": {"copy": True},
    }
    for name, keywords in forms.items():
        yield Case(f"__dlpack__ {name}", partial(on_host.__dlpack__, **keywords), [on_host, host])
        yield Case(f"__dlpack__ {name}, GPU", partial(on_gpu.__dlpack__, **keywords), [on_gpu])
        on = partial(on_gpu.__dlpack__, stream=w.stream, **keywords)
        yield Case(f"__dlpack__ {name}, GPU, stream", on, [on_gpu])
    down = partial(on_gpu.__dlpack__, max_version=(1, 3), dl_device=(1, 0))
    yield Case("__dlpack__ download", down, [on_gpu])
    yield Case("_doctor", pixview._core._doctor)
    yield Case("warm_up", partial(pixview.warm_up, 0))
    yield Case("stream_of", partial(pixview.stream_of, on_gpu), [on_gpu])
    yield Case("_stream_facts", partial(pixview._core._stream_facts, w.stream))
    push = partial(pixview._core._push_stream, w.stream, 0, None)
    yield Case("using_stream", push, after=pixview._core._pop_stream)


def exchange_cases(w: World) -> Iterator[Case]:
    ours = table_of(pixview.Image)
    from_py, current = FromPy(ours.from_py), CurrentStream(ours.current_work_stream)
    on_host = pixview.view(image(*SHAPE))
    out = ctypes.c_void_p()

    def delete() -> None:
        call_deleter(Versioned.from_address(out.value or 0))

    errors = (MemoryError, ctypes.ArgumentError)
    export = partial(from_py, id(on_host), ctypes.addressof(out))
    yield Case("exchange table, from_py", export, [on_host], errors=errors, after=delete)
    stream = partial(current, 2, 0, ctypes.addressof(out))
    yield Case("exchange table, stream", stream, errors=errors)


def sources(w: World, torch: Any) -> dict[str, Any]:
    host = image(*SHAPE)
    planar = torch.from_numpy(image(3, 6, 5))
    shown = SimpleNamespace(__array_interface__=host.__array_interface__, kept=host)
    return {
        "NumPy": host,
        "NumPy backwards": host[::-1],
        "tensor": planar,
        "tensor H,W,C": torch.from_numpy(host).permute(2, 0, 1),
        "Image": pixview.view(host),
        "buffer": memoryview(host),
        "read-only buffer": memoryview(host.tobytes()).cast("B", SHAPE),
        "array interface": shown,
    }


def conversion_cases(w: World, torch: Any) -> Iterator[Case]:
    for name, x in sources(w, torch).items():
        watched = [x]
        for call in (pixview.as_torch, pixview.as_numpy, pixview.view):
            for copy in (None, True):
                made = partial(call, x, copy=copy)
                yield Case(f"{call.__name__}({name}, copy={copy})", made, watched)
        yield Case(f"plan({name})", partial(pixview.plan, x, "torch", contiguous=True), watched)
    host, planar = image(*SHAPE), torch.from_numpy(image(3, 6, 5))
    capsules = itertools.starmap(pixview.view(host).__dlpack__, itertools.repeat(()))
    yield Case("view(capsule)", partial(next, map(pixview.view, capsules)), [host])
    on_gpu, array = w.gpu(*SHAPE), w.gpu_array(*SHAPE)
    pinned = image(*SHAPE)
    w.lib.fake_register(pinned.ctypes.data, pinned.nbytes, -1)
    w.kept.append(pinned)
    shown = SimpleNamespace(__cuda_array_interface__=on_gpu.__cuda_array_interface__)
    yield Case("view(CUDA array interface)", partial(pixview.view, shown), [shown, on_gpu])
    yield Case("view(GPU, copy)", partial(pixview.view, on_gpu, copy=True), [on_gpu])
    yield Case("view(GPU, stream)", partial(pixview.view, on_gpu, stream=w.stream), [on_gpu])
    yield Case("as_torch(GPU)", partial(pixview.as_torch, on_gpu), [on_gpu])
    yield Case("as_numpy(GPU)", partial(pixview.as_numpy, on_gpu, copy=True), [on_gpu])
    used = pixview.view(on_gpu)
    yield Case("used_on", partial(pixview.used_on, used, w.stream), [used, on_gpu])
    tensor = pixview.as_torch(on_gpu)
    yield Case("view(CUDA tensor)", partial(pixview.view, tensor), [tensor])
    yield Case("used_on(tensor)", partial(pixview.used_on, tensor, w.stream), [tensor])
    at = address(on_gpu)
    pointer = partial(pixview.from_pointer, at, SHAPE, "uint8", device=0, owner=array)
    yield Case("from_pointer", pointer, [array])
    yield Case(
        "from_pointer, stream",
        partial(pixview.from_pointer, at, SHAPE, np.dtype("u1"), stream=w.stream, owner=array),
        [array],
    )
    for name, dst, src in [
        ("host", np.zeros(SHAPE, np.uint8), host),
        ("tensor", torch.zeros(3, 6, 5, dtype=torch.uint8), host),
        ("upload", on_gpu, host),
        ("pinned upload", on_gpu, pinned),
        ("download", np.zeros(SHAPE, np.uint8), on_gpu),
        ("GPU", w.gpu(*SHAPE), on_gpu),
    ]:
        copied = partial(pixview.copy_into, dst, src)
        # torch counts the write in Python, and turns its MemoryError into another.
        errors = (MemoryError, pixview.UnsupportedError) if name == "tensor" else (MemoryError,)
        yield Case(
            f"copy_into, {name}", copied, [dst, src], dst, python=name == "tensor", errors=errors
        )
    for call in (pixview.as_numpy, pixview.view):
        yield Case(
            f"{call.__name__}(tensor), by attributes",
            partial(call, planar),
            [planar],
            errors=(MemoryError, pixview.UnsupportedError),  # stride() hides its MemoryError
            force={"torch_table": False},
        )


def list_cases(w: World, torch: Any) -> Iterator[Case]:
    few = [image(*SHAPE) for _ in range(3)]
    many = [image(2, 2, 3) for _ in range(100)]  # more than a batch has room for by itself
    mixed = [
        few[0],
        torch.from_numpy(few[1]).permute(2, 0, 1),
        pixview.view(few[2]),
        memoryview(few[0]),
    ]
    on_gpu = [w.gpu(*SHAPE) for _ in range(3)]
    streams = [w.lib.fake_stream(0) for _ in range(20)]  # and more streams than it has room for
    spread = [pixview.view(w.gpu(2, 2, 3), stream=s) for s in streams]
    for to in ("torch", "numpy", "image"):
        for name, images in (("few", few), ("many", many), ("mixed", mixed)):
            call = partial(pixview.stack, images, to=to, scale=1 / 255, mean=(0.5, 0.4, 0.3))
            yield Case(f"stack({name}, to={to})", call, [images, *images[:4]])
    for name, images in (("GPU", on_gpu), ("streams", spread)):
        yield Case(f"stack({name})", partial(pixview.stack, images, to="image"), [images, *images])
    out = np.zeros((3, 3, 6, 5), np.uint8)
    yield Case("stack(out=)", partial(pixview.stack, few, out=out), [*few, out], written=out)
    gpu_out = w.gpu(3, 3, 6, 5, layout="NCHW")
    yield Case(
        "stack(GPU, out=)", partial(pixview.stack, on_gpu, out=gpu_out), on_gpu, written=gpu_out
    )
    batch = image(40, 3, 6, 5)
    for to in ("torch", "numpy", "image"):
        call = partial(pixview.unstack, batch, to=to, src_layout="NCHW")
        yield Case(f"unstack(to={to})", call, [batch])
    yield Case("unstack(GPU)", partial(pixview.unstack, gpu_out, to="image", copy=True), [gpu_out])


def cupy_cases(w: World, cupy: Any) -> Iterator[Case]:
    array = w.gpu_array(*SHAPE)
    memory = cupy.cuda.UnownedMemory(array.ctypes.data, array.nbytes, array, 0)
    x = cupy.ndarray(SHAPE, "u1", cupy.cuda.MemoryPointer(memory, 0))
    on_gpu = w.gpu(*SHAPE)
    made = [
        ("as_cupy(Image)", partial(pixview.as_cupy, on_gpu)),
        ("as_cupy(Image, copy)", partial(pixview.as_cupy, on_gpu, copy=True)),
        ("view(CuPy)", partial(pixview.view, x)),
        ("as_torch(CuPy)", partial(pixview.as_torch, x)),
        ("used_on(CuPy)", partial(pixview.used_on, pixview.as_cupy(on_gpu), w.stream)),
        ("stack(CuPy)", partial(pixview.stack, [x, on_gpu], to="cupy")),
        ("copy_into(CuPy)", partial(pixview.copy_into, x, on_gpu)),
    ]
    for name, call in made:
        yield Case(name, call, python=True)


def gpumat_cases(w: World, cv2: Any) -> Iterator[Case]:
    on_gpu = w.gpu(*SHAPE)
    mat = wrap(cv2, w.gpu_array(*SHAPE))
    tensor = pixview.as_torch(on_gpu)
    made: list[tuple[str, Callable[[], Any], list[Any]]] = [
        ("as_gpumat(Image)", partial(pixview.as_gpumat, on_gpu), [on_gpu]),
        ("as_gpumat(tensor)", partial(pixview.as_gpumat, tensor), [tensor]),
        ("view(GpuMat)", partial(pixview.view, mat), [mat]),
        ("as_torch(GpuMat)", partial(pixview.as_torch, mat), [mat]),
        ("stack(GpuMats)", partial(pixview.stack, [mat] * 40, to="image"), [mat]),
        ("unstack(GpuMats)", partial(pixview.unstack, w.gpu(3, *SHAPE), to="gpumat"), []),
        ("copy_into(GpuMat)", partial(pixview.copy_into, mat, on_gpu), [mat, on_gpu]),
        ("used_on(GpuMat)", partial(pixview.used_on, pixview.as_gpumat(on_gpu), w.stream), []),
        ("stream_of(GpuMat)", partial(pixview.stream_of, mat), [mat]),
        ("plan(GpuMat)", partial(pixview.plan, mat, "torch"), [mat]),
    ]
    for name, call, watched in made:
        yield Case(name, call, watched)
    # Read by cv2's public calls. The one that makes a GpuMat crashes by itself without memory.
    for name, call, watched in made[2:4]:
        yield Case(f"{name}, public", call, watched, force={"gpumat": "public"})


class DecodedFrame:
    """As PyNvVideoCodec's."""

    format = SimpleNamespace(name="NV12")
    decoder_stream_event = 0

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = array
        shown = {"shape": (4, 6, 1), "stream": 0}
        self.shown = [SimpleNamespace(__cuda_array_interface__=shown)]
        self.cuda = partial(list, self.shown)
        self.GetPtrToPlane = [array.ctypes.data, array.ctypes.data + 24].__getitem__
        self.__dlpack_device__ = partial(tuple, (2, 0))


def video_cases(w: World, torch: Any) -> Iterator[Case]:
    words: dict[str, Any] = {"format": "NV12", "matrix": "bt709", "range": "limited"}
    y, uv, whole, rgb = image(4, 6), image(2, 3, 2), image(6, 6), image(4, 6, 3)
    tensor = torch.from_numpy(image(6, 6))
    frame = pixview.video_frame((y, uv), **words)
    on_gpu = pixview.video_frame(w.gpu(6, 6), **words)
    pairs = ((y.ctypes.data, 6), (uv.ctypes.data, 6))
    plane = SimpleNamespace(buffer_ptr=y.ctypes.data, line_size=6)
    named = SimpleNamespace(name="gray")
    decoded = type("VideoFrame", (), {})()
    decoded.format, decoded.planes, decoded.height, decoded.width = named, (plane,), 4, 6
    decoded.colorspace, decoded.color_range = 1, 1
    made: list[tuple[str, Any, dict[str, Any]]] = [
        ("planes", (y, uv), words),
        ("a list", [y, uv], words),
        ("one array", whole, words),
        ("a tensor", tensor, words),
        ("U and V apart", (y, uv[..., 0], uv[..., 1]), words),
        ("addresses", pairs, words | {"size": (4, 6), "device": "cpu"}),
        ("a VideoFrame", frame, {}),
        ("PyAV", decoded, {}),
        ("PyNvVideoCodec", DecodedFrame(w.gpu_array(6, 6)), words),
        ("GPU", w.gpu(6, 6), words),
    ]
    for name, x, keywords in made:
        for copy in (False, True):
            call = partial(pixview.video_frame, x, copy=copy, **keywords)
            yield Case(f"video_frame({name}, copy={copy})", call, [x])
    for name in "planes format height width matrix range bit_depth order device stream".split():
        yield Case(f"VideoFrame.{name}", partial(getattr, on_gpu, name), [on_gpu])
    yield Case("repr(VideoFrame)", partial(repr, frame), [frame])
    yield Case("VideoFrame.crop", partial(frame.crop, 2, 2, 2, 2), [frame])
    yield Case("VideoFrame.cuda", on_gpu.cuda, [on_gpu])
    yield Case("used_on(VideoFrame)", partial(pixview.used_on, on_gpu, w.stream), [on_gpu])
    for call in (pixview.as_torch, pixview.as_numpy, pixview.view):
        yield Case(f"{call.__name__}(VideoFrame)", partial(call, frame), [frame])
    yield Case("plan(VideoFrame)", partial(pixview.plan, frame, "torch"), [frame])
    for to in ("torch", "numpy", "image"):
        call = partial(pixview.stack, [frame, rgb, frame], to=to, scale=1 / 255)
        yield Case(f"stack(frames, to={to})", call, [frame, rgb])
    rois = [[(1, 1, 2, 2), (0, 3, 2, 2)], [(2, 2, 2, 2)]]
    parts = partial(pixview.stack, [frame, rgb], to="numpy", rois=rois, size=(3, 3), fit="stretch")
    yield Case("stack(regions of frames)", parts, [frame, rgb])
    dst = np.zeros((4, 6, 3), np.uint8)
    yield Case("copy_into(image, frame)", partial(pixview.copy_into, dst, frame), [frame], dst)
    batch = image(3, 4, 6, 3)
    words = {"format": "YUV420P", "matrix": "bt601", "range": "full"}
    for name, x in (("image", rgb), ("batch", batch)):
        call = partial(pixview.to_video_frame, x, mean=(1, 2, 3), std=2, **words)
        yield Case(f"to_video_frame({name})", call, [x])
    out = pixview.video_frame(
        np.zeros((6, 6), np.uint8), format="NV12", matrix="bt601", range="full"
    )
    shown = out.planes[0]
    yield Case("to_video_frame(out=)", partial(pixview.to_video_frame, rgb, out=out), [out], shown)
    yield Case(
        "to_video_frame(out=[])", partial(pixview.to_video_frame, rgb, out=[out]), [out], shown
    )
    yield Case("copy_into(frame, image)", partial(pixview.copy_into, out, rgb), [out, rgb], shown)


def share_cases(w: World) -> Iterator[Case]:
    """In one process. Whatever is refused has its number in the ledger, its memory and its frame back."""
    host = image(*SHAPE)
    allocate = w.lib.fake_malloc_shared
    allocate.restype, allocate.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_size_t]
    malloced = pixview.from_pointer(allocate(0, 4096), SHAPE, "uint8", device=0, owner=host)
    w.kept.append(malloced)
    for device in ("cpu", "cuda"):
        make = partial(pixview.Pool, SHAPE, "uint8", 2, device=device)
        yield Case(f"Pool({device})", make)
        pool = make()
        w.kept.append(pool)
        yield Case(f"Pool.get, {device}", partial(pool.get, timeout=5), [pool])
        # copy_into is called as Python calls it.
        yield Case(f"Pool.copy, {device}", partial(pool.copy, host, timeout=5), [pool, host])
        frame = pool.copy(host)
        share = pixview.share(frame, keep=0.01)
        yield Case(f"share(frame), {device}", partial(pixview.share, frame), [frame])
        yield Case(f"share(crop), {device}", partial(pixview.share, frame.crop(1, 1, 2, 2)))
        yield Case(f"Share.__reduce__, {device}", share.__reduce__, [share])
        yield Case(f"Share.open, {device}", share.open, [share])
        yield Case(f"Share.plan, {device}", share.plan, [share])
        yield Case(f"repr(Share), {device}", partial(repr, share), [share])
        data = share.__reduce__()[1][0]
        received = partial(pixview._core._share_from_bytes, data)
        yield Case(f"a share that is declined, {device}", received)
        for name in "shape layout dtype device nbytes pid unopened".split():
            yield Case(f"Share.{name}, {device}", partial(getattr, share, name), [share])
        for name in "shape layout dtype device frames idle".split():
            yield Case(f"Pool.{name}, {device}", partial(getattr, pool, name), [pool])
        yield Case(f"repr(Pool), {device}", partial(repr, pool), [pool])
    yield Case("share(a copy)", partial(pixview.share, host), [host])
    yield Case("share(memory of cudaMalloc)", partial(pixview.share, malloced), [malloced])
    on_gpu = w.gpu(*SHAPE)
    yield Case("share(GPU, copy=True)", partial(pixview.share, on_gpu, copy=True), [on_gpu])
    opened = pixview.share(malloced, keep=1).open()
    yield Case("share(what was opened)", partial(pixview.share, opened), [opened])
    yield Case("pickle of a GPU Image", partial(frame.__reduce_ex__, 4), [frame])
