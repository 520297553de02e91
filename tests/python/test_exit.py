# SPDX-License-Identifier: Apache-2.0
"""Views that are alive when a process ends: exit status 0, nothing on stderr, no hang; and fork.

Each ending is a fork of one process, which has imported the libraries once.
"""

from __future__ import annotations

from typing import Any

import pytest
from support import check_python, fork_python

START = """
import atexit, ctypes, os, sys, threading, time
late = []
atexit.register(lambda: [f() for f in late])  # after pixview's own, which ends its work
import numpy as np, torch, pixview
from support import Dlpack, array_interface, image
LIBRARY = ctypes.CDLL(os.environ["PIXVIEW_FAKE_DRIVER"])

def device_image(array):
    LIBRARY.fake_register(ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes), 0)
    return pixview.from_pointer(array.ctypes.data, array.shape, "uint8", device=0, owner=array)

def views():
    a, t = image(64, 65, 3), torch.zeros(3, 64, 65, dtype=torch.uint8)
    v = device_image(image(32, 33, 3))
    made = [pixview.as_torch(a), pixview.as_numpy(t), pixview.view(a), pixview.view(t).crop(1, 1, 2, 2)]
    made += [pixview.as_torch(Dlpack(image(4, 5))), pixview.as_numpy(array_interface(image(4, 5)))]
    made += [pixview.view(a).__dlpack__(), memoryview(pixview.view(a)), np.from_dlpack(pixview.view(t))]
    made += [torch.from_dlpack(pixview.view(a)), pixview.view(a, copy=True), pixview.stack([a, t])]
    made += [v, v.crop(1, 1, 2, 2), pixview.as_torch(v), v.__dlpack__()]
    return made + MORE(v)

def MORE(v): return []

class Held:
    def __init__(self):
        self.me, self.views = self, views()
    def __del__(self):
        self.views.clear()

def in_globals():
    import builtins
    builtins.kept, sys.kept, torch.kept, pixview.kept = views(), views(), views(), views()

def in_cycles():
    global held
    for _ in range(3):
        Held()
    held = Held()
    held.views.append(held)
    cycle = [views()]
    cycle.append(cycle)

def in_atexit():
    kept = views()
    atexit.register(kept.clear)
    late.append(views().clear)
    def again():
        pixview.view(image(4, 5)), pixview.as_numpy(pixview.view(image(4, 5))), pixview.as_torch(image(4, 5))
    atexit.register(again)
    late.append(again)

def in_daemon_threads():
    def forever(kept):  # not through torch, whose own calls do not survive the end
        a = image(64, 65, 3)
        while True:
            pixview.view(a).crop(1, 1, 2, 2), pixview.as_numpy(pixview.view(a)), pixview.view(a, copy=True)
    for _ in range(2):
        threading.Thread(target=forever, args=(views(),), daemon=True).start()
    time.sleep(0.1)

def in_a_thread_that_ends_last():
    kept = views()
    threading.Thread(target=lambda: (time.sleep(0.1), kept.clear())).start()

def without_an_end():
    global kept
    kept = views()
    os._exit(0)

ENDINGS = [in_globals, in_cycles, in_atexit, in_daemon_threads, in_a_thread_that_ends_last, without_an_end]
"""

END = """
def wait(child, name):
    end = time.monotonic() + 60
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            assert status == 0, (name, os.waitstatus_to_exitcode(status))
            return
        if time.monotonic() > end:
            os.kill(child, 6)
            raise AssertionError(f"{name} hangs")
        time.sleep(0.01)

for ending in ENDINGS:
    child = os.fork()
    if child == 0:
        ending()
        sys.exit(0)
    wait(child, ending.__name__)
"""


def test_exit_with_live_views(fake: Any, torch: Any) -> None:
    done = fork_python(START + END)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("threadless", [False, True])
def test_what_a_late_release_leaves_alone(fake: Any, threadless: bool) -> None:
    """References, streams' objects and other exporters' deleters, once the process began to end."""
    done = fork_python(
        START
        + f"""
from support import Stream, consume, drop_on_unknown_thread
a, stream, exporter = image(4, 5, 3), Stream(LIBRARY.fake_stream(0)), Dlpack(image(4, 5))
v, w = pixview.view(a), pixview.view(exporter)
u = device_image(image(4, 5, 3))
if {threadless}:
    v, w, u = consume(v.__dlpack__()), consume(w.__dlpack__()), consume(u.__dlpack__(stream=stream))
else:
    pixview.used_on(u, stream)

def counts():
    return sys.getrefcount(a), sys.getrefcount(stream), exporter.deleted

def drop():
    global v, w, u
    before = counts()
    if {threadless}:
        [drop_on_unknown_thread(x) for x in (v, w, u)]
    del v, w, u
    pixview.view(image(4, 5))
    os._exit(17 if counts() == before else 1)
late.append(drop)
"""
    )
    assert (done.returncode, done.stdout, done.stderr) == (17, "", "")


@pytest.mark.cv2
@pytest.mark.parametrize("path", ["auto", "public"])
def test_exit_with_live_gpumats(fake: Any, torch: Any, cv2: Any, path: str) -> None:
    more = f"""
import cv2
pixview._core._force(gpumat={path!r})
def MORE(v):
    g = pixview.as_gpumat(v)
    made = [g, g.rowRange(1, 5), pixview.as_torch(g), pixview.view(g), pixview.view(g.rowRange(1, 5))]
    return [*made, pixview.as_gpumat(made[2])]
"""
    done = fork_python(START + more + END)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_fork_after_pixview_used_cuda(fake: Any) -> None:
    check_python("""
import os, pixview
pixview.warm_up()
child = os.fork()
if child == 0:
    try:
        pixview.warm_up()
    except pixview.CudaError as error:
        os._exit(0 if "fork" in str(error) and "spawn" in str(error) else 1)
    os._exit(2)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
""")


def test_fork_after_another_library_used_cuda(fake: Any) -> None:
    """pixview comes first in the child, where the driver says no more than CUDA_ERROR_NOT_INITIALIZED."""
    check_python("""
import ctypes, os, pixview
assert ctypes.CDLL(os.environ["PIXVIEW_FAKE_DRIVER"]).cuInit(0) == 0
child = os.fork()
if child == 0:
    for _ in range(2):
        try:
            pixview.warm_up()
        except pixview.CudaError as error:
            ok = error.code == 3 and "fork" in str(error) and "spawn" in str(error)
        else:
            ok = False
        if not ok:
            os._exit(1)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
pixview.warm_up()
""")
