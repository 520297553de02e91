# SPDX-License-Identifier: Apache-2.0
"""Checked, never run: what a type checker has to make of pixview, with torch and NumPy installed.

Every `type: ignore` is an error that has to be found; one that is not needed fails too.
"""

from __future__ import annotations

import ctypes
from typing import Any, Literal

import numpy as np
import pixview
import torch
import torch.utils.dlpack
from typing_extensions import assert_type


class Exporter:
    """A producer as libraries write them."""

    def __dlpack__(self, stream: int | None = None) -> object:
        raise NotImplementedError

    def __dlpack_device__(self) -> tuple[int, int]:
        raise NotImplementedError


class CudaArray:
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        raise NotImplementedError


class CoreStream:
    def __cuda_stream__(self) -> tuple[int, int]:
        return (0, 0)


def results(
    array: np.ndarray[Any, np.dtype[np.uint8]], tensor: torch.Tensor, image: pixview.Image
) -> None:
    assert_type(pixview.as_torch(array), torch.Tensor)
    assert_type(pixview.as_numpy(tensor), np.ndarray[Any, Any])
    assert_type(pixview.view(tensor), pixview.Image)
    assert_type(pixview.copy_into(tensor, array), torch.Tensor)
    assert_type(pixview.copy_into(image, array), pixview.Image)
    assert_type(pixview.plan(tensor, "numpy"), pixview.Plan)


def sources(
    array: np.ndarray[Any, Any], tensor: torch.Tensor, parameter: torch.nn.Parameter
) -> None:
    for source in (
        Exporter(),
        CudaArray(),
        pixview.view(array),
        bytearray(12),
        memoryview(b""),
        (ctypes.c_uint8 * 5 * 4)(),
        array,
        tensor,
        parameter,
    ):
        pixview.view(source)
    pixview.view(array.__dlpack__())


def keywords(tensor: torch.Tensor, stream: torch.cuda.Stream) -> None:
    pixview.as_torch(
        tensor, layout="HWC", src_layout="CHW", copy=True, contiguous=True, allow_readonly=True
    )
    for given in (None, 0, -1, stream, CoreStream()):
        pixview.view(tensor, stream=given)
    pixview.view(tensor, layout="NCHW", src_layout="HW", copy=None, stream=stream)
    pixview.from_pointer(4096, (4, 5), "uint8")
    pixview.from_pointer(
        4096, [4, 5, 3], np.uint8, strides=[16, 3, 1], layout="HWC", device="cuda:1"
    )
    pixview.from_pointer(
        4096, (4, 5), torch.float16, device=("cuda", 0), owner=tensor, readonly=True
    )


def streams(tensor: torch.Tensor, stream: torch.cuda.Stream) -> None:
    with pixview.using_stream(stream):
        assert_type(pixview.stream_of(tensor), int)
    pixview.used_on(tensor, stream)
    pixview.warm_up()
    pixview.warm_up("cuda:1")
    pixview.using_stream("legacy")  # type: ignore[arg-type]
    pixview.used_on(tensor, "legacy")  # type: ignore[arg-type]
    pixview.stream_of(5)  # type: ignore[arg-type]


def attributes(image: pixview.Image) -> None:
    assert_type(image.shape, tuple[int, ...])
    assert_type(image.strides, tuple[int, ...])
    assert_type(image.layout, Literal["HW", "CHW", "HWC", "NCHW", "NHWC"])
    assert_type(image.device, tuple[Literal["cuda", "cpu"], int])
    assert_type(image.nbytes, int)
    assert_type(image.readonly, bool)
    assert_type(image.owner, object)
    assert_type(image.crop(0, 0, h=2, w=3), pixview.Image)
    assert_type(image.__dlpack_device__(), tuple[int, int])
    image.__dlpack__(1)
    image.__dlpack__(stream=1, max_version=(1, 0), dl_device=(1, 0), copy=None)
    np.asarray(image)
    np.from_dlpack(image)
    torch.utils.dlpack.from_dlpack(image)
    memoryview(image)


def plans(tensor: torch.Tensor) -> None:
    plan = pixview.plan(tensor, "torch", layout="HWC", src_layout="CHW", contiguous=True)
    assert_type(plan.kind, Literal["view", "copy"])
    assert_type(plan.reason, str)
    kind, reason = plan
    assert_type(kind, Literal["view", "copy"])
    assert_type(reason, str)


