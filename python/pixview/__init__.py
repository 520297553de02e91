# SPDX-License-Identifier: Apache-2.0
"""One image in memory, seen by every framework without a copy.

pixview turns an OpenCV ``cv2.cuda.GpuMat``, a PyTorch tensor, a CuPy array, a NumPy array or a DLPack
object into each other without moving a pixel. Where a view is impossible, it makes one copy.

    as_torch, as_cupy, as_numpy, as_gpumat    the same pixels as an object of that library
    view                                      the same pixels as a ``pixview.Image``
    plan                                      would it be a view or a copy, and why? Converts nothing
    from_pointer                              an Image over memory at an address
    using_stream                              one stream for torch, CuPy and OpenCV in a block
    stream_of                                 the stream that an object's producer works on
    used_on                                   adds another stream that reads or writes a view
    warm_up                                   loads the kernels before the first frame
    copy_into                                 copies pixels into an existing image
    stack, unstack                            many images into one converted batch, and back
    placement                                 where an image goes on a canvas of another size
    video_frame, to_video_frame               frames of decoders as images, and images as frames
    share, Pool                               images that other processes open without a copy

Axes: ``layout`` is the axis order of the result, ``src_layout`` that of the source: HW, CHW, HWC, NCHW
or NHWC. By default a torch tensor of rank 3 is C,H,W, everything else H,W,C. Strides are in bytes.

Memory: a view keeps its source alive. Pixels move between host and GPU only with ``copy=True``.

Errors: each is a ``pixview.Error`` and a built-in type too: ``LayoutError`` is a ValueError,
``DtypeError`` a TypeError, and so on.

``import pixview`` imports no framework and makes no CUDA call.
"""

try:
    from ._core import (
        CudaError,
        DeviceError,
        DtypeError,
        Error,
        Image,
        LayoutError,
        Plan,
        Pool,
        ReadOnlyError,
        Share,
        ShareError,
        ShareTimeoutError,
        UnsupportedError,
        VideoFrame,
        __version__,
        as_cupy,
        as_gpumat,
        as_numpy,
        as_torch,
        copy_into,
        from_pointer,
        plan,
        share,
        stack,
        stream_of,
        to_video_frame,
        unstack,
        used_on,
        video_frame,
        view,
        warm_up,
    )
except ModuleNotFoundError:
    raise ImportError(
        f"pixview is not built in {__path__[0]}; if that is its source folder, run Python in another one"
    ) from None
from ._placement import Placement, Placements, placement
from ._using import using_stream

__all__ = [
    "CudaError",
    "DeviceError",
    "DtypeError",
    "Error",
    "Image",
    "LayoutError",
    "Placement",
    "Placements",
    "Plan",
    "Pool",
    "ReadOnlyError",
    "Share",
    "ShareError",
    "ShareTimeoutError",
    "UnsupportedError",
    "VideoFrame",
    "__version__",
    "as_cupy",
    "as_gpumat",
    "as_numpy",
    "as_torch",
    "copy_into",
    "from_pointer",
    "placement",
    "plan",
    "share",
    "stream_of",
    "to_video_frame",
    "used_on",
    "using_stream",
    "stack",
    "unstack",
    "video_frame",
    "view",
    "warm_up",
]
