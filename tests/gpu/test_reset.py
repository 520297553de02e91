# SPDX-License-Identifier: Apache-2.0
"""cv2.cuda.resetDevice(): what belongs to the old context is dead. In a process of its own."""

import subprocess
import sys

import pytest

from .util import cv2

pytestmark = pytest.mark.alone

CODE = """if True:
    import faulthandler
    faulthandler.enable()
    import contextlib
    import cv2, numpy as np, pixview
    mat, stream = cv2.cuda.GpuMat(10, 10, cv2.CV_8UC3), cv2.cuda.Stream()
    mat.setTo((9, 9, 9, 9))
    view = pixview.view(mat)
    copy = pixview.view(view, copy=True, stream=stream)
    ordered = pixview.view(pixview.view(mat), stream=stream)
    planes = pixview.view(mat, layout="CHW")
    dead = [mat, stream]  # OpenCV would crash at their end; they are not our affair
    cv2.cuda.resetDevice()
    views = []
    with contextlib.suppress(pixview.DeviceError):  # with several GPUs the driver is asked whose it is
        views.append(pixview.view(mat))
    del copy, ordered
    print("dropped", flush=True)
    # The addresses are given again: a free of the old views would take the new memory away.
    mats = [cv2.cuda.GpuMat(10, 10, cv2.CV_8UC3) for _ in range(4)]
    for i, m in enumerate(mats):
        m.setTo((i,) * 4)
    print("new GpuMats", flush=True)
    del view, planes, views
    print("old views are gone", flush=True)
    others = [cv2.cuda.GpuMat(10, 10, cv2.CV_8UC3) for _ in range(4)]
    for m in others:
        m.setTo((77,) * 4)
    for i, m in enumerate(mats):
        assert (m.download() == i).all(), i
    stream = cv2.cuda.Stream()
    again = pixview.view(mats[3], copy=True, stream=stream)  # kernels and events are made anew
    back = pixview.as_numpy(again, copy=True)
    assert (back == 3).all()
    print("worked", flush=True)
    import os
    os._exit(0)
"""


def test_reset():
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0 and "worked" in run.stdout, (cv2.__version__, run.stdout, run.stderr)
