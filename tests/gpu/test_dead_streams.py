# SPDX-License-Identifier: Apache-2.0
"""A stream dies before the view that was made with it. The driver crashes on a dead handle, so each way runs
in a process of its own."""

import subprocess
import sys

import pytest

from .util import cp, pixview

assert cp and pixview  # without a GPU nothing runs
pytestmark = pytest.mark.alone

CODE = """if True:
    import faulthandler
    faulthandler.enable()
    import gc
    import cupy, cv2, numpy as np, pixview, torch
    def tensor(): return torch.zeros(8, 8, 3, dtype=torch.uint8, device="cuda")
    class Interface:
        def __init__(self, a, s):
            self.a = a
            self.__cuda_array_interface__ = dict(a.__cuda_array_interface__, stream=s.ptr)
    t = tensor()
    image = pixview.view(t, src_layout="HWC")
    def inside(s, make):
        with pixview.using_stream(s): return make()
    def current(s, make):
        with s: return make()
    def torchs(s, make):
        with torch.cuda.stream(torch.cuda.ExternalStream(s.ptr)): return make()
    def used_on(s):
        v = pixview.as_cupy(tensor(), src_layout="HWC")
        pixview.used_on(v, s.ptr)
        return v
    ways = {ways}
    for non_blocking in (True, False):
        s = cupy.cuda.Stream(non_blocking=non_blocking)
        made = ways[{way!r}](s)
        s.synchronize()
        del s
        gc.collect()
        others = [cupy.cuda.Stream() for _ in range(4)]  # the address is given again
        del others
        if isinstance(made, pixview.Image):
            later = pixview.as_torch(made)
            with cupy.cuda.Stream():
                last = pixview.as_cupy(made)
            del later, last
        del made
        gc.collect()
        pixview.view(np.zeros((2, 2), np.uint8))
        torch.cuda.synchronize()
        cupy.zeros(3)
    print("alive", flush=True)
"""

WAYS = {
    "current": 'lambda s: current(s, lambda: pixview.as_cupy(t, src_layout="HWC"))',
    "to torch": "lambda s: current(s, lambda: pixview.as_torch(cupy.zeros((8, 8, 3), 'u1')))",
    "dlpack": "lambda s: image.__dlpack__(stream=s.ptr)",
    "dlpack copy": "lambda s: image.__dlpack__(stream=s.ptr, copy=True)",
    "from_dlpack": "lambda s: current(s, lambda: cupy.from_dlpack(image))",
    "as_gpumat": 'lambda s: pixview.as_gpumat(t, src_layout="HWC", stream=s.ptr)',
    "gpumat copy": 'lambda s: pixview.as_gpumat(t, src_layout="HWC", stream=s.ptr, copy=True)',
    "view": "lambda s: pixview.view(image, stream=s.ptr)",
    "view copy": "lambda s: pixview.view(image, stream=s.ptr, copy=True)",
    "from_pointer": (
        "lambda s: pixview.from_pointer(t.data_ptr(), (8, 8, 3), 'uint8', stream=s.ptr, owner=t)"
    ),
    "interface": "lambda s: pixview.view(Interface(cupy.zeros((8, 8, 3), 'u1'), s))",
    "interface to torch": "lambda s: pixview.as_torch(Interface(cupy.zeros((8, 8, 3), 'u1'), s))",
    "used_on": "used_on",
    "used_on a tensor": "lambda s: pixview.used_on(t, s)",
    "using_stream": "lambda s: inside(s, lambda: pixview.view(tensor(), src_layout='HWC'))",
    "using_stream int": "lambda s: inside(s.ptr, lambda: pixview.view(tensor(), src_layout='HWC'))",
    "torch external": "lambda s: torchs(s, lambda: pixview.as_cupy(t, src_layout='HWC'))",
    "torch external image": "lambda s: torchs(s, lambda: pixview.view(t, src_layout='HWC'))",
    "torch external, given": (
        "lambda s: pixview.as_gpumat(t, src_layout='HWC', stream=torch.cuda.ExternalStream(s.ptr))"
    ),
    "CuPy external, given": (
        "lambda s: pixview.as_gpumat(t, src_layout='HWC', stream=cupy.cuda.ExternalStream(s.ptr))"
    ),
    "CuPy external": (
        "lambda s: current(cupy.cuda.ExternalStream(s.ptr), lambda: pixview.as_cupy(t, src_layout='HWC'))"
    ),
    "stack": "lambda s: pixview.stack([image], to='image', stream=s.ptr)",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_stream_dies_before_the_view(way):
    ways = "{" + f"{way!r}: {WAYS[way]}" + "}"
    code = CODE.replace("{ways}", ways).replace("{way!r}", repr(way))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0 and "alive" in run.stdout, (way, run.stdout, run.stderr)
