# SPDX-License-Identifier: Apache-2.0
"""``using_stream``: one stream for torch, CuPy and OpenCV.

It is written in Python because it only enters and leaves the context managers of other libraries.
The stream that pixview uses inside the block is kept by the extension (``_push_stream``).
"""

from __future__ import annotations

import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from . import _core

if TYPE_CHECKING:
    from types import TracebackType

    import cv2

    from ._core import _Stream


class _Handle:
    """A stream handle as an object with ``__cuda_stream__``, for CuPy and cuda.core."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def __cuda_stream__(self) -> tuple[int, int]:
        return (0, self.handle)


def _enter_torch(stack: ExitStack, torch: Any, stream: Any, handle: int, device: Any) -> None:
    if torch.version.cuda is None or not torch.cuda.is_available():
        return
    if not isinstance(stream, torch.cuda.Stream):
        if handle:
            stream = torch.cuda.ExternalStream(handle, device=device)
        else:
            stream = torch.cuda.default_stream(device)
    stack.enter_context(torch.cuda.stream(stream))  # and its device


def _has_gpu(cupy: Any) -> bool:
    try:
        return bool(cupy.cuda.is_available())
    except RuntimeError:  # CuPy 13, where there is no driver or an old one
        return False


def _enter_cupy(stack: ExitStack, cupy: Any, stream: Any, handle: int, device: Any) -> None:
    if not _has_gpu(cupy):
        return
    if device is not None:
        stack.enter_context(cupy.cuda.Device(device))
    if isinstance(stream, cupy.cuda.Stream):
        pass
    elif handle == 0:
        stream = cupy.cuda.Stream.null
    elif handle == 2:
        stream = cupy.cuda.Stream.ptds
    elif hasattr(cupy.cuda.Stream, "from_external"):  # CuPy 14
        stream = cupy.cuda.Stream.from_external(_Handle(handle))
    else:
        stream = cupy.cuda.ExternalStream(handle)
    stack.enter_context(stream)


def _enter_cv2(stack: ExitStack, cv2: Any, stream: Any, handle: int, device: Any) -> Any:
    if not cv2.cuda.getCudaEnabledDeviceCount() > 0:
        return None
    if device is not None and cv2.cuda.getDevice() != device:
        stack.callback(cv2.cuda.setDevice, cv2.cuda.getDevice())
        cv2.cuda.setDevice(device)
    if isinstance(stream, cv2.cuda.Stream):
        return stream
    return cv2.cuda.wrapStream(handle) if handle else cv2.cuda.Stream_Null()


class using_stream:  # noqa: N801
    """A block in which torch, CuPy and OpenCV work on one stream.

        with pixview.using_stream(torch.cuda.Stream()) as cv_stream:
            mat = pixview.as_gpumat(tensor * 2)                # same stream: nothing to order
            mat = cv2.cuda.resize(mat, (640, 480), stream=cv_stream)
            tensor = pixview.as_torch(mat)

    stream: a stream of torch, CuPy, cv2 or cuda.core, or a handle. None or 0: the legacy default stream.

    Inside the block, on this thread:
      - The stream is the current one of torch and CuPy, and its GPU is current. Libraries that are
        not imported yet stay unimported.
      - ``stream=None`` of pixview's functions means this stream, for GpuMats and raw pointers on its
        GPU. Pass the ``cv2.cuda.Stream`` that ``as`` gives to every cv2.cuda function. It is None if
        cv2 is not imported or has no CUDA.

    Leaving the block, also by an exception, restores the state before it. Blocks nest.

    Entering and leaving order nothing. A conversion orders its two ends if their streams differ.
    Keep the stream alive until its work is done. A view keeps a stream object alive, but not an int, and
    then orders its release by the legacy stream.

    Errors: TypeError or ValueError if it is not a stream (-1 is not one). DeviceError for a stream of
    a cv2 without CUDA. CudaError if the driver does not know the stream.
    """

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        self._handle, self._device, self._keeper = _core._stream_facts(stream)
        self._entered = threading.local()  # what each thread has entered, innermost last

    def __enter__(self) -> cv2.cuda.Stream | None:
        what = (self._stream, self._handle, self._device)
        modules = {name: sys.modules.get(name) for name in ("torch", "cupy", "cv2")}
        cv_stream = None
        with ExitStack() as stack:
            if modules["torch"]:
                _enter_torch(stack, modules["torch"], *what)
            if modules["cupy"]:
                _enter_cupy(stack, modules["cupy"], *what)
            if modules["cv2"]:
                cv_stream = _enter_cv2(stack, modules["cv2"], *what)
            _core._push_stream(self._handle, self._device, self._keeper)
            stack.callback(_core._pop_stream)
            self._stacks().append(stack.pop_all())
        return cv_stream

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        stacks = self._stacks()
        if not stacks:
            raise RuntimeError(
                "this thread did not enter this using_stream, so it cannot leave it; leave it on the "
                "thread that entered it"
            )
        stacks.pop().__exit__(kind, error, traceback)

    def _stacks(self) -> list[ExitStack]:
        stacks: list[ExitStack] = self._entered.__dict__.setdefault("stacks", [])
        return stacks
