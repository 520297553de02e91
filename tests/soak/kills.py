# SPDX-License-Identifier: Apache-2.0
"""Kills processes that share images: usage: kills.py [--device cpu] [COUNT]

A victim is killed with SIGKILL between its steps, in front of each system call of pixview and of the fake driver,
between a change of shared memory and the next one, or at a random moment. It is the one that made the images, one
that opens them, or one that opens them and shares them on. The others get the right pixels or a typed
error in time, have all frames back, and keep nothing: no descriptor, mapping, thread, socket or GPU memory.
"""

from __future__ import annotations

import argparse
import ctypes
import faulthandler
import gc
import os
import pickle
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pixview

SHAPE = (6, 7, 3)
FRAMES = 2
KEEP = 0.1  # SECONDS that what a victim sent or was sent is held, unless somebody opens it
LIMIT = 20  # SECONDS for anything; who takes longer hangs
ERRORS = (pixview.ShareError, pixview.CudaError, EOFError, ConnectionError, BrokenPipeError)

Plan = tuple[str, str, str, int]  # role, device, way, number


def filled(device: str, pool: pixview.Pool, value: int) -> pixview.Image:
    return pool.copy(np.full(SHAPE, value, np.uint8), timeout=LIMIT)


def pixels(image: pixview.Image) -> set[int]:
    on_host = image.device[0] == "cpu"
    return set(np.unique(pixview.as_numpy(image, layout="HWC", copy=not on_host)).tolist())


def receive(pipe: Connection) -> bytes:
    if not pipe.poll(LIMIT):
        raise TimeoutError("nothing came")
    return pipe.recv_bytes()


# ---- victims -----------------------------------------------------------------------------------------------


class Steps:
    """Called between the steps of a script."""

    done = 0
    last = -1  # where it ends

    def __call__(self) -> None:
        if self.done == self.last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.done += 1


step = Steps()


def make(pipe: Connection, device: str, keep: float) -> None:
    """Makes a pool, and sends frames of it and a copy."""
    step()
    pool = pixview.Pool(SHAPE, "uint8", FRAMES, device=device)
    for value in (1, 2, 3):
        step()
        frame = filled(device, pool, value)
        step()
        share = pixview.share(frame)
        step()
        data = pickle.dumps(share)
        step()
        pipe.send_bytes(data)
        step()
        del frame
        step()
        del share
    step()
    if device == "cpu":
        pipe.send_bytes(pickle.dumps(pixview.share(np.full(SHAPE, 4, np.uint8))))
    step()
    receive(pipe)
    step()
    pool.close()
    step()


def use(pipe: Connection, device: str, keep: float) -> None:
    """Opens what comes; the last is not wanted."""
    held = []
    for value in (1, 2):
        step()
        share = pickle.loads(receive(pipe))
        step()
        image = share.open()
        step()
        assert pixels(image) == {value}
        held.append(image)
        step()
        pipe.send_bytes(b"opened")
        step()
        del share, image
        step()
    held.clear()
    step()
    share = pickle.loads(receive(pipe))
    step()
    del share
    step()
    pipe.send_bytes(b"over")
    step()


def pass_on(pipe: Connection, device: str, keep: float) -> None:
    """Opens an image, shares it and a part of it on."""
    step()
    share = pickle.loads(receive(pipe))
    step()
    image = share.open()
    step()
    again = pixview.share(image, keep=keep)
    part = pixview.share(image.crop(1, 1, 2, 3), keep=keep)
    step()
    pipe.send_bytes(pickle.dumps(again))
    step()
    pipe.send_bytes(pickle.dumps(part))
    del share, image
    step()
    del again
    step()
    receive(pipe)
    del part
    step()


def keep_in(way: str) -> float:
    return LIMIT if way == "whole" else KEEP


VICTIMS = {"maker": make, "user": use, "middle": pass_on}


