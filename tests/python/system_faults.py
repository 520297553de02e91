# SPDX-License-Identifier: Apache-2.0
"""Calls of the system, and of the driver, fail one after the other, for who shares images: usage: python system_faults.py cpu|cuda

In a process of its own, with libfakesystem.so preloaded. Each call gives right pixels or a typed error in time,
the next one works, and descriptors, mappings and frames are as before.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pixview
from other_process import OtherProcess

SHAPE = (6, 7, 3)
TYPED = (pixview.ShareError, pixview.CudaError, pixview.UnsupportedError, MemoryError)
device = sys.argv[1]
system = ctypes.CDLL(None)
system.fake_system_failed.restype = ctypes.c_char_p
driver = ctypes.CDLL(os.environ["PIXVIEW_FAKE_DRIVER"])
driver.fake_calls.restype = ctypes.c_char_p
wrong: list[str] = []
faults = 0


def pixels(x: Any) -> set[int]:
    return set(np.unique(pixview.as_numpy(x, layout="HWC", copy=True)).tolist())


def filled(pool: pixview.Pool, value: int) -> Any:
    return pool.copy(np.full(SHAPE, value, np.uint8), timeout=5)


def counts() -> tuple[int, ...]:
    """But for events, which an entry of the ledger keeps for the next image."""
    gc.collect()
    with open("/proc/self/maps") as maps:
        mapped = sum("/memfd:" in line and "fake-cuda-event" not in line for line in maps)
    files = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            files += "fake-cuda-event" not in os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # of the listing itself
            pass
    return files, mapped, driver.fake_live_shared()


def settled(before: tuple[int, ...]) -> tuple[int, ...]:
    end = time.monotonic() + 5
    while any(a > b for a, b in zip(counts(), before, strict=True)) and time.monotonic() < end:
        time.sleep(0.005)
    return counts()


class SystemFaults:
    def __init__(self, code: int) -> None:
        self.name, self.code = f"errno {code}", code

    def start(self, n: int) -> None:
        system.fake_system_fail(n, self.code)

    def end(self, n: int) -> str | None:
        """What failed."""
        failed = system.fake_system_failures() >= n
        name = str(system.fake_system_failed().decode())
        system.fake_system_fail(0, 0)
        return name if failed else None

    def may_leak(self, name: str) -> bool:
        return False


class DriverFaults:
    """Calls of the driver, by whichever thread."""

    name = "driver"
    gives_back = "Unmap Free Release Close Destroy Pop Push GetId ExchangeStream Retain".split()

    def start(self, n: int) -> None:
        driver.fake_reset()
        driver.fake_fail_at(n, 999)

    def end(self, n: int) -> str | None:
        calls = driver.fake_calls().decode().split()
        driver.fake_fail_at(0, 0)
        return calls[n - 1] if len(calls) >= n else None

    def may_leak(self, name: str) -> bool:
        """A release that fails has nobody to tell."""
        return any(word in name for word in self.gives_back)


KINDS: list[Any] = [SystemFaults(code) for code in (errno.EMFILE, errno.ENOMEM, errno.EINTR)]
if device == "cuda":
    KINDS.append(DriverFaults())


def one(where: str, call: Callable[[], Any], clean: Callable[[], None], kind: Any, n: int) -> bool:
    """The nth fails. False: there is none."""
    before = settled(counts())
    start = time.monotonic()
    kind.start(n)
    try:
        call()
    except TYPED:
        pass
    except BaseException as error:
        wrong.append(f"{where}: {type(error).__name__}: {error}")
    clean()
    gc.collect()
    failed = kind.end(n)
    where += f", {failed}"
    if time.monotonic() - start > 5:
        wrong.append(f"{where}: took {time.monotonic() - start:.1f} s")
    if failed and kind.may_leak(failed):
        return True
    now = settled(before)
    if any(a > b for a, b in zip(now, before, strict=True)):
        wrong.append(f"{where}: descriptors, mappings, GPU memory {now} instead of {before}")
    return bool(failed)


def sweep(name: str, call: Callable[[], Any], clean: Callable[[], None] = lambda: None) -> None:
    """Each call of the system and of the driver fails once, until a run comes through."""
    global faults
    for _ in range(2):
        call()
        clean()
    for kind in KINDS:
        n = 1
        while one(f"{name}, {kind.name} {n}", call, clean, kind, n) and len(wrong) < 20:
            n += 1
        faults += n - 1
    call()  # and it works afterwards
    clean()


def first_start() -> None:
    """A fork starts as another process: what begins once, and fails once."""
    global faults
    for code in (errno.EMFILE, errno.EPERM):
        for n in range(1, 1000):
            pid = os.fork()
            if pid == 0:
                os._exit(start_in_child(n, code))
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if status > 1:
                wrong.append(f"start, errno {code} at call {n}: {status}")
            if status == 0:
                break
            faults += 1


def start_in_child(n: int, code: int) -> int:
    system.fake_system_fail(n, code)
    try:
        pixview.Pool(SHAPE, "uint8", 2)
    except TYPED:
        pass
    except BaseException:
        return 2
    failed = system.fake_system_failures() >= n
    system.fake_system_fail(0, 0)
    pool = pixview.Pool(SHAPE, "uint8", 2)
    share = pixview.share(filled(pool, 7))
    return int(failed) if pixels(share.open()) == {7} else 3


def no_thread() -> None:
    """Refused again and again, it keeps nothing."""
    pid = os.fork()
    if pid == 0:
        system.fake_system_fail_all(b"pthread_create", errno.EAGAIN)
        sizes = []
        for _ in range(200):
            try:
                pixview.Pool(SHAPE, "uint8", 2)
                os._exit(1)
            except pixview.ShareError as error:
                assert "thread" in str(error)
            with open("/proc/self/statm") as file:
                sizes.append(int(file.read().split()[0]))
        system.fake_system_fail_all(b"", 0)
        pool = pixview.Pool(SHAPE, "uint8", 2)
        if pixels(filled(pool, 7)) != {7}:
            os._exit(2)
        os._exit(3 if sizes[-1] - sizes[10] > 2000 else 0)
    if status := os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        wrong.append(f"without a thread: {status}")


def connect_anew() -> None:
    """Each with a process of its own, whose memory is mapped for the first time."""
    global faults
    for kind in (KINDS[0], KINDS[-1]):
        for n in range(1, 25):
            with OtherProcess() as other:
                data = pickle.dumps(other("share_new", "a", SHAPE, "uint8", device, 42))

                def connect(data: bytes = data) -> None:
                    if pixels(pickle.loads(data).open(timeout=2)) != {42}:
                        wrong.append("other pixels")

                before = counts()
                kind.start(n)
                try:
                    connect()
                except TYPED:
                    pass
                gc.collect()
                failed = kind.end(n)
                connect()
            now = before if failed and kind.may_leak(failed) else settled(before)
            if any(a > b for a, b in zip(now, before, strict=True)):
                wrong.append(f"connect, {kind.name} {n}, {failed}: {now} instead of {before}")
            if not failed:
                break
            faults += 1


def main() -> int:
    assert system.fake_system_watch(os.path.basename(pixview._core.__file__).encode())
    no_thread()
    first_start()
    held: list[Any] = []
    sweep("Pool", lambda: pixview.Pool(SHAPE, "uint8", 2, device=device))
    pool = pixview.Pool(SHAPE, "uint8", 2, device=device)
    sweep("get, fill", lambda: filled(pool, 3))
    frames = [filled(pool, 3)]
    sweep("share, send", lambda: pickle.dumps(pixview.share(frames[0], keep=0.05)))
    if device == "cpu":
        array = np.full(SHAPE, 4, np.uint8)
        sweep("share of a copy", lambda: pixview.share(array))
    with OtherProcess() as other:
        data = [
            pickle.dumps(other("share_new", str(i), SHAPE, "uint8", device, 42)) for i in range(2)
        ]

        def open_it(which: int = 0) -> None:
            x = pickle.loads(data[which]).open(timeout=2)
            held.append(x)
            if pixels(x) != {42}:
                wrong.append("other pixels")

        sweep("open", open_it, held.clear)
        sweep("open, share on", lambda: pixview.share(pickle.loads(data[1]).open(timeout=2)))
        sweep("decline", lambda: pixview._core._share_from_bytes(pickled(data[0])))

    connect_anew()
    frames.clear()
    end = time.monotonic() + 5
    while pool.idle != 2 and time.monotonic() < end:
        time.sleep(0.01)
    if pool.idle != 2:
        wrong.append(f"{pool.idle} frames idle")
    print(f"{faults} faults")
    print("\n".join(wrong))
    return 1 if wrong else 0


def pickled(data: bytes) -> bytes:
    at = data.index(b"pxvh")
    return data[at : at + 256]


if __name__ == "__main__":
    sys.exit(main())
