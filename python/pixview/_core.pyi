"""The extension: everything that pixview exports. Strides are in bytes everywhere.

Common arguments
    x           a GpuMat, torch tensor, CuPy array, NumPy array, ``Image``, or any object with
                ``__dlpack_c_exchange_api__``, ``__dlpack__``, ``__cuda_array_interface__``,
                ``__array_interface__`` or the buffer protocol.
    layout      axis order of the result. None: the default of its type and rank (torch HW, CHW,
                NCHW; the others HW, HWC, NHWC; ``view`` keeps the order of x; a GpuMat of one
                channel gives HW).
    src_layout  axis order of x. None: the default of its type and rank; an ``Image`` has its own.
    copy        None: copy only if a view is impossible. False: raise instead. True: always copy;
                only then do pixels move between host and GPU.
    contiguous  True: copy unless the view is dense, C-contiguous, in ``layout``.
    allow_readonly  True: hand out a writable alias of read-only memory. Otherwise it is copied.
    stream      stream of the end that has none of its own (GpuMat, raw pointer). None: the legacy
                default stream. An int handle, or an object with a handle; -1: no ordering.

Errors, of every function
    LayoutError       shape, strides or layout cannot be viewed or described as asked
    DtypeError        the element type has no equal on the other side
    DeviceError       the pixels are on another device than the call needs
    ReadOnlyError     ``copy=False`` of read-only memory to a type without const
    UnsupportedError  x is of no known type; the message lists the protocols that were tried
    CudaError         the driver refused
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import (
    Any,
    ClassVar,
    Final,
    Literal,
    Protocol,
    SupportsIndex,
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

_Layout: TypeAlias = Literal["HW", "CHW", "HWC", "NCHW", "NHWC"]
_Target: TypeAlias = Literal["torch", "cupy", "numpy", "gpumat", "image"]

# CuPy has no types (14.2): named here, it would be Unknown to pyright, and with it all overloads.
_CupyArray: TypeAlias = Any

# Protocols and no classes: of a library that is not installed every class is Any, and one Any would let
# everything pass.
class _GpuMat(Protocol):
    def cudaPtr(self) -> int: ...
    def elemSize1(self) -> int: ...

class _SupportsExchange(Protocol):
    @property
    def __dlpack_c_exchange_api__(self) -> object: ...

class _SupportsDLPack(Protocol):
    # Any signature: producers differ in the keywords that they know.
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
    | _SupportsDLPack  # torch, CuPy and NumPy too
    | _SupportsCudaArray
    | _SupportsArray
    | Buffer
    | CapsuleType
)
"""What ``x`` may be."""

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

# A dtype of NumPy, torch or CuPy, a type that NumPy reads as one, its name ("uint8"), or a typestr ("|u1").
_Dtype: TypeAlias = numpy.dtype[Any] | torch.dtype | type[Any] | str
_Device: TypeAlias = SupportsIndex | str | tuple[str, int] | None
_T = TypeVar("_T", bound=_Source)
_Out = TypeVar("_Out", bound=_Source)

__version__: str

class Error(Exception):
    """Base of every error that pixview raises on purpose."""

class LayoutError(Error, ValueError, BufferError):
    """Shape, strides or layout cannot be viewed or described as asked."""

class DtypeError(Error, TypeError):
    """The element type has no equal on the other side, or differs between the two ends."""

class DeviceError(Error, RuntimeError):
    """The pixels are on another device than the call needs; the message names the call to use."""

class ReadOnlyError(Error, BufferError):
    """A writable result was asked of read-only memory."""

class CudaError(Error, RuntimeError):
    """The CUDA driver refused."""

    code: int
    """CUresult, such as 209."""
    name: str
    """Name of the code, such as ``CUDA_ERROR_NO_BINARY_FOR_GPU``."""

class UnsupportedError(Error, TypeError):
    """An object that speaks no protocol that pixview knows."""

@final
class Image:
    """An image in memory, wherever it lives and whoever owns it; of ``view`` and ``from_pointer``.

    It exports DLPack and, on the side that it is on, the NumPy or the CUDA array interface, so
    NumPy, torch, CuPy, Numba and JAX take it directly. It keeps its source alive.
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
        """A NumPy dtype; the string "bfloat16" for the one that NumPy lacks."""
    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes, in the order of ``layout``. Never None."""
    @property
    def device(self) -> tuple[Literal["cuda", "cpu"], int]:
        """``("cuda", index)`` or ``("cpu", 0)``."""
    @property
    def nbytes(self) -> int:
        """Bytes of the pixels; padding between rows is not counted."""
    @property
    def readonly(self) -> bool:
        """May the memory not be written?"""
    @property
    def owner(self) -> object:
        """The Python object that this Image keeps alive; None if it is no Python object (memory of
        DLPack or OpenCV, held by their counts) or nothing is held."""
    def crop(self, y: int, x: int, h: int, w: int) -> Image:
        """The rectangle of h rows and w columns at row y, column x: always a view.

        Raises LayoutError if it leaves the image.
        """
    @property
    def __array_interface__(self) -> dict[str, Any]:
        """Host memory only; AttributeError on the GPU."""
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """GPU memory only; AttributeError on the host."""
    def __array__(self, dtype: Any = None, *, copy: bool | None = None) -> numpy.ndarray[Any, Any]:
        """For NumPy. Raises DeviceError on the GPU."""
    def __dlpack__(
        self,
        stream: int | None = None,
        *,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> CapsuleType:
        """A DLPack capsule (array API 2024.12) that keeps the memory alive.

        Without ``max_version`` a legacy one, which has no read-only flag: of read-only memory that
        raises BufferError. ``stream`` (None or 1, 2, a handle, -1 for no ordering) is made to wait for
        the Image's own. ``dl_device=(1, 0)`` downloads device memory and waits for it, unless
        ``copy=False``, a BufferError.
        """
    def __dlpack_device__(self) -> tuple[int, int]:
        """(device type, device id) in DLPack's codes."""
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class Plan(tuple[Literal["view", "copy"], str]):
    """What a conversion would do: ``kind, reason = plan(...)``."""

    n_fields: Final = 2
    n_sequence_fields: Final = 2
    n_unnamed_fields: Final = 0
    __match_args__: Final = ("kind", "reason")

    @property
    def kind(self) -> Literal["view", "copy"]:
        """A view shares the memory of the source."""
    @property
    def reason(self) -> str:
        """Why it is a copy, in words; "" for a view."""

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
    """The pixels of x as a torch tensor: C,H,W by default, on the device where they are.

    Imports torch. A view keeps x's memory alive.
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
    """The pixels of x as a CuPy array: H,W,C by default.

    Imports CuPy. Host memory raises DeviceError unless ``copy=True``, which uploads.
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
    """The pixels of x as a NumPy array: H,W,C by default.

    Imports NumPy. GPU memory raises DeviceError unless ``copy=True``, which downloads.
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

    Imports cv2. A view if the pixels are interleaved: channel stride = itemsize, pixel stride =
    C * itemsize, any row pitch; else one copy. Host memory raises DeviceError unless ``copy=True``.
    """

