# SPDX-License-Identifier: Apache-2.0
"""Images between the actors and tasks of Ray. Needs ray 2.60 or later; nothing else of pixview imports it.

    pixview.ray.register()    # before the actors are defined
    ray.init(runtime_env={"worker_process_setup_hook": "pixview.ray.register"})

    @ray.remote(num_gpus=0.5, enable_tensor_transport=True)
    class Decoder:
        @ray.method(tensor_transport="pixview")
        def frame(self): ...    # returns Images, also within lists, dicts and objects

    @ray.remote(enable_tensor_transport=True)
    class Model:
        def run(self, image): ...    # and gets them

Images in host memory go through Ray's object store: one copy into it, and every reader of the node gets
a read-only view of the store's own memory. Images in GPU memory stay where they are, and every reader of the
node opens them: ``pixview.share``. To another node, and between GPUs that do not see each other,
``pack(image)`` sends the pixels by Ray's NCCL or NIXL transport.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ray
from ray.experimental import (
    CommunicatorMetadata,
    TensorTransportManager,
    TensorTransportMetadata,
    register_tensor_transport,
)
from ray.util.serialization import register_serializer  # pyright: ignore[reportUnknownVariableType]

import pixview

if TYPE_CHECKING:
    import torch

__all__ = ["Packed", "pack", "register"]

# Seconds that the metadata on its way holds an image. The transport has its Share, so they may be few: they
# pass after Ray has let go of an object that nobody read.
_KEEP = 0.01
_NOSET = "RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES"


def register() -> None:
    """Make Ray carry Images well in this process. Calling it again does nothing.

    Call it in the driver, before the classes of its actors, and in every worker, for which the option
    ``worker_process_setup_hook`` of ``runtime_env`` names it. Without it Ray pickles Images: those in host
    memory are then copied where they arrive unless they are read-only.

    Host memory: what arrives is read-only, and is held in the object store until its last view is dropped.

    GPU memory, as what a method with ``tensor_transport="pixview"`` returns or ``ray.put(image,
    _tensor_transport="pixview")`` puts: the sender's Image is held until Ray has let go of the object and every
    reader has dropped its views. The reader's Image is as writable as the sender's, and shows what the sender
    writes later. Memory that cannot be shared (expandable segments, stream-ordered pools) is copied once,
    into memory of its own. The readers are actors with ``enable_tensor_transport=True``; Ray may wait for
    60 seconds and fail in others. ShareError in the reader if it is on another node or the sender is gone, DeviceError
    if it does not see the GPU; both say what to do. Without the transport a GPU Image is pickled by its
    share, which can be read once, and within 60 seconds.
    """
    register_serializer(pixview.Image, serializer=_state_of, deserializer=_image_of)
    with contextlib.suppress(ValueError):  # it is registered
        register_tensor_transport("pixview", ["cuda"], _Transport, _OnGpu)


# ---- the serializer ----


class _OnGpu:
    """An Image in GPU memory: the type that Ray hands to the transport. Images of host memory it never sees."""

    def __init__(self, image: pixview.Image) -> None:
        self.image = image

    def __reduce__(self) -> tuple[Any, ...]:  # outside of methods with the transport
        reduced: Any = self.image.__reduce_ex__(5)
        return _on_gpu, reduced


def _on_gpu(make: Callable[..., pixview.Image], args: tuple[Any, ...]) -> _OnGpu:
    return _OnGpu(make(*args))


def _state_of(image: pixview.Image) -> Any:
    if image.device[0] == "cuda":
        return _OnGpu(image)
    reduced: Any = image.__reduce_ex__(5)
    make, (*args, _) = reduced
    return make, (*args, True)  # read-only, as the memory of the store


def _image_of(state: Any) -> pixview.Image:
    if isinstance(state, _OnGpu):
        return state.image
    make, args = state
    image: pixview.Image = make(*args)
    return image


# ---- the transport ----


@dataclass
class _Metadata(TensorTransportMetadata):
    shares: list[pixview.Share] = field(default_factory=list)
    node: str = ""


class _Transport(TensorTransportManager):
    """Sends 256 bytes for an image, and holds it until Ray collects the object."""

    def __init__(self) -> None:
        self.shares: dict[str, list[pixview.Share]] = {}

    def tensor_transport_backend(self) -> str:
        return "PIXVIEW"

    @staticmethod
    def is_one_sided() -> bool:
        return True

    @staticmethod
    def can_abort_transport() -> bool:
        return True

    def actor_has_tensor_transport(self, actor: Any) -> bool:
        return True

    def extract_tensor_transport_metadata(self, obj_id: str, rdt_object: list[Any]) -> _Metadata:
        shares = [pixview.share(x.image, copy=True, keep=_KEEP) for x in rdt_object]
        self.shares.setdefault(obj_id, []).extend(shares)  # a task that is retried comes twice
        facts: list[Any] = [(share.shape, share.dtype) for share in shares]
        return _Metadata(
            tensor_meta=facts,
            tensor_device="cuda" if shares else None,
            shares=shares,
            node=_node(),
        )

    def get_communicator_metadata(
        self, src_actor: Any, dst_actor: Any, backend: str | None = None
    ) -> CommunicatorMetadata:
        return CommunicatorMetadata()

    def recv_multiple_tensors(
        self,
        obj_id: str,
        tensor_transport_metadata: TensorTransportMetadata,
        communicator_metadata: CommunicatorMetadata,
        target_buffers: list[Any] | None = None,
    ) -> list[Any]:
        assert isinstance(tensor_transport_metadata, _Metadata)
        if target_buffers:
            raise pixview.UnsupportedError(
                "the pixview transport opens the sender's memory and fills no target buffers; "
                "pixview.copy_into(buffer, image) does"
            )
        sender = tensor_transport_metadata.node
        return [_OnGpu(_open(share, sender)) for share in tensor_transport_metadata.shares]

    def send_multiple_tensors(
        self,
        tensors: list[Any],
        tensor_transport_metadata: TensorTransportMetadata,
        communicator_metadata: CommunicatorMetadata,
    ) -> None:
        raise NotImplementedError("the receiver opens the memory")

    def garbage_collect(
        self, obj_id: str, tensor_transport_meta: TensorTransportMetadata, tensors: list[Any]
    ) -> None:
        for share in self.shares.pop(obj_id, []):
            share.close()

    def abort_transport(self, obj_id: str, communicator_metadata: CommunicatorMetadata) -> None:
        pass


def _node() -> str:
    return str(ray.get_runtime_context().get_node_id())


def _open(share: pixview.Share, sender: str) -> pixview.Image:
    try:
        return share.open(device=_device_for(share))
    except pixview.Error as error:
        if sender != _node():
            raise pixview.ShareError(
                f"an image on a GPU of node {sender} is not reachable from node {_node()}: return "
                'pixview.ray.pack(image) by a method with tensor_transport="nccl" or "nixl", which '
                f"arrives as an Image ({error})"
            ) from error
        if isinstance(error, pixview.DeviceError):
            raise pixview.DeviceError(
                f"{error}; set {_NOSET}=1 for all actors, so that each sees every GPU, or return "
                'pixview.ray.pack(image) by a method with tensor_transport="nccl"'
            ) from error
        raise


def _device_for(share: pixview.Share) -> int | None:
    """The actor's own GPU, if the image is on another one that it sees."""
    kind, index = share.device
    if kind == "cpu" or index < 0 or not os.environ.get(_NOSET):
        return None  # Ray has hidden the others
    own = [int(gpu) for gpu in ray.get_gpu_ids()]
    return own[0] if own and index not in own else None


