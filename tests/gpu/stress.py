# SPDX-License-Identifier: Apache-2.0
"""Many lanes of two streams: produce late on A, convert, consume on B, drop, and use the memory again on A.

    python -m gpu.stress COUNT [ordered | unordered | release]     (in tests/)

Prints one line for each direction: how often the consumer saw the right pixels. `unordered` converts
without ordering, `release` orders the conversion by hand but not the release: both must show wrong
pixels, or the count of `ordered` would mean nothing.
"""

import sys

from .util import DEPTHS, cp, cv2, pixview, torch

SHAPE = (64, 96, 3)
LANES = 16  # two streams each; CUDA_DEVICE_MAX_CONNECTIONS=32 lets all of them run at once
PRODUCER_MS, CONSUMER_MS = 50, 4
STALE, REUSED = 0xEE, 0xDD
CYCLES = 2_100_000  # for a millisecond, at any clock up to 2.1 GHz


class Torch:
    def __init__(self):
        self.torch = torch.cuda.Stream()
        self.handle = self.torch.cuda_stream

    def current(self):
        return torch.cuda.stream(self.torch)

    def new(self, value):
        with self.current():
            return torch.full(SHAPE, value, dtype=torch.uint8, device="cuda")

    def write(self, x, value):
        with self.current():
            x.fill_(value)

    def read(self, y, out):
        with self.current():
            out.copy_(y)

    def view(self, x, stream):
        with self.current():
            return pixview.as_torch(x, layout="HWC", **stream)

    def raw(self, x):
        return torch.as_tensor(x, device="cuda")


class Cupy(Torch):
    def __init__(self):
        self.cupy = cp.cuda.Stream(non_blocking=True)
        self.handle = self.cupy.ptr
        self.torch = torch.cuda.ExternalStream(self.handle)

    def current(self):
        return self.cupy

    def new(self, value):
        with self.current():
            return cp.full(SHAPE, value, cp.uint8)

    def write(self, x, value):
        with self.current():
            x.fill(value)

    def read(self, y, out):
        with self.current():
            cp.copyto(out, y)

    def view(self, x, stream):
        layout = {"src_layout": "HWC"} if isinstance(x, torch.Tensor) else {}
        with self.current():
            return pixview.as_cupy(x, **layout, **stream)

    def raw(self, x):
        memory = cp.cuda.UnownedMemory(x.data_ptr(), x.nbytes, x)
        return cp.ndarray(SHAPE, cp.uint8, cp.cuda.MemoryPointer(memory, 0))


class Mat(Torch):
    """cv2.cuda on a stream that does not block with the legacy one."""

    def __init__(self):
        super().__init__()
        self.cv2 = cv2.cuda.wrapStream(self.handle)
        self.zero = self.allocate()
        self.zero.setTo((0,) * 4)
        self.kept = self.allocate()  # its cudaFree would wait for all lanes

    def allocate(self):
        return cv2.cuda.GpuMat(*SHAPE[:2], cv2.CV_MAKETYPE(DEPTHS["uint8"], 3))

    def new(self, value):
        self.write(self.kept, value)
        return self.kept

    def write(self, x, value):
        x.setTo((value,) * 4, self.cv2)

    def read(self, y, out):
        cv2.cuda.add(y, self.zero, out, None, -1, self.cv2)

    def view(self, x, stream):
        layout = {"src_layout": "HWC"} if isinstance(x, torch.Tensor) else {}
        return pixview.as_gpumat(x, **layout, **({"stream": self.cv2} | stream))


KINDS = {"torch": Torch, "cupy": Cupy, "gpumat": Mat}
DIRECTIONS = [(a, b) for a in KINDS for b in KINDS if a != b]


def busy(end, milliseconds):
    with torch.cuda.stream(end.torch):
        torch.cuda._sleep(milliseconds * CYCLES)


class Lane:
    def __init__(self, a, b, mode):
        self.a, self.b, self.mode = KINDS[a](), KINDS[b](), mode
        self.mats = "gpumat" in (a, b)
        self.stream = {"stream": self.a.cv2} if a == "gpumat" else {}
        self.out = self.b.allocate() if b == "gpumat" else self.b.new(0)

    def convert(self, x):
        if self.mode == "ordered":
            with self.a.current():  # each end's stream is its current one at the call
                return self.b.view(x, self.stream)
        if self.mode == "release":
            self.b.torch.wait_stream(self.a.torch)
        return self.b.view(x, {"stream": -1}) if self.mats else self.b.raw(x)

    def round(self, value):
        x = self.a.new(STALE)
        busy(self.a, PRODUCER_MS)
        self.a.write(x, value)
        y = self.convert(x)
        busy(self.b, CONSUMER_MS)
        self.b.read(y, self.out)
        del y
        self.a.write(x, STALE)  # the source is used again, and then its memory
        del x
        again = self.a.new(REUSED)
        del again

    def right(self, value):
        out = pixview.as_torch(
            self.out,
            layout="HWC",
            **({"src_layout": "HWC"} if isinstance(self.out, torch.Tensor) else {}),
        )
        return bool((out == value).all())


def run(a, b, count, mode):
    """How many of `count` rounds were right, and the milliseconds that a lane took for one."""
    lanes = [Lane(a, b, mode) for _ in range(LANES)]
    right = done = 0
    while done < count:
        now = lanes[: count - done]
        value = 1 + done // LANES % 200
        torch.cuda.synchronize()
        for lane in now:
            lane.round(value)
        torch.cuda.synchronize()
        right += sum(lane.right(value) for lane in now)
        done += len(now)
    return right


def warm():
    """The first use of a kernel loads it, which waits for the device."""
    for a, b in DIRECTIONS:
        lane = Lane(a, b, "ordered")
        for _ in range(2):
            lane.round(1)
        torch.cuda.synchronize()


def main():
    count, mode = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "ordered"
    warm()
    for a, b in DIRECTIONS:
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        right = run(a, b, count, mode)
        end.record()
        end.synchronize()
        seconds = start.elapsed_time(end) / 1000
        print(f"{mode} {a} {b}: {right} of {count} right in {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
