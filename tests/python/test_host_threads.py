"""Large host moves: other Python threads run meanwhile, more threads take part, and a fork works."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pixview
import pytest
from support import not_sanitized


@pytest.fixture
def long_turns():
    """A thread that runs Python keeps the GIL for half a second, if nobody gives it away."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.5)
    yield
    sys.setswitchinterval(before)


@not_sanitized
def test_a_short_copy_keeps_the_gil(long_turns: None) -> None:
    src, dst = np.ones((590, 590, 3), np.uint8), np.empty((3, 590, 590), np.uint8)
    stop = False

    def spin() -> None:
        while not stop:
            pass

    busy = threading.Thread(target=spin)
    busy.start()
    stalls = 0
    for _ in range(1000):
        begin = time.monotonic()
        pixview.copy_into(dst, src, dst_layout="CHW")
        stalls += time.monotonic() - begin > 0.25
        if stalls > 3:
            break
    stop = True
    busy.join()
    assert stalls <= 3, "a turn of the other thread is due now and then, not at every copy"


def test_a_long_copy_gives_the_gil_away(long_turns: None) -> None:
    sys.setswitchinterval(1000)
    src, dst = np.ones((2000, 2000, 3), np.uint8), np.empty((3, 2000, 2000), np.uint8)
    gate, ran = threading.Lock(), []
    gate.acquire()

    def mark() -> None:
        with gate:
            ran.append(1)

    other = threading.Thread(target=mark)
    other.start()
    gate.release()  # from here on it wants the GIL
    for _ in range(2000):
        pixview.copy_into(dst, src, dst_layout="CHW")
        if ran:
            break
    assert ran
    sys.setswitchinterval(0.01)
    other.join()


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
