# SPDX-License-Identifier: Apache-2.0
"""The extension: everything that pixview exports except ``using_stream``. Strides are in bytes.

Common arguments
    x           a GpuMat, torch tensor, CuPy array, NumPy array, ``Image``, ``VideoFrame``, or any object with
                ``__dlpack_c_exchange_api__``, ``__dlpack__``, ``__cuda_array_interface__``,
                ``__array_interface__`` or the buffer protocol.
    layout      axis order of the result. None: the default of its type and rank. torch: HW, CHW or
                NCHW. Others: HW, HWC or NHWC. ``view``: the order of x. A GpuMat of one channel: HW.
    src_layout  axis order of x. None: the default of its type and rank. An ``Image`` has its own.
    copy        None: copy only if a view is impossible. False: raise instead of copying. True: always
                copy. Only True moves pixels between host and GPU.
    contiguous  True: copy unless the view is C-contiguous in ``layout``.
    allow_readonly  True: return a writable alias of read-only memory. False: copy it.
    stream      the stream of a GpuMat, an Image or a raw pointer, which have no current stream. None:
                the legacy default stream (for an Image its own). An int handle, a stream object, or
                -1: order nothing.

Errors of every function
    LayoutError       the result cannot have this shape, these strides or this axis order
    DtypeError        the result's library has no such element type
    DeviceError       the pixels are on a device that the call cannot use
    ReadOnlyError     ``copy=False``, and the result cannot mark memory as read-only
    UnsupportedError  x implements no known protocol; the message lists those tried
    CudaError         a driver call failed; ``.code`` and ``.name`` say how
"""

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from typing import (
    Any,
    ClassVar,
    Final,
    Literal,
    Protocol,
    SupportsIndex,
    SupportsInt,
    TypeAlias,
    TypedDict,
    TypeVar,
    final,
    overload,
)

import cv2
import numpy
import torch
from typing_extensions import Buffer, CapsuleType, NotRequired

from ._placement import Placements

_Layout: TypeAlias = Literal["HW", "CHW", "HWC", "NCHW", "NHWC"]
_Target: TypeAlias = Literal["torch", "cupy", "numpy", "gpumat", "image"]

_Matrix: TypeAlias = Literal["bt601", "bt709", "bt2020", "smpte240m", "opencv"]
_Range: TypeAlias = Literal["limited", "full", "tv", "mpeg", "pc", "jpeg"]

# CuPy 14.2 has no types. Named here, it would make pyright treat all overloads as Unknown.
_CupyArray: TypeAlias = Any

# Protocols instead of classes: without the library its classes are Any, and one Any in a union accepts
# everything.
class _GpuMat(Protocol):
    def cudaPtr(self) -> int: ...
    def elemSize1(self) -> int: ...

class _SupportsExchange(Protocol):
    @property
    def __dlpack_c_exchange_api__(self) -> object: ...

class _SupportsDLPack(Protocol):
    # Any signature, because producers take different keywords.
    @property
    def __dlpack__(self) -> Any: ...
    @property
    def __dlpack_device__(self) -> Any: ...

class _SupportsCudaArray(Protocol):
    @property
    def __cuda_array_interface__(self) -> Mapping[str, Any]: ...

class _SupportsArray(Protocol):
    @property
    def __array_interface__(self) -> Mapping[str, Any]: ...

_Source: TypeAlias = (
    _GpuMat
    | _SupportsExchange
    | _SupportsDLPack  # also torch, CuPy and NumPy
    | _SupportsCudaArray
    | _SupportsArray
    | Buffer
    | CapsuleType
    | VideoFrame
)
"""The types of ``x``."""

class _OpencvStream(Protocol):
    def cudaPtr(self) -> int: ...
    def waitForCompletion(self) -> None: ...

class _CudaStream(Protocol):
    def __cuda_stream__(self) -> tuple[int, int]: ...

class _TorchStream(Protocol):
    @property
    def cuda_stream(self) -> int: ...

class _CupyStream(Protocol):
    @property
    def ptr(self) -> int: ...

_Stream: TypeAlias = SupportsIndex | _OpencvStream | _CudaStream | _TorchStream | _CupyStream | None
"""None: the legacy default stream. -1: no ordering."""

# A dtype of NumPy, torch or CuPy, a type that NumPy reads as a dtype, a name ("uint8") or a typestr ("|u1").
_Dtype: TypeAlias = numpy.dtype[Any] | torch.dtype | type[Any] | str
_Device: TypeAlias = SupportsIndex | str | tuple[str, int] | None
_T = TypeVar("_T", bound=_Source)
_Out = TypeVar("_Out", bound=_Source)
_Frames = TypeVar("_Frames", bound=VideoFrame | list[VideoFrame])

