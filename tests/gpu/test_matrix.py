# SPDX-License-Identifier: Apache-2.0
"""The matrix with everything real: memory of torch, of CuPy and of OpenCV, pixels read back."""

from dataclasses import replace
from importlib.util import find_spec

import pytest
from matrix.cells import World, pair
from matrix.producers import DEVICE, HOST
from matrix.sources import CORE, ROOM, storage

from .util import cp, cv2, mat_view, np, torch

MEMCPY_DEFAULT = 4  # cudaMemcpyDefault: either end may be host memory
MAJOR = int(cv2.__version__.split(".")[0])
TO = ("torch", "cupy", "numpy", "gpumat", "image")


class GpuWorld(World):
    opencv = MAJOR
    cv2 = cv2
    ml_dtypes = find_spec("ml_dtypes") is not None
    producers = DEVICE

    def fetch(self, address, size):
        out = np.empty(size, np.uint8)
        cp.cuda.runtime.memcpy(out.ctypes.data, address, size, MEMCPY_DEFAULT)
        return out

    def used(self):
        return torch.cuda.memory_allocated(), cp.get_default_memory_pool().used_bytes()


class OfTorch(GpuWorld):
    def __init__(self):
        self.held = {}
        super().__init__()

    def upload(self, values):
        tensor = torch.from_numpy(values.copy()).cuda()
        self.held[tensor.data_ptr()] = tensor
        return tensor.data_ptr()

    def tensor(self, s, owner):
        whole = self.held[self.start(s)].view(getattr(torch, s.dtype))
        steps = [t // s.itemsize for t in s.strides]
        tensor = torch.as_strided(whole, s.shape, steps, s.offset // s.itemsize)
        tensor.owner = owner
        return tensor


class OfCupy(GpuWorld):
    def __init__(self):
        self.held = []
        super().__init__()

    def upload(self, values):
        self.held.append(cp.array(values))
        return self.held[-1].data.ptr

    def cupy_array(self, s, owner):
        dtype = storage(s.dtype)
        if s.dtype == "bfloat16":
            import ml_dtypes

            dtype = np.dtype(ml_dtypes.bfloat16)
        memory = cp.cuda.UnownedMemory(self.start(s), ROOM, owner, 0)
        where = cp.cuda.MemoryPointer(memory, s.offset)
        return cp.ndarray(s.shape, dtype, where, strides=s.strides)


class OfOpenCV(OfCupy):
    """GpuMats that own their memory: it is where OpenCV puts it."""

    address = step = 0

    def put(self, s):
        return self.address or super().put(s)

    def as_made(self, s):
        steps = {"H": self.step} if s.extent("H") > 1 else {}
        strides = [steps.get(axis, t) for axis, t in zip(s.layout, s.strides, strict=True)]
        if s.name == "ROI":
            strides[1:] = [s.extent("C") * s.itemsize, s.itemsize][: len(strides) - 1]
        return replace(s, strides=tuple(strides))

    def place(self, s):
        return self.address, self.address + 1

    def own_gpumat(self, s, code):
        h, w = s.extent("H"), s.extent("W")
        margin = 3 if s.name == "ROI" else 0
        whole = cv2.cuda.GpuMat(h + margin, w + margin, code)
        mat = cv2.cuda.GpuMat(whole, (margin // 2, margin - 1, w, h)) if margin else whole
        pixels = s.reference("HWC" if s.layout != "HW" else "HW").reshape(h, w, -1)
        mat_view(mat, storage(s.dtype))[...] = cp.asarray(pixels)
        self.address, self.step = mat.cudaPtr(), mat.step
        return mat


class Uploads(World):
    """Host memory, for what moves to the GPU."""

    host = True
    opencv = MAJOR
    cv2 = cv2
    ml_dtypes = GpuWorld.ml_dtypes
    producers = HOST
    fetch = GpuWorld.fetch
    used = GpuWorld.used

    def __init__(self):
        self.held = []
        super().__init__()

    def upload(self, values):
        self.held.append(values)
        return values.ctypes.data

    def tensor(self, s, owner):
        if s.dtype == "bfloat16":
            return torch.from_dlpack(HOST["DLPack"](self, s, owner))
        return torch.from_numpy(HOST["numpy"](self, s, owner))


WORLDS = {"torch": OfTorch, "OpenCV's own gpumat": OfOpenCV}


@pytest.mark.parametrize("to", TO)
@pytest.mark.parametrize("producer", DEVICE)
def test_device_memory(producer, to):
    found = pair(WORLDS.get(producer, OfCupy)(), producer, to, brief=True)
    assert found["copy"] and not found["planned only"]
    assert found["view"] or to == "numpy"


@pytest.mark.parametrize("to", TO)
@pytest.mark.parametrize("producer", HOST)
def test_host_memory(producer, to):
    found = pair(Uploads(), producer, to, CORE, brief=True)
    assert found["copy"] and not found["planned only"]
    assert found["view"] or to in ("cupy", "gpumat")