def view(
    x: _Source,
    *,
    layout: _Layout | None = None,
    src_layout: _Layout | None = None,
    copy: bool | None = None,
    stream: _Stream = None,
) -> Image:
    """The pixels of x as an ``Image``; imports nothing."""

def plan(
    x: _Source,
    to: _Target,
    *,
    layout: _Layout | None = None,
    src_layout: _Layout | None = None,
    contiguous: bool = False,
) -> Plan:
    """Would converting x be a view or a copy, and why? Converts nothing."""

def from_pointer(
    ptr: int,
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
    """An ``Image`` over memory that you describe.

    ptr: address of the first element. shape: extents, rank 2 to 4. strides: bytes; None: packed.
    dtype: a NumPy, torch or CuPy dtype or a string. device: None asks the driver which GPU ptr is
    on; an int ordinal, "cpu", "cuda", "cuda:1" or ("cuda", 1) says it. owner: kept alive as long as
    the Image and its views; None: you see to it.
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

    Extents and dtypes must be equal (LayoutError, DtypeError): values are never converted.
    """

def stream_of(x: _Source, /) -> int:
    """The handle of the stream that x's producer works on; 0 is the legacy default stream.

    Of a tensor or CuPy array: torch's or CuPy's current stream on its GPU. Of an ``Image``: its own.
    Of a GpuMat: the legacy one, or that of the ``using_stream`` block around the call. -1: x names
    none, its data is ready. Raises DeviceError for host memory.
    """

def used_on(view: _Source, stream: _Stream) -> None:
    """Tell pixview of a further stream that works on a view.

    When the last view lets go, the stream of the memory waits for what ``stream`` has queued by
    then; the host does not wait, and nothing is ordered before. A tensor of torch's own memory gets
    ``record_stream``. Raises UnsupportedError for what is no view of pixview's, DeviceError for
    host memory, CudaError if the driver does not know the stream.
    """

def warm_up(device: _Device = 0) -> None:
    """Do now what the first calls on a GPU would do: context, event, kernels. May be repeated.

    device: an ordinal, "cuda:1" or ("cuda", 1). Raises DeviceError if there is no such GPU,
    CudaError without a driver or if no kernel fits.
    """

def _stream_facts(stream: _Stream) -> tuple[int, int | None]:
    """Handle, and GPU (None: a default stream, which every GPU has)."""

def _push_stream(handle: int, device: int | None, stream: object, /) -> None: ...
def _pop_stream() -> None: ...

_Number: TypeAlias = float | Any  # or a NumPy or torch scalar
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
    out: None = None,
    stream: _Stream = None,
) -> torch.Tensor:
    """Many images as one batch, converted on the way: one kernel launch on a GPU.

    images: a sequence or iterator of images of any kind, mixed as you like, or one batch of 4 axes;
    of one element type, on one device, of one size unless size= is given.
    to, layout: of the result; "gpumat" for a single image only. It is where the images are, on their
    GPU or in host memory: there is no device=. src_layout: of every image.
    scale, mean, std: (pixel * scale - mean) / std, computed as one fused multiply-add in float32;
    mean and std are one number, or one per channel of the result. swap_rb: before that, channels 0
    and 2 change places (C is 3 or 4).
    dtype: float16, bfloat16, float32, uint8 (rounded half to even, saturated, NaN becomes 0), or the
    images' own. None: their own, or float32 when scale, mean or std is given.
    size: (H, W) of the result; smaller images lie top left on a canvas of pad_value, which is in
    units of the images and normalised like a pixel.
    out: a batch to write into and to return; its axes are layout= (an Image has its own), `to` is
    not looked at. It must have the result's dtype and be on the images' device.
    stream: of GpuMats, Images and raw pointers among the ends.

    Errors are raised before anything is queued, and out is untouched then: LayoutError for no
    images, unequal sizes (the first odd image is named), a mean or std of another length, zero or
    not finite, and for overlap with out; DtypeError, DeviceError, ReadOnlyError, UnsupportedError.
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
    stream: _Stream = None,
) -> _Out: ...
@overload
def unstack(
    batch: _Source,
    *,
    to: Literal["gpumat"] = "gpumat",
    src_layout: _Layout | None = None,
    copy: bool | None = None,
    stream: _Stream = None,
) -> list[cv2.cuda.GpuMat]:
    """The images of a batch: GpuMats, torch tensors (C,H,W), arrays or Images (H,W,C).

    copy: None copies only if no view is possible (N,C,H,W to GpuMats): the whole batch, once, in one
    launch, and the list shares that memory. False raises instead, True always copies.
    Each element keeps the memory alive. An image of fewer axes is a batch of one; N = 0 gives [].
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
    code: list[str]  # what they were compiled for: machine code "sm_90", PTX "compute_75"
    driver: _DoctorDriver
    gpumat: _DoctorGpuMat | None
    torch: Literal["table", "attributes"] | None
    cupy: Literal["struct", "attributes"] | None
    torch_memory: bool  # from the shim; False before torch has given some

def _doctor() -> _Doctor:
    """The facts behind ``pixview doctor``. Imports nothing."""
