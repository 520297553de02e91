# SPDX-License-Identifier: Apache-2.0
"""A tensor that was allocated on a third stream goes back to that stream's pool: not before its reader is
done, on whatever stream and by whatever chain of views it reads."""

import pytest

from .util import busy, cp, np, pixview, raw_view, torch

pytestmark = pytest.mark.alone

SHAPE = (300, 400, 3)
PACKED = (1200, 3, 1)
OLD, NEW = 1, 99
TRIES = 3


class Reader:
    """A stream that works late, and what it has read in the end."""

    def __init__(self, library):
        self.own = torch.cuda.Stream() if library == "torch" else cp.cuda.Stream(non_blocking=True)
        self.handle = self.own.cuda_stream if library == "torch" else self.own.ptr
        self.torch = self.own if library == "torch" else torch.cuda.ExternalStream(self.handle)
        self.out = torch.zeros((1, *SHAPE), dtype=torch.uint8, device="cuda")

    def read(self, at):
        """Late, and unknown to torch and to pixview."""
        busy(self.torch)
        with cp.cuda.ExternalStream(self.handle):
            out = raw_view(self.out.data_ptr(), SHAPE, PACKED, np.uint8)
            cp.copyto(out, raw_view(at, SHAPE, PACKED, np.uint8))


def image_of(tensor):
    return pixview.view(tensor, src_layout="HWC")


def as_gpumat(tensor, stream):
    return pixview.as_gpumat(tensor, src_layout="HWC", stream=stream)


def as_cupy(x, reader):
    keywords = {"src_layout": "HWC"} if isinstance(x, torch.Tensor) else {}
    with reader.own:
        return pixview.as_cupy(x, **keywords)


def capsule(tensor, reader):
    image = image_of(tensor)
    with torch.cuda.stream(reader.own):  # current, so that pixview may keep it
        return image.__dlpack__(stream=reader.handle)


def from_dlpack(tensor, reader):
    image = image_of(tensor)
    with torch.cuda.stream(reader.own):
        return torch.from_dlpack(image)


def used_on(tensor, reader):
    view = as_gpumat(tensor, None)
    pixview.used_on(view, reader.own)
    return view


def stacked(tensor, reader):
    images = [image_of(tensor)]
    busy(reader.torch)
    with torch.cuda.stream(reader.own):
        pixview.stack(images, out=reader.out, layout="NHWC")
    return images


WAYS = {  # the library of the reader's stream, and how it gets the pixels
    "as_cupy": ("cupy", as_cupy),
    "as_cupy of a GpuMat": ("cupy", lambda t, r: as_cupy(as_gpumat(t, None), r)),
    "as_cupy of an Image": ("cupy", lambda t, r: as_cupy(image_of(t), r)),
    "as_gpumat": ("torch", lambda t, r: as_gpumat(t, r.own)),
    "as_gpumat of an Image": ("torch", lambda t, r: pixview.as_gpumat(image_of(t), stream=r.own)),
    "capsule": ("torch", capsule),
    "from_dlpack": ("torch", from_dlpack),
    "view": ("torch", lambda t, r: pixview.view(t, src_layout="HWC", stream=r.own)),
    "view of a view": ("torch", lambda t, r: pixview.view(image_of(t), stream=r.own)),
    "crop": (
        "torch",
        lambda t, r: pixview.view(image_of(t).crop(0, 0, 10, 10), stream=r.own),
    ),
    "crop of a view": (
        "torch",
        lambda t, r: pixview.view(image_of(t), stream=r.own).crop(0, 0, 10, 10),
    ),
    "used_on": ("torch", used_on),
}


def allocated_on(stream, value):
    with torch.cuda.stream(stream):
        return torch.full(SHAPE, value, dtype=torch.uint8, device="cuda")


def read_late(library, make, current):
    """What the reader saw, and whether its memory was given to somebody else."""
    reader, third = Reader(library), torch.cuda.Stream()
    torch.cuda.synchronize()
    torch.cuda.empty_cache()  # what is freed is now the first that is given again
    tensor = allocated_on(third, OLD)
    at = tensor.data_ptr()
    torch.cuda.synchronize()
    with torch.cuda.stream(current):
        made = make(tensor, reader)
    if make is not stacked:
        reader.read(at)
    del tensor, made
    pixview.view(np.zeros((2, 2), np.uint8))  # what could not be given up without the GIL
    again = allocated_on(third, NEW)
    torch.cuda.synchronize()
    return reader.out.cpu().numpy(), again.data_ptr() == at


CURRENT = {"default": torch.cuda.default_stream, "another": torch.cuda.Stream}


def test_without_ordering_it_shows():
    """What the others rest on: the pool gives the memory again at once, and it is written too early."""
    for n in range(TRIES + 1):
        seen, reused = read_late("torch", lambda t, r: as_gpumat(t, -1), torch.cuda.Stream())
        if n:  # the first call of a kernel loads it, which waits for the device
            assert reused and (seen == NEW).all()


@pytest.mark.parametrize("current", CURRENT)
@pytest.mark.parametrize("way", WAYS)
def test_the_reader_sees_the_old_pixels(way, current):
    for _ in range(TRIES):
        seen, _ = read_late(*WAYS[way], CURRENT[current]())
        assert (seen == OLD).all()


@pytest.mark.parametrize("current", CURRENT)
def test_a_stack_sees_the_old_pixels(current):
    for _ in range(TRIES):
        seen, _ = read_late("torch", stacked, CURRENT[current]())
        assert (seen == OLD).all()
