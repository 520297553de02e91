"""One image in memory, many views of it.

pixview lets an image be seen as an OpenCV ``cv2.cuda.GpuMat``, a PyTorch tensor, a CuPy array, a
NumPy array or a DLPack object without moving a pixel. Where a view is impossible it makes one copy.

    as_torch, as_cupy, as_numpy, as_gpumat    the same pixels as that type
    view                                      the same pixels as a ``pixview.Image``
    plan                                      "view" or "copy", and why; converts nothing
    from_pointer                              an Image over memory that you describe
    using_stream, stream_of                   one stream for torch, CuPy and OpenCV; whose is it?
    used_on                                   tells of a further stream that works on a view
    warm_up                                   loads the kernels before they are needed
    copy_into                                 copies pixels into an image that exists already
    stack, unstack                            many images as one converted batch, and back

Axes: ``layout`` speaks of the result, ``src_layout`` of the source; one of HW, CHW, HWC, NCHW,
NHWC. A torch tensor of rank 3 is C,H,W, everything else H,W,C. Strides are in bytes.

Memory: a view keeps its source alive. Nothing moves between host and GPU unless ``copy=True``.

Errors: all are a ``pixview.Error``; each is also the built-in type that fits (``LayoutError`` is a
ValueError, ``DtypeError`` a TypeError, and so on).

Importing pixview imports neither torch, CuPy, NumPy nor cv2, and makes no CUDA call.
"""

from ._core import (
    CudaError,
    DeviceError,
    DtypeError,
    Error,
    Image,
    LayoutError,
    Plan,
    ReadOnlyError,
    UnsupportedError,
    __version__,
    as_cupy,
    as_gpumat,
    as_numpy,
    as_torch,
    copy_into,
    from_pointer,
    plan,
    stack,
    stream_of,
    unstack,
    used_on,
    view,
    warm_up,
)
from ._using import using_stream

__all__ = [
    "CudaError",
    "DeviceError",
    "DtypeError",
    "Error",
    "Image",
    "LayoutError",
    "Plan",
    "ReadOnlyError",
    "UnsupportedError",
    "__version__",
    "as_cupy",
    "as_gpumat",
    "as_numpy",
    "as_torch",
    "copy_into",
    "from_pointer",
    "plan",
    "stream_of",
    "used_on",
    "using_stream",
    "stack",
    "unstack",
    "view",
    "warm_up",
]