# ---- between nodes ----


class Packed:
    """What ``pack`` returns. Ray sends its tensor, and it is unpickled as an Image."""

    def __init__(
        self, tensor: torch.Tensor, shape: tuple[int, ...], dtype: str, layout: str
    ) -> None:
        self.tensor = tensor
        self.shape, self.dtype, self.layout = shape, dtype, layout

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpack, (self.tensor, self.shape, self.dtype, self.layout)

    def image(self) -> pixview.Image:
        """The Image over the tensor's memory, which it holds."""
        return _unpack(self.tensor, self.shape, self.dtype, self.layout)


def pack(image: pixview.Image) -> Packed:
    """An Image for Ray's own transports of torch tensors: "nccl", "nixl", "gloo", "cuda_ipc".

        @ray.method(tensor_transport="nccl")
        def frame(self):
            return pixview.ray.pack(image)    # is an Image where it arrives

    ``tensor`` is one dense torch tensor of bytes on the image's device: of a crop its pixels alone, of any dtype.
    It is a view if the image is dense in its layout, and one copy otherwise. The Image that arrives has the same
    shape, dtype and layout, and is writable. Ray makes its memory and may send it to any node. Imports torch.

    Raises what ``as_torch`` raises.
    """
    dense = pixview.view(image, layout=image.layout, contiguous=True)
    row = _over(dense, (1, dense.nbytes), "uint8", "HW")
    tensor = pixview.as_torch(row, allow_readonly=True)  # it is sent only
    return Packed(tensor, dense.shape, str(dense.dtype), dense.layout)


def _unpack(tensor: torch.Tensor, shape: tuple[int, ...], dtype: str, layout: Any) -> pixview.Image:
    return _over(pixview.view(tensor), shape, dtype, layout)


def _over(x: pixview.Image, shape: tuple[int, ...], dtype: str, layout: Any) -> pixview.Image:
    """The same dense memory as an Image of another shape and dtype."""
    return pixview.from_pointer(
        x.ptr,
        shape,
        dtype,
        layout=layout,
        device=x.device,
        owner=x,
        stream=pixview.stream_of(x) if x.device[0] == "cuda" else None,
        readonly=x.readonly,
    )