def errors() -> None:
    try:
        pixview.view(b"")
    except pixview.CudaError as error:
        assert_type(error.code, int)
        assert_type(error.name, str)
    for kind in (
        pixview.LayoutError,
        pixview.DtypeError,
        pixview.DeviceError,
        pixview.ReadOnlyError,
        pixview.UnsupportedError,
    ):
        base: type[pixview.Error] = kind
        del base
    value: type[ValueError] = pixview.LayoutError
    wrong: type[ValueError] = pixview.DtypeError  # type: ignore[assignment]
    del value, wrong


def processes(tensor: torch.Tensor, array: np.ndarray[Any, Any]) -> None:
    pool = pixview.Pool((480, 640, 3), "uint8", 4, device="cuda:0", layout="HWC")
    assert_type(pool.get(timeout=1.5, stream=0), pixview.Image)
    assert_type(pool.copy(tensor, src_layout="CHW"), pixview.Image)
    assert_type(pool.idle, int)
    share = pixview.share(array, copy=True, keep=None)
    assert_type(share, pixview.Share)
    assert_type(share.open(device=1, timeout=2), pixview.Image)
    assert_type(share.plan().kind, Literal["view", "copy"])
    late: type[TimeoutError] = pixview.ShareTimeoutError
    del late
    pixview.Pool(480, "uint8", 4)  # type: ignore[arg-type]
    pixview.Pool((480, 640), "uint8")  # type: ignore[call-arg]
    pixview.share(array, layout="WHC")  # type: ignore[arg-type]
    pixview.share(share)  # type: ignore[arg-type]
    share.open(1)  # type: ignore[call-arg]
    share.pid = 1  # type: ignore[misc]


def mistakes(tensor: torch.Tensor, image: pixview.Image) -> None:
    pixview.as_torch(tensor, layout="WHC")  # type: ignore[arg-type]
    pixview.as_torch(tensor, src_layout="RGB")  # type: ignore[arg-type]
    pixview.as_torch(tensor, "HWC")  # type: ignore[call-arg]
    pixview.as_torch()  # type: ignore[call-arg]
    pixview.as_torch(tensor, copy="no")  # type: ignore[arg-type]
    pixview.view(tensor, allow_readonly=True)  # type: ignore[call-arg]
    pixview.plan(tensor, "tensor")  # type: ignore[arg-type]
    pixview.plan(tensor)  # type: ignore[call-arg]
    pixview.view(5)  # type: ignore[arg-type]
    pixview.as_numpy([[1, 2], [3, 4]])  # type: ignore[arg-type]
    pixview.as_torch(tensor, stream="legacy")  # type: ignore[arg-type]
    pixview.as_torch(tensor, stream=1.5)  # type: ignore[arg-type]
    pixview.copy_into(5, tensor)  # type: ignore[type-var]
    pixview.from_pointer("4096", (4, 5), "uint8")  # type: ignore[arg-type]
    pixview.from_pointer(4096, 20, "uint8")  # type: ignore[arg-type]
    image.shape = (4, 5)  # type: ignore[misc]
    image.owner = None  # type: ignore[misc]
    image.crop(0, 0)  # type: ignore[call-arg]
    print(image.nothing)  # type: ignore[attr-defined]
    pixview.warp(image)  # type: ignore[attr-defined]

    class Sub(pixview.Image):  # type: ignore[misc]
        pass


def video(tensor: torch.Tensor, array: np.ndarray[Any, Any], frame: pixview.VideoFrame) -> None:
    made = pixview.video_frame(array, format="NV12", matrix="bt709", range="limited")
    assert_type(made, pixview.VideoFrame)
    assert_type(made.planes, tuple[pixview.Image, ...])
    assert_type(pixview.video_frame(frame, copy=True), pixview.VideoFrame)
    pixview.video_frame((tensor, tensor), format="NV12", matrix="bt601", range="full")
    pixview.video_frame(((4096, 640), (8192, 640)), format="P010", size=(4, 6), device="cuda:0")
    assert_type(pixview.as_torch(frame), torch.Tensor)
    batch = pixview.stack([frame, tensor], size=(640, 640), fit="letterbox")  # pyright: ignore[reportUnknownMemberType]
    assert_type(batch, torch.Tensor)
    assert_type(pixview.copy_into(frame, tensor), pixview.VideoFrame)
    assert_type(pixview.to_video_frame(tensor, out=frame), pixview.VideoFrame)
    assert_type(pixview.to_video_frame(tensor, out=[frame]), list[pixview.VideoFrame])
    pixview.to_video_frame(
        tensor, format="P010", matrix="bt2020", range="limited", siting="top-left"
    )
    pixview.video_frame(frame, matrix="bt710")  # type: ignore[arg-type]
    pixview.video_frame(5)  # type: ignore[arg-type]
    frame.crop(0, 0)  # type: ignore[call-arg]
