# SPDX-License-Identifier: Apache-2.0
"""Large host moves: other Python threads run meanwhile, more threads take part, and a fork works."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pixview
import pytest
from support import check_python, not_sanitized


class Waiting:
    """A thread that waits for the GIL, with no right to ask for it: has it run?"""

    def __init__(self) -> None:
        self.ran: list[int] = []
        self.gate = threading.Lock()
        self.gate.acquire()
        self.thread = threading.Thread(target=self.mark)

    def mark(self) -> None:
        with self.gate:
            self.ran.append(1)

    def __enter__(self) -> Waiting:
        self.before = sys.getswitchinterval()
        sys.setswitchinterval(1000)
        self.thread.start()
        self.gate.release()  # from here on it wants the GIL
        return self

    def __exit__(self, *error: Any) -> None:
        sys.setswitchinterval(self.before)
        self.thread.join()


def ran_beside(copy: Callable[[], Any], times: int) -> bool:
    with Waiting() as other:
        for _ in range(times):
            copy()
            if other.ran:
                return True
        return False


@pytest.mark.parametrize("rows", [512, 1023])
def test_a_short_copy_keeps_the_gil(rows: int) -> None:
    """Below 1 MB it takes less than getting the GIL back."""
    src, dst = np.ones((rows, 1024), np.uint8), np.empty((rows, 2048), np.uint8)[:, ::2]
    assert not ran_beside(lambda: pixview.copy_into(dst, src), 1000)


@pytest.mark.parametrize("rows", [1024, 4096])
def test_a_long_copy_gives_the_gil_away(rows: int) -> None:
    src, dst = np.ones((rows, 1024), np.uint8), np.empty((rows, 2048), np.uint8)[:, ::2]
    assert ran_beside(lambda: pixview.copy_into(dst, src), 20_000)


@pytest.mark.parametrize("upload", [False, True])
def test_a_copy_by_the_driver_gives_the_gil_away(fake: Any, upload: bool) -> None:
    """It may wait for the GPU, however short it is."""
    near, far = np.zeros((4, 5, 3), np.uint8), fake.image(np.zeros((4, 5, 3), np.uint8))
    src, dst = (near, far) if upload else (far, near)
    assert ran_beside(lambda: pixview.copy_into(dst, src), 20_000)


CHILD = """
import os, sys, threading
import numpy as np, pixview

def threads():
    return len(os.listdir("/proc/self/task"))

src = np.arange(1200 * 1700 * 3, dtype=np.uint32).astype(np.uint8).reshape(1200, 1700, 3)
before = threads()
def good():
    dst = np.empty((3, 1200, 1700), np.uint8)
    pixview.copy_into(dst, src, dst_layout="CHW")
    return (dst == src.transpose(2, 0, 1)).all()
assert good()
assert threads() - before == int(sys.argv[1]) - 1, (before, threads())
child = os.fork()
if child == 0:
    os._exit(17 if threads() == 1 and good() and threads() == int(sys.argv[1]) else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17
print("left")
"""


@pytest.mark.parametrize(
    ("environment", "count"),
    [
        ({"PIXVIEW_NUM_THREADS": "3", "OMP_NUM_THREADS": "2"}, 3),
        ({"OMP_NUM_THREADS": "2,4"}, 2),
        ({"PIXVIEW_NUM_THREADS": "1"}, 1),
        ({"PIXVIEW_NUM_THREADS": "1e3", "OMP_NUM_THREADS": "3"}, 3),
        ({"PIXVIEW_NUM_THREADS": "none", "OMP_NUM_THREADS": "0"}, None),
    ],
)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads in /proc")
@pytest.mark.skipif(
    os.environ.get("PIXVIEW_SANITIZED") == "thread", reason="the thread sanitizer has one more"
)
def test_threads_of_a_process(environment: dict[str, str], count: int | None) -> None:
    """As many as asked for, none at import, as many again in a child; and the process ends."""
    env = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")} | environment
    count = count or min(4, len(os.sched_getaffinity(0)))  # 12 MB move: no more than 4
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, str(count)],
        env=env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout == "left\n", done.stderr
    assert done.returncode == 0


@not_sanitized
def test_a_thread_with_a_small_stack_resizes() -> None:
    check_python("""
import threading
import numpy as np, pixview

def resize():
    for interpolation in ("linear", "area", "pil-bicubic"):
        for x in (image, pixview.to_video_frame(image, matrix="bt709", range="full")):
            pixview.stack([x], to="numpy", size=(20, 30), fit="cover", interpolation=interpolation)
    done.append(True)

image, done = np.ones((30, 400, 3), np.uint8), []
resize()
threading.stack_size(256 << 10)
thread = threading.Thread(target=resize)
thread.start()
thread.join()
assert done == [True, True]
""")
