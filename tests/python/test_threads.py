# SPDX-License-Identifier: Apache-2.0
"""Threads that share images, an interrupt inside a long host copy, and a fork while one runs."""

from __future__ import annotations

import pytest
from soak import threads
from support import check_python


def test_threads_share_images() -> None:
    assert "steps" in threads.run(1.0)


INTERRUPTED = """
import os, signal, sys, threading, time
import numpy as np, pixview

src, dst = np.zeros((3000, 3000, 3), np.uint8), np.zeros((3, 3000, 3000), np.uint8)
counts = sys.getrefcount(src), sys.getrefcount(dst)
rounds = 0
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    while True:
        src[:] = rounds % 250
        dst[:] = rounds % 250
        pixview.copy_into(dst, src, dst_layout="CHW")
        rounds += 1
        for _ in range(10):
            pixview.copy_into(dst, src, dst_layout="CHW")
except KeyboardInterrupt:
    pass
assert (sys.getrefcount(src), sys.getrefcount(dst)) == counts
src[:] = 251
pixview.copy_into(dst, src, dst_layout="CHW")
assert (dst == 251).all()
print("right")
"""


@pytest.mark.parametrize("count", ["1", "3"])
def test_an_interrupt_in_a_long_copy(count: str) -> None:
    """The copy ends, KeyboardInterrupt follows, nothing is held any more and the next copy is right."""
    assert check_python(INTERRUPTED, PIXVIEW_NUM_THREADS=count) == "right\n"


FORKED = """
import os, sys, threading, warnings
import numpy as np, pixview

warnings.simplefilter("ignore")
src = np.arange(1000 * 1000 * 3, dtype=np.uint32).astype(np.uint8).reshape(1000, 1000, 3)
stop = False

def copy():
    dst = np.empty((3, 1000, 1000), np.uint8)
    pixview.copy_into(dst, src, dst_layout="CHW")
    return (dst == src.transpose(2, 0, 1)).all()

def copy_on():
    while not stop:
        assert copy()

others = [threading.Thread(target=copy_on) for _ in range(3)]
for thread in others:
    thread.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        os._exit(17 if copy() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17
stop = True
for thread in others:
    thread.join()
print("right")
"""


def test_a_fork_while_copies_run() -> None:
    """The pool's lock may be held and its job running: the child has neither."""
    assert check_python(FORKED, PIXVIEW_NUM_THREADS="3") == "right\n"