def run_victim(pipe: Connection, plan: Plan, system: Any) -> None:
    role, device, way, number = plan
    step.last = number if way == "step" else -1
    if system:
        system.fake_system_kill(number + 1 if way == "call" else 0)
    try:
        VICTIMS[role](pipe, device, keep_in(way))
    except (EOFError, ConnectionError, pixview.ShareError):  # on a busy machine it comes too late
        return
    pipe.send((step.done, system.fake_system_calls() if system else 0))


# ---- where victims come from -----------------------------------------------------------------------------------


def load_system() -> Any:
    """tests/c/fake_system.c, if it is preloaded."""
    names = ctypes.CDLL(None)
    if not hasattr(names, "fake_system_watch"):
        return None
    if "PIXVIEW_FAKE_DRIVER" in os.environ:
        ctypes.CDLL(os.environ["PIXVIEW_FAKE_DRIVER"])
        assert names.fake_system_watch(b"libfakecuda")
    assert names.fake_system_watch(os.path.basename(pixview._core.__file__).encode())
    return names


def nursery(link: socket.socket) -> None:
    """Forks a victim for each message, which comes with its pipe."""
    system = load_system()
    while True:
        data, fds, _, _ = socket.recv_fds(link, 4096, 1)
        if not data:
            return
        pid = os.fork()
        if pid == 0:
            link.close()
            with Connection(fds[0]) as pipe:
                run_victim(pipe, pickle.loads(data), system)
            sys.exit()
        os.close(fds[0])
        link.send(pickle.dumps(pid))
        link.recv(1)  # until then nobody else gets its number
        status = os.waitpid(pid, 0)[1]
        link.send(pickle.dumps(os.waitstatus_to_exitcode(status)))


def third(link: socket.socket) -> None:
    """Opens what it gets and says what it saw; lets go of all and says what it has."""
    held: list[Any] = []
    lib = fake_driver()
    while data := link.recv(1 << 16):
        answer: Any
        if data == b"drop":
            held.clear()
            gc.collect()
            answer = None
        elif data == b"counts":
            answer = counts(lib)
        else:
            try:
                held.append(pickle.loads(data).open(timeout=LIMIT / 2))
                answer = pixels(held[-1])
            except ERRORS as error:
                answer = error
        link.send(pickle.dumps(answer))


class Other:
    """A process of this program."""

    def __init__(self, name: str, env: dict[str, str]) -> None:
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.link.settimeout(LIMIT)
        argv = [sys.executable, __file__, f"--{name}={theirs.fileno()}"]
        os.set_inheritable(theirs.fileno(), True)
        self.pid = os.posix_spawn(sys.executable, argv, env)
        theirs.close()

    def __call__(self, data: bytes) -> Any:
        self.link.send(data)
        return self.answer()

    def answer(self) -> Any:
        data = self.link.recv(1 << 16)
        if not data:
            raise RuntimeError("a process of the sweep itself is gone")
        return pickle.loads(data)

    def close(self) -> None:
        self.link.close()
        os.waitpid(self.pid, 0)


# ---- what may leak ---------------------------------------------------------------------------------------------


def fake_driver() -> Any:
    path = os.environ.get("PIXVIEW_FAKE_DRIVER")
    return ctypes.CDLL(path) if path else None


def links(pid: Any = "self") -> Iterator[str]:
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        try:
            yield os.readlink(f"{folder}/{name}")
        except FileNotFoundError:  # of the listing itself
            pass


def counts(lib: Any) -> dict[str, int]:
    with open("/proc/self/maps") as maps:
        mapped = sum("/memfd:" in line for line in maps)
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "mappings": mapped,
        "GPU memory": lib.fake_live_shared() if lib else 0,
        "threads": len(os.listdir("/proc/self/task")),
        "/dev/shm": sum(link.startswith("/dev/shm") for link in links()),
    }