__version__: str

class Error(Exception):
    """Base class of pixview's errors about images, devices and objects."""

class LayoutError(Error, ValueError, BufferError):
    """The result cannot have this shape, these strides or this axis order."""

class DtypeError(Error, TypeError):
    """The result's library has no such element type, or the two ends have different ones."""

class DeviceError(Error, RuntimeError):
    """The pixels are on a device that the call cannot use. The message names the call to use."""

class ReadOnlyError(Error, BufferError):
    """A writable result of read-only memory."""

class CudaError(Error, RuntimeError):
    """A call to the CUDA driver failed."""

    code: int
    """CUresult, such as 209."""
    name: str
    """Name of the code, such as ``CUDA_ERROR_NO_BINARY_FOR_GPU``."""

class UnsupportedError(Error, TypeError):
    """The object implements no protocol that pixview reads, or its memory cannot be shared."""

class ShareError(Error, RuntimeError):
    """An image of another process that cannot be opened, or one that cannot be shared now."""

class ShareTimeoutError(ShareError, TimeoutError):
    """No frame of a Pool became free in time."""

@final
class Image:
    """An image in host or GPU memory. ``view`` and ``from_pointer`` return one.

    It exports DLPack, and the NumPy or the CUDA array interface for its device. NumPy, torch, CuPy,
    Numba and JAX read it directly. It keeps its source alive.
    """

    __dlpack_c_exchange_api__: ClassVar[CapsuleType]
    """The DLPack C exchange table (DLPack 1.3), for consumers written in C."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents in the order of ``layout``."""
    @property
    def layout(self) -> _Layout:
        """Names of the axes of ``shape`` and ``strides``."""
    @property
    def dtype(self) -> numpy.dtype[Any] | Literal["bfloat16"]:
        """A NumPy dtype, or the string "bfloat16", which NumPy lacks."""
    @property
    def strides(self) -> tuple[int, ...]:
        """In bytes, in the order of ``layout``. Never None."""
    @property
    def device(self) -> tuple[Literal["cuda", "cpu"], int]:
        """``("cuda", index)`` or ``("cpu", 0)``."""
    @property
    def nbytes(self) -> int:
        """Bytes of all pixels, without padding between rows."""
    @property
    def ptr(self) -> int:
        """Address of the first element; 0 if the image is empty. Valid while the Image lives."""
    @property
    def readonly(self) -> bool:
        """True if the memory may not be written."""
    @property
    def owner(self) -> object:
        """The Python object that this Image keeps alive. None if it keeps none alive, or if it holds
        DLPack's or OpenCV's own reference count instead."""
    def crop(self, y: int, x: int, h: int, w: int) -> Image:
        """A view of h rows and w columns from row y, column x.

        Raises LayoutError if the rectangle is not inside the image.
        """
    def tobytes(self) -> bytes:
        """The elements, dense in the order of ``layout``: a copy. DeviceError for GPU memory."""
    def __copy__(self) -> Image:
        """Another Image over the same memory."""
    def __deepcopy__(self, memo: dict[int, Any], /) -> Image:
        """An Image over a dense, writable copy of the memory, on the same device."""
    @property
    def __array_interface__(self) -> dict[str, Any]:
        """For host memory. On a GPU an AttributeError."""
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """For GPU memory. In host memory an AttributeError."""
    def __array__(self, dtype: Any = None, *, copy: bool | None = None) -> numpy.ndarray[Any, Any]:
        """For NumPy. Raises DeviceError for GPU memory."""
    def __dlpack__(
        self,
        stream: _Stream | None = None,
        *,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> CapsuleType:
        """A DLPack capsule (array API 2024.12) that keeps the memory alive.

        Without ``max_version`` the capsule is a legacy one. It has no read-only flag, so read-only
        memory raises BufferError. ``stream`` waits for the Image's own stream: None or 1 (legacy), 2,
        a handle, a stream object, or -1 for no ordering. ``dl_device=(1, 0)`` downloads GPU memory and waits for it;
        with ``copy=False`` that raises BufferError.
        """
    def __dlpack_device__(self) -> tuple[int, int]:
        """(device type, device id), in DLPack's codes."""
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class Plan(tuple[Literal["view", "copy"], str]):
    """What a conversion would do: ``kind, reason = pixview.plan(...)``."""

    n_fields: Final = 2
    n_sequence_fields: Final = 2
    n_unnamed_fields: Final = 0
    __match_args__: Final = ("kind", "reason")

    @property
    def kind(self) -> Literal["view", "copy"]:
        """ "view" shares the memory of the source, "copy" does not."""
    @property
    def reason(self) -> str:
        """Why a copy is needed. "" for a view."""

def as_torch(
    x: _Source,
    *,
    layout: _Layout | None = None,
    src_layout: _Layout | None = None,
    copy: bool | None = None,
    contiguous: bool = False,
    allow_readonly: bool = False,
    stream: _Stream = None,
) -> torch.Tensor:
    """The pixels of x as a torch tensor on the same device, C,H,W by default.

    A view keeps x's memory alive. Imports torch.
    """

def as_cupy(
    x: _Source,
    *,
    layout: _Layout | None = None,
    src_layout: _Layout | None = None,
    copy: bool | None = None,
    contiguous: bool = False,
    allow_readonly: bool = False,
    stream: _Stream = None,
) -> _CupyArray:
    """The pixels of x as a CuPy array, H,W,C by default.

    Host memory raises DeviceError; ``copy=True`` uploads it. Imports CuPy.
    """

def as_numpy(
    x: _Source,
    *,
    layout: _Layout | None = None,
    src_layout: _Layout | None = None,
    copy: bool | None = None,
    contiguous: bool = False,
    allow_readonly: bool = False,
    stream: _Stream = None,
) -> numpy.ndarray[Any, Any]:
    """The pixels of x as a NumPy array, H,W,C by default.

    GPU memory raises DeviceError; ``copy=True`` downloads it. Imports NumPy.
    """

def as_gpumat(
    x: _Source,
    *,
    src_layout: _Layout | None = None,
    copy: bool | None = None,
    allow_readonly: bool = False,
    stream: _Stream = None,
) -> cv2.cuda.GpuMat:
    """The pixels of x as an OpenCV GpuMat.

    It is a view if the pixels are interleaved: channel stride = itemsize, pixel stride =
    C * itemsize, any row pitch. Otherwise it is one copy. Host memory raises DeviceError; ``copy=True``
    uploads it. Imports cv2.
    """

def view(
    x: _Source,
    *,
    layout: _Layout | None = None,
    src_layout: _Layout | None = None,
    copy: bool | None = None,
    contiguous: bool = False,
    stream: _Stream = None,
) -> Image:
    """The pixels of x as an ``Image``. Imports nothing."""

def plan(
    x: _Source,
    to: _Target,
    *,
    layout: _Layout | None = None,
    src_layout: _Layout | None = None,
    contiguous: bool = False,
) -> Plan:
    """Would the conversion of x be a view or a copy, and why? Converts nothing."""

def from_pointer(
    ptr: SupportsIndex | SupportsInt | ctypes.c_void_p,
    shape: Sequence[SupportsIndex],
    dtype: _Dtype,
    *,
    strides: Sequence[SupportsIndex] | None = None,
    layout: _Layout | None = None,
    device: _Device = None,
    owner: object = None,
    stream: _Stream = None,
    readonly: bool = False,
) -> Image:
    """An ``Image`` over the memory at address ``ptr``.

    ptr: address of the first element: an integer, ctypes.c_void_p, or an object with __int__.
    shape: 2 to 4 extents. strides: in bytes; None: packed.
    dtype: a NumPy, torch or CuPy dtype, or a string.
    device: an int ordinal, "cpu", "cuda", "cuda:1" or ("cuda", 1). None: the GPU that the driver
    names for ptr.
    owner: an object that the Image and its views keep alive. None: the caller keeps the memory alive.
    """

def copy_into(
    dst: _T,
    src: _Source,
    *,
    dst_layout: _Layout | None = None,
    src_layout: _Layout | None = None,
    stream: _Stream = None,
) -> _T:
    """Copy the pixels of src into dst and return dst. Axes are matched by name.

    Values are not converted: unequal extents raise LayoutError, unequal dtypes DtypeError. A VideoFrame as src
    becomes R, G and B of uint8; as dst it is written from them.
    """

# Without the library its classes are Any, so the objects of decoders are recognised by an attribute.
class _PyavFrame(Protocol):
    @property
    def color_range(self) -> int: ...
    @property
    def planes(self) -> tuple[Any, ...]: ...

class _NvcodecFrame(Protocol):
    # A method; each release names its argument otherwise.
    @property
    def GetPtrToPlane(self) -> Any: ...
    @property
    def decoder_stream_event(self) -> int: ...

class _TorchcodecFrame(Protocol):
    @property
    def pixel_format(self) -> str: ...
    @property
    def planes(self) -> tuple[torch.Tensor, ...]: ...

class _ValiSurface(Protocol):
    @property
    def Planes(self) -> Any: ...
    @property
    def Format(self) -> Any: ...

_Decoded: TypeAlias = (
    _PyavFrame
    | _NvcodecFrame
    | _TorchcodecFrame
    | _ValiSurface
    | _Source
    | Sequence[_Source]
    | Sequence[tuple[SupportsIndex | ctypes.c_void_p | SupportsInt, SupportsIndex]]
)

@final
class VideoFrame:
    """A decoded video frame: planes of Y, U and V in host or GPU memory, with what their colours mean.

    ``video_frame`` and ``to_video_frame`` return one. It goes wherever an image goes, as 8-bit R, G and B,
    made in one pass. It keeps its source alive.
    """

    @property
    def planes(self) -> tuple[Image, ...]:
        """Images over the planes: Y as H,W; U and V in turns as H,W,2; U and V apart as H,W."""
    @property
    def format(self) -> str:
        """Its format: "NV12", "P010", "YUV420P10", ..."""
    @property
    def height(self) -> int:
        """Rows of pixels."""
    @property
    def width(self) -> int:
        """Columns of pixels."""
    @property
    def matrix(self) -> _Matrix | None:
        """None for a gray frame that has none."""
    @property
    def range(self) -> Literal["limited", "full"]:
        """Which values its samples use."""
    @property
    def bit_depth(self) -> int:
        """Bits of a sample's value: 8, 10, 12 or 16."""
    @property
    def order(self) -> Literal["RGB", "BGR"]:
        """The order of its channels as an image."""
    @property
    def device(self) -> tuple[Literal["cuda", "cpu"], int]:
        """``("cuda", index)`` or ``("cpu", 0)``."""
    @property
    def stream(self) -> int | None:
        """The handle of its stream; 0 is the legacy one, -1 none. None in host memory."""
    def crop(self, y: int, x: int, h: int, w: int) -> VideoFrame:
        """A view of h rows and w columns from row y, column x.

        LayoutError if the rectangle is not inside the frame, or begins inside a group of pixels that share
        U and V. The ``rois`` of ``stack`` may begin anywhere.
        """
    def cuda(self) -> list[Any]:
        """Its planes as PyNvVideoCodec's encoder takes them. DeviceError in host memory."""

def video_frame(
    x: _Decoded,
    *,
    format: str | None = None,
    matrix: _Matrix | None = None,
    range: _Range | None = None,
    order: Literal["RGB", "BGR"] = "RGB",
    size: Sequence[int] | None = None,
    chroma: Literal["nearest"] = "nearest",
    device: _Device = None,
    copy: bool = False,
    stream: _Stream = None,
) -> VideoFrame:
    """A decoder's frame as a ``VideoFrame`` over the same planes.

    ``x``: a frame of PyAV, PyNvVideoCodec, torchcodec (RawFrame), VALI (Surface) or SPDL; a tuple of planes;
    one array (H*3/2, W) of all planes; a tuple of (address, pitch in bytes) with ``size`` and ``device``; a
    VideoFrame. ``format``, ``matrix`` and ``range`` are never guessed: what ``x`` does not say raises
    LayoutError unless it is passed, and what is passed wins. ``size``: (H, W) of what shows. ``copy``:
    memory of its own, so that the decoder may write its surface again.
    """

@overload
def to_video_frame(
    images: _Source,
    *,
    format: str = "NV12",
    matrix: _Matrix | None = None,
    range: _Range | None = None,
    order: Literal["RGB", "BGR"] = "RGB",
    siting: Literal["left", "center", "top-left"] = "left",
    scale: _Number | None = None,
    mean: _Numbers | None = None,
    std: _Numbers | None = None,
    src_layout: _Layout | None = None,
    stream: _Stream = None,
    out: None = None,
) -> Any:
    """An image of 3 channels as a ``VideoFrame`` for an encoder, or a batch as a list of them.

    Values are 0 to 255, clipped, of any type that ``stack`` converts. ``scale``, ``mean``, ``std``: the
    numbers that ``stack`` was given, which are undone. ``siting``: where U and V lie among their pixels.
    New frames are one piece of memory each, on the device of ``images``, with the other planes behind Y.
    """

@overload
def to_video_frame(
    images: _Source,
    *,
    siting: Literal["left", "center", "top-left"] = "left",
    scale: _Number | None = None,
    mean: _Numbers | None = None,
    std: _Numbers | None = None,
    src_layout: _Layout | None = None,
    stream: _Stream = None,
    out: _Frames,
) -> _Frames:
    """Into frames that exist, which have their own format, matrix and range."""

@final
class Share:
    """An image that other processes open. ``share`` makes one; it travels as a pickle.

    It holds the image. A pickle of it is for one receiver, and holds the image until that one opens it or
    drops it unopened, for ``keep`` seconds at most. A receiver that pickles it unopened passes it on.
    """

    def open(self, *, device: _Device = None, stream: _Stream = None, timeout: float = 10) -> Image:
        """The image as an ``Image`` over the same memory. May be called again.

        device: the GPU that will read it, by default the one that it is on; another one maps the memory, or
        gets one copy where it cannot (``plan`` tells). Unused for host memory.
        stream: on which it is used first: waits for what the sender had queued.
        timeout: seconds for an answer of the other process.

        The memory goes back when the last view is dropped and what ``stream`` has queued by then is done.
        ShareError if the sender is gone, has let go of the image, is of another host or user, or does not
        answer; DeviceError if its GPU is not visible.
        """
    def plan(self, *, device: _Device = None) -> Plan:
        """What ``open(device=device)`` would do, and why."""
    def close(self) -> None:
        """Stop holding the image, as dropping the Share does. What was opened stays."""
    @property
    def shape(self) -> tuple[int, ...]:
        """Extents in the order of ``layout``."""
    @property
    def layout(self) -> _Layout:
        """Names of the axes of ``shape``."""
    @property
    def dtype(self) -> numpy.dtype[Any] | Literal["bfloat16"]:
        """A NumPy dtype, or the string "bfloat16", which NumPy lacks."""
    @property
    def device(self) -> tuple[Literal["cuda", "cpu"], int]:
        """``("cuda", index)`` as this process numbers it, -1 if it is not visible; or ``("cpu", 0)``."""
    @property
    def nbytes(self) -> int:
        """Bytes of the pixels."""
    @property
    def pid(self) -> int:
        """The process that shared it."""
    @property
    def unopened(self) -> int:
        """How many pickles of it are on their way. 0 in another process."""

def share(
    x: _Source,
    *,
    layout: _Layout | None = None,
    src_layout: _Layout | None = None,
    copy: bool | None = None,
    keep: float | None = 60.0,
    stream: _Stream = None,
) -> Share:
    """``x`` for another process of this machine and user.

    Memory of a ``Pool`` is shared as it is; GPU memory of OpenCV, CuPy and torch's default allocators too, by a
    CUDA IPC handle. Other host memory is copied once.
    copy: None copies host memory alone. True also GPU memory that cannot be shared: expandable segments,
    stream-ordered pools, managed memory. False never copies.
    keep: seconds that a pickle holds the image until it is opened; None: for ever.
    stream: as for ``view``. What it has queued so far comes before the opener's work.

    The image is held while the Share, a pickle on its way, or another process has it. UnsupportedError
    names memory that cannot be shared; ShareError if too much is shared, or the system refuses.
    """

@final
class Pool:
    """Frames of one kind, in one piece of memory that is made to be shared with other processes.

    A frame is free again when its Image and all views, its Shares and their pickles are gone, and every
    process that opened it has let go.
    """

    def __new__(
        cls,
        shape: Sequence[SupportsIndex],
        dtype: _Dtype,
        frames: SupportsIndex,
        *,
        device: _Device = "cpu",
        layout: _Layout | None = None,
    ) -> Pool:
        """shape: extents in the order of layout, by default H,W, H,W,C or N,H,W,C. frames: 1 to 1024."""
    def get(self, *, timeout: float | None = None, stream: _Stream = None) -> Image:
        """A frame that nobody uses, writable; its pixels are anything.

        Waits for one, ``timeout`` seconds at most (ShareTimeoutError); None: for ever.
        """
    def copy(
        self,
        x: _Source,
        *,
        timeout: float | None = None,
        src_layout: _Layout | None = None,
        stream: _Stream = None,
    ) -> Image:
        """A frame with the pixels of x, as ``copy_into`` would copy them."""
    def close(self) -> None:
        """Give no more frames, as dropping the Pool does. Its memory goes with the last frame."""
    @property
    def shape(self) -> tuple[int, ...]:
        """Extents of a frame, in the order of ``layout``."""
    @property
    def layout(self) -> _Layout:
        """Names of the axes of ``shape``."""
    @property
    def dtype(self) -> numpy.dtype[Any] | Literal["bfloat16"]:
        """A NumPy dtype, or the string "bfloat16", which NumPy lacks."""
    @property
    def device(self) -> tuple[Literal["cuda", "cpu"], int]:
        """``("cuda", index)`` or ``("cpu", 0)``."""
    @property
    def frames(self) -> int:
        """How many there are."""
    @property
    def idle(self) -> int:
        """How many of them nobody uses now."""

def stream_of(x: _Source, /) -> int:
    """The handle of the stream that x's producer works on. 0 is the legacy default stream.

    A tensor or CuPy array: the current stream of torch or CuPy on its GPU. An ``Image``: its own. A
    GpuMat: the legacy one, or that of the ``using_stream`` block. -1: x names no stream, its data is
    ready. Raises DeviceError for host memory.
    """

def used_on(view: _Source, stream: _Stream) -> None:
    """Add a stream that reads or writes a view, besides the two of the conversion.

    When the last view is dropped, the memory's stream waits for the work that ``stream`` has queued
    by then. The host does not wait. The call itself orders nothing. For a tensor of torch's own
    memory it calls ``record_stream``. Raises UnsupportedError if view is not a view by pixview,
    DeviceError for host memory, CudaError if the driver does not know the stream.
    """

def warm_up(device: _Device = 0) -> None:
    """Make the context and an event and load the kernels before the first frame. May be repeated.

    device: an ordinal, "cuda:1" or ("cuda", 1). Raises DeviceError if there is no such GPU, and
    CudaError if there is no driver or no kernel for this GPU.
    """

def _placement(
    source_hw: Sequence[int],
    size: Sequence[int],
    fit: str | None,
    align: str,
    scaleup: bool,
    stride: int | None,
    /,
) -> tuple[
    int, int, int, int, tuple[float, float, float, float], float, float, tuple[int, int]
]: ...
def _stream_facts(stream: _Stream) -> tuple[int, int | None, object]:
    """The handle and the GPU; None for a default stream, which every GPU has."""

def _push_stream(handle: int, device: int | None, stream: object, /) -> None: ...
def _pop_stream() -> None: ...

_Number: TypeAlias = float | Any  # or a NumPy or torch scalar
_Fit: TypeAlias = Literal["stretch", "letterbox", "cover"]
_Interpolation: TypeAlias = Literal[
    "linear", "nearest", "area", "pil-bilinear", "pil-bicubic", "pil-lanczos"
]
# (y, x, h, w) for each image, or a sequence of them for each.
_Rois: TypeAlias = (
    Sequence[Sequence[int]] | Sequence[Sequence[Sequence[int]]] | numpy.ndarray[Any, Any]
)
_Numbers: TypeAlias = _Number | Sequence[float] | Any  # or an array

@overload
def stack(
    images: Iterable[_Source] | _Source,
    *,
    to: Literal["torch"] = "torch",
    layout: Literal["NCHW", "NHWC"] = "NCHW",
    src_layout: _Layout | None = None,
    dtype: _Dtype | None = None,
    scale: _Number | None = None,
    mean: _Numbers | None = None,
    std: _Numbers | None = None,
    swap_rb: bool = False,
    size: Sequence[int] | None = None,
    pad_value: _Number = 0,
    fit: _Fit | None = None,
    align: Literal["center", "top-left"] = "center",
    scaleup: bool = True,
    stride: int | None = None,
    interpolation: _Interpolation = "linear",
    rois: _Rois | None = None,
    channels: int | None = None,
    return_placements: Literal[False] = False,
    out: None = None,
    stream: _Stream = None,
) -> torch.Tensor:
    """Convert many images into one batch: on a GPU in one kernel launch.

    images: a sequence or iterator of images of any type, which may be mixed, or one batch of 4 axes.
    All have one element type, one device and, without size=, one size. A VideoFrame counts as a uint8
    image of 3 channels, with values of 0 to 255 at every depth.
    to, layout: type and axis order of the result. "gpumat" takes a single image only. The result is
    where the images are, on their GPU or in host memory: there is no device=.
    src_layout: axis order of every image.
    swap_rb: exchange channels 0 and 2 first (C must be 3 or 4).
    scale, mean, std: (pixel * scale - mean) / std, computed as one fused multiply-add in float32.
    mean and std are one number, or one per channel of the result.
    dtype: float16, bfloat16, float32, uint8 (rounds half to even, saturates, NaN becomes 0) or the
    images' own. None: their own, or float32 if scale, mean or std is given.
    size: (H, W) of the result, the canvas. A smaller image lies at the top left, the rest is pad_value,
    in units of the images and normalised like a pixel.
    fit: resize each image to the canvas: "stretch" each axis by itself, "letterbox" keeping the ratio and
    padding (the numbers of ultralytics' LetterBox), "cover" keeping it and cutting off (torchvision's Resize
    and CenterCrop). align: "center" or "top-left". scaleup=False: smaller images keep their size.
    stride: for "letterbox": the canvas is the smallest that loses only whole strides of padding.
    interpolation: for 8-bit images the bytes of "linear" and "nearest" are those of cv2.resize, of
    "pil-bilinear", "pil-bicubic" and "pil-lanczos" those of Pillow 13 (uint8 only); "area" is the mean of
    what a pixel covers.
    rois: (y, x, h, w) for each image, or a sequence of them for each: those regions are stacked, in order.
    channels: only that many, the first, of each pixel.
    return_placements: return (batch, Placements): where each image lies, and the way back for boxes.
    out: an existing batch to write into and return; ``to`` is then ignored. layout describes it (an
    Image has its own). It must have the result's dtype and be on the images' device.
    stream: the stream of GpuMats, Images and raw pointers among images and out.

    All errors are raised before any work is queued, and out is then unchanged. LayoutError: no
    images; unequal sizes (the message names the first that differs); a mean or std of a wrong length,
    zero or not finite; overlap with out. Also DtypeError, DeviceError, ReadOnlyError and
    UnsupportedError.
    """

@overload
def stack(
    images: Iterable[_Source] | _Source,
    *,
    to: Literal["cupy"],
    layout: Literal["NCHW", "NHWC"] = "NCHW",
    src_layout: _Layout | None = None,
    dtype: _Dtype | None = None,
    scale: _Number | None = None,
    mean: _Numbers | None = None,
    std: _Numbers | None = None,
    swap_rb: bool = False,
    size: Sequence[int] | None = None,
    pad_value: _Number = 0,
    fit: _Fit | None = None,
    align: Literal["center", "top-left"] = "center",
    scaleup: bool = True,
    stride: int | None = None,
    interpolation: _Interpolation = "linear",
    rois: _Rois | None = None,
    channels: int | None = None,
    return_placements: Literal[False] = False,
    out: None = None,
    stream: _Stream = None,
) -> _CupyArray: ...
@overload
def stack(
    images: Iterable[_Source] | _Source,
    *,
    to: Literal["numpy"],
    layout: Literal["NCHW", "NHWC"] = "NCHW",
    src_layout: _Layout | None = None,
    dtype: _Dtype | None = None,
    scale: _Number | None = None,
    mean: _Numbers | None = None,
    std: _Numbers | None = None,
    swap_rb: bool = False,
    size: Sequence[int] | None = None,
    pad_value: _Number = 0,
    fit: _Fit | None = None,
    align: Literal["center", "top-left"] = "center",
    scaleup: bool = True,
    stride: int | None = None,
    interpolation: _Interpolation = "linear",
    rois: _Rois | None = None,
    channels: int | None = None,
    return_placements: Literal[False] = False,
    out: None = None,
    stream: _Stream = None,
) -> numpy.ndarray[Any, Any]: ...
@overload
def stack(
    images: Iterable[_Source] | _Source,
    *,
    to: Literal["gpumat"],
    layout: Literal["NCHW", "NHWC"] = "NCHW",
    src_layout: _Layout | None = None,
    dtype: _Dtype | None = None,
    scale: _Number | None = None,
    mean: _Numbers | None = None,
    std: _Numbers | None = None,
    swap_rb: bool = False,
    size: Sequence[int] | None = None,
    pad_value: _Number = 0,
    fit: _Fit | None = None,
    align: Literal["center", "top-left"] = "center",
    scaleup: bool = True,
    stride: int | None = None,
    interpolation: _Interpolation = "linear",
    rois: _Rois | None = None,
    channels: int | None = None,
    return_placements: Literal[False] = False,
    out: None = None,
    stream: _Stream = None,
) -> cv2.cuda.GpuMat: ...
@overload
def stack(
    images: Iterable[_Source] | _Source,
    *,
    to: Literal["image"],
    layout: Literal["NCHW", "NHWC"] = "NCHW",
    src_layout: _Layout | None = None,
    dtype: _Dtype | None = None,
    scale: _Number | None = None,
    mean: _Numbers | None = None,
    std: _Numbers | None = None,
    swap_rb: bool = False,
    size: Sequence[int] | None = None,
    pad_value: _Number = 0,
    fit: _Fit | None = None,
    align: Literal["center", "top-left"] = "center",
    scaleup: bool = True,
    stride: int | None = None,
    interpolation: _Interpolation = "linear",
    rois: _Rois | None = None,
    channels: int | None = None,
    return_placements: Literal[False] = False,
    out: None = None,
    stream: _Stream = None,
) -> Image: ...
@overload
def stack(
    images: Iterable[_Source] | _Source,
    *,
    out: _Out,
    to: _Target = "torch",
    layout: Literal["NCHW", "NHWC"] = "NCHW",
    src_layout: _Layout | None = None,
    dtype: _Dtype | None = None,
    scale: _Number | None = None,
    mean: _Numbers | None = None,
    std: _Numbers | None = None,
    swap_rb: bool = False,
    size: Sequence[int] | None = None,
    pad_value: _Number = 0,
    fit: _Fit | None = None,
    align: Literal["center", "top-left"] = "center",
    scaleup: bool = True,
    stride: int | None = None,
    interpolation: _Interpolation = "linear",
    rois: _Rois | None = None,
    channels: int | None = None,
    return_placements: Literal[False] = False,
    stream: _Stream = None,
) -> _Out: ...
@overload
def stack(
    images: Iterable[_Source] | _Source,
    *,
    to: _Target = "torch",
    layout: Literal["NCHW", "NHWC"] = "NCHW",
    src_layout: _Layout | None = None,
    dtype: _Dtype | None = None,
    scale: _Number | None = None,
    mean: _Numbers | None = None,
    std: _Numbers | None = None,
    swap_rb: bool = False,
    size: Sequence[int] | None = None,
    pad_value: _Number = 0,
    fit: _Fit | None = None,
    align: Literal["center", "top-left"] = "center",
    scaleup: bool = True,
    stride: int | None = None,
    interpolation: _Interpolation = "linear",
    rois: _Rois | None = None,
    channels: int | None = None,
    return_placements: Literal[True],
    out: _Source | None = None,
    stream: _Stream = None,
) -> tuple[Any, Placements]: ...
@overload
def unstack(
    batch: _Source,
    *,
    to: Literal["gpumat"] = "gpumat",
    src_layout: _Layout | None = None,
    copy: bool | None = None,
    stream: _Stream = None,
) -> list[cv2.cuda.GpuMat]:
    """The images of a batch as GpuMats, torch tensors (C,H,W), arrays or Images (H,W,C).

    copy: None copies only if no view is possible (N,C,H,W to GpuMats). It then copies the whole batch
    once, in one launch, and the list shares that memory. False raises instead. True always copies.
    Each element keeps the memory alive. An image of fewer axes is a batch of one. N = 0 gives [].
    """

@overload
def unstack(
    batch: _Source,
    *,
    to: Literal["torch"],
    src_layout: _Layout | None = None,
    copy: bool | None = None,
    stream: _Stream = None,
) -> list[torch.Tensor]: ...
@overload
def unstack(
    batch: _Source,
    *,
    to: Literal["cupy"],
    src_layout: _Layout | None = None,
    copy: bool | None = None,
    stream: _Stream = None,
) -> list[_CupyArray]: ...
@overload
def unstack(
    batch: _Source,
    *,
    to: Literal["numpy"],
    src_layout: _Layout | None = None,
    copy: bool | None = None,
    stream: _Stream = None,
) -> list[numpy.ndarray[Any, Any]]: ...
@overload
def unstack(
    batch: _Source,
    *,
    to: Literal["image"],
    src_layout: _Layout | None = None,
    copy: bool | None = None,
    stream: _Stream = None,
) -> list[Image]: ...

class _DoctorDevice(TypedDict):
    name: str
    compute_capability: tuple[int, int] | None
    kernels: NotRequired[Literal[True] | str]

class _DoctorGpuMat(TypedDict):
    cuda: bool
    cn_shift: int | None
    read: Literal["struct", "public", "none"]
    own: Literal["native", "subtype", "none"]
    reason: str

class _DoctorDriver(TypedDict, total=False):
    version: int
    devices: list[_DoctorDevice]
    error: str

class _Doctor(TypedDict):
    version: str
    kernels: bool
    code: list[str]  # targets of the kernels: machine code "sm_90", PTX "compute_75"
    driver: _DoctorDriver
    gpumat: _DoctorGpuMat | None
    torch: Literal["table", "attributes"] | None
    cupy: Literal["struct", "attributes"] | None
    torch_memory: bool  # memory comes from torch's C shim; False before the first allocation

def _doctor() -> _Doctor:
    """The facts that ``pixview doctor`` prints. Imports nothing."""