def sockets() -> set[str]:
    with open("/proc/net/unix") as file:
        return {line.split("@pixview-")[1].strip() for line in file if "@pixview-" in line}


def key_of(data: bytes) -> str:
    """Of the process that made what was pickled: the name of its socket."""
    at = data.index(b"pxvh")
    return data[at + 16 : at + 24].hex()


# ---- the survivors ---------------------------------------------------------------------------------------------


class Sweep:
    def __init__(self, devices: list[str]) -> None:
        env = dict(os.environ)
        driver = env.get("PIXVIEW_FAKE_DRIVER", "")
        preload = Path(driver).parent / "libfakesystem.so"
        self.exact = bool(driver) and preload.exists()
        self.third = Other("third", env)
        if self.exact:
            env["LD_PRELOAD"] = f"{preload} {env.get('LD_PRELOAD', '')}".strip()
        self.nursery = Other("nursery", env)
        self.lib = fake_driver()
        self.pools = {d: pixview.Pool(SHAPE, "uint8", FRAMES, device=d) for d in devices}
        self.runs = self.kills = self.leaks = 0
        self.wrong: list[str] = []
        self.keys: set[str] = set()
        self.held: list[tuple[Any, set[int]]] = []

    def survive(self, pipe: Connection, role: str, device: str, keep: float) -> None:
        """The other half of a victim's script."""
        pool = self.pools[device]
        if role == "maker":
            wanted = [1, 2, 3] + [4] * (device == "cpu")
            for value in wanted:
                data = receive(pipe)
                self.keys.add(key_of(data))
                image = pickle.loads(data).open(timeout=LIMIT / 2)
                self.held.append((image, {value}))
                assert pixels(image) == {value}, f"{pixels(image)} instead of {value}"
                self.held = self.held[-1:]  # its pool has two frames
            pipe.send_bytes(b"over")
        elif role == "user":
            for value in (1, 2, 3):
                pipe.send_bytes(pickle.dumps(pixview.share(filled(device, pool, value), keep=keep)))
                receive(pipe)
        else:
            pipe.send_bytes(pickle.dumps(pixview.share(filled(device, pool, 5), keep=keep)))
            for _ in range(2):
                data = receive(pipe)
                self.keys.add(key_of(data))
                seen = self.third(data)
                if isinstance(seen, BaseException):
                    raise seen
                assert seen == {5}, f"{seen} instead of 5"
            pipe.send_bytes(b"over")

    def one(self, plan: Plan) -> Any:
        """The victim's last message: how many steps and calls there were; None: it was killed."""
        role, device, way, number = plan
        mine, theirs = socket.socketpair()
        pipe = Connection(mine.detach())
        socket.send_fds(self.nursery.link, [pickle.dumps(plan)], [theirs.fileno()])
        theirs.close()
        pid = self.nursery.answer()
        timer = threading.Timer(number / 1e6, os.kill, (pid, signal.SIGKILL))
        if way == "delay":
            timer.start()
        faulthandler.dump_traceback_later(4 * LIMIT, exit=True)
        told = None
        started = time.monotonic()
        try:
            self.survive(pipe, role, device, keep_in(way))
            told = pickle.loads(receive(pipe))
        except ERRORS:
            pass
        except Exception as error:
            self.wrong.append(f"{plan}: {type(error).__name__}: {error}")
        pipe.close()
        timer.cancel()
        if way == "delay":
            timer.join()
        code = self.nursery(b"r")
        for image, wanted in self.held:
            if (now := pixels(image)) != wanted:
                self.wrong.append(f"{plan}: {now} instead of {wanted} after the end")
        self.held.clear()
        self.third(b"drop")
        if time.monotonic() - started > LIMIT / 2:
            self.wrong.append(f"{plan}: took {time.monotonic() - started:.1f} s")
        self.runs += 1
        self.kills += code == -signal.SIGKILL
        if code not in (0, -signal.SIGKILL):
            self.wrong.append(f"{plan}: the victim ended with {code}")
        return told

    def counts(self) -> tuple[Any, ...]:
        gc.collect()
        mine, theirs = counts(self.lib), self.third(b"counts")
        used = {f"frames on {d} in use": FRAMES - p.idle for d, p in self.pools.items()}
        left = {"sockets of the dead": len(self.keys & sockets())}
        nursery = {"the nursery's descriptors": len(os.listdir(f"/proc/{self.nursery.pid}/fd"))}
        theirs = {f"the third's {name}": value for name, value in theirs.items()}
        return mine, theirs, used, left, nursery

    def check(self, plan: Plan, before: tuple[Any, ...]) -> None:
        """Fewer is right: the third keeps the event of each frame until it gets another for it, or none."""
        end = time.monotonic() + 5
        while more := [
            f"{plan}: {name}: {count} instead of {a[name]}"
            for a, b in zip(before, self.counts(), strict=True)
            for name, count in b.items()
            if count > a[name]
        ]:
            if time.monotonic() > end:
                self.leaks += 1
                self.wrong += more
                return
            time.sleep(0.01)

    def plans(self, seed: int) -> Iterator[Plan]:
        """Whole scripts first, to know their length; then each place once, then random ones."""
        rng = random.Random(seed)
        places: list[Plan] = []
        for role in VICTIMS:
            for device in self.pools:
                for _ in range(FRAMES):  # what is opened once for each frame stays
                    start = time.monotonic()
                    told = self.one((role, device, "whole", 0))
                if not told:
                    self.wrong.append(f"{role} on {device} does not come through by itself")
                    continue
                steps, calls = told
                microseconds = int((time.monotonic() - start) * 1e6)
                places += [(role, device, "step", n) for n in range(steps)]
                places += [(role, device, "call", n) for n in range(calls)]
                places += [
                    (role, device, "delay", rng.randrange(microseconds)) for _ in range(calls // 4)
                ]
        self.places = len(places)
        while places:
            rng.shuffle(places)
            yield from places

    def close(self) -> None:
        self.nursery.close()
        self.third.close()


def default_devices() -> list[str]:
    fake = "PIXVIEW_FAKE_DRIVER" in os.environ and pixview._core._doctor()["kernels"]
    return ["cpu", "cuda"] if fake else ["cpu"]


def sweep(count: int, devices: list[str], seed: int) -> int:
    runs = Sweep(devices)
    shown = start = time.monotonic()
    plans = runs.plans(seed)
    first = next(plans)
    runs.runs = runs.kills = 0
    time.sleep(2 * KEEP)
    before = runs.counts()
    plan: Plan = first
    while runs.runs < count and len(runs.wrong) < 20:
        runs.one(plan)
        runs.check(plan, before)
        plan = next(plans)
        if time.monotonic() - shown > 5:
            shown = time.monotonic()
            print(f"  {runs.runs} of {count} runs, {runs.kills} kills", file=sys.stderr)
    runs.close()
    faulthandler.cancel_dump_traceback_later()
    print("\n".join(runs.wrong), file=sys.stderr)
    exact = "" if runs.exact else "; no exact places, for want of libfakesystem.so"
    print(
        f"{runs.runs} runs at {runs.places} places on {' and '.join(devices)} (seed {seed}), "
        f"{runs.kills} kills, {runs.leaks} leaks, {len(runs.wrong)} wrong, "
        f"{time.monotonic() - start:.0f} s{exact}"
    )
    return 1 if runs.wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=500)
    parser.add_argument("--device", action="append")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--nursery", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--third", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    for name in ("nursery", "third"):
        if (fd := getattr(args, name)) is not None:
            os.set_inheritable(fd, False)
            globals()[name](socket.socket(fileno=fd))
            return 0
    return sweep(args.count, args.device or default_devices(), args.seed)


if __name__ == "__main__":
    sys.exit(main())
