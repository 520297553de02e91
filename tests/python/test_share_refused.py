# SPDX-License-Identifier: Apache-2.0
"""What the system refuses, handles of others, and peers that talk nonsense: typed errors in time, and nothing kept."""

from __future__ import annotations

import gc
import os
import pickle
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pixview
import pytest
from other_process import OtherProcess
from seccomp import ARCH, KILL, refuse
from support import SANITIZED, image, run_preloaded
from test_share import SHAPE, becomes, descriptors, in_fork, memories, pool

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can")


@pytest.fixture
def other() -> Iterator[OtherProcess]:
    with OtherProcess() as process:
        yield process


def files_open() -> int:
    gc.collect()  # an exception keeps what its frames have
    return descriptors()


def flat(before: int) -> bool:
    return becomes(lambda: files_open() <= before, True)


def sent(value: int = 7, keep: float = 60) -> bytes:
    return pickle.dumps(pixview.share(pool(1).copy(np.full(SHAPE, value, np.uint8)), keep=keep))


def opened(data: bytes) -> set[int]:
    return set(np.asarray(pickle.loads(data).open(timeout=5)).ravel().tolist())


# ---- handles -------------------------------------------------------------------------------------------

KEY, BOOT, PID, GENERATION, SEGMENT, SIZED = 16, 32, 40, 48, 56, 248


def sum_of(handle: bytes) -> int:
    value = 14695981039346656037
    for byte in handle[KEY:SIZED]:
        value = (value ^ byte) * 1099511628211 % (1 << 64)
    return value


def forged(data: bytes, at: int, field: bytes) -> bytes:
    """The same pickle with other bytes in its handle, as somebody makes it who knows how."""
    start = data.index(b"pxvh")
    handle = bytearray(data[start : start + 256])
    assert struct.unpack_from("Q", handle, 8)[0] == sum_of(handle)
    handle[at : at + len(field)] = field
    struct.pack_into("Q", handle, 8, sum_of(handle))
    return data[:start] + bytes(handle) + data[start + 256 :]


def key_of(data: bytes) -> bytes:
    at = data.index(b"pxvh") + KEY
    return data[at : at + 16]


def test_stale_generation(other: OtherProcess) -> None:
    frames = pool(1)
    old = pickle.dumps(pixview.share(frames.get()))
    del_it = pickle.loads(old)
    del del_it  # declined
    assert becomes(lambda: frames.idle, 1)
    frame = frames.copy(image(*SHAPE))
    new = pickle.dumps(pixview.share(frame))
    with pytest.raises(pixview.ShareError, match="let go of"):
        pickle.loads(old).open()
    with pytest.raises(pixview.ShareError, match="let go of"):
        other("run", f"import pickle; pickle.loads({old!r}).open()")
    generation = struct.unpack_from("Q", new, new.index(b"pxvh") + GENERATION)[0]
    early = forged(new, GENERATION, struct.pack("Q", generation + 1))
    with pytest.raises(pixview.ShareError, match="let go of"):
        other("run", f"import pickle; pickle.loads({early!r}).open()")
    other("run", f"import pickle; images['a'] = pickle.loads({new!r}).open()")
    assert (other("read", "a") == image(*SHAPE)).all()


def test_segment_that_is_no_more(other: OtherProcess) -> None:
    frames = pool(1)
    data = forged(pickle.dumps(pixview.share(frames.get())), SEGMENT, struct.pack("Q", 1 << 40))
    with pytest.raises(pixview.ShareError, match="let go of"):
        pickle.loads(data).open()
    with pytest.raises(pixview.ShareError, match="let go of"):
        other("run", f"import pickle; pickle.loads({data!r}).open()")


def test_larger_than_the_memory(other: OtherProcess) -> None:
    at = SEGMENT + 16  # the segment's size
    data = forged(sent(), at, struct.pack("q", 1 << 30))
    with pytest.raises(pixview.ShareError, match="sealed"):
        other("run", f"import pickle; pickle.loads({data!r}).open()")


def test_ended_process() -> None:
    before = files_open()
    with OtherProcess() as other:
        share = other("share_new", "p", SHAPE, "uint8", "cpu", 42)
        data = pickle.dumps(share)
    for _ in range(3):
        with pytest.raises(pixview.ShareError, match="gone"):
            pickle.loads(data).open(timeout=1)
    assert flat(before)


def test_reused_pid(other: OtherProcess) -> None:
    """A process is known by a random key. One that got the number of a dead one is not asked."""
    mine = sent()
    with OtherProcess() as gone:
        data = pickle.dumps(gone("share_new", "p", SHAPE, "uint8", "cpu", 42))
    theirs = other("share_new", "p", SHAPE, "uint8", "cpu", 43)
    before = other("call", os.listdir, "/proc/self/fd")
    late = forged(data, PID, struct.pack("q", other.pid))
    assert pickle.loads(late).pid == other.pid
    with pytest.raises(pixview.ShareError, match=f"process {other.pid} .* gone"):
        pickle.loads(late).open(timeout=1)
    assert len(other("call", os.listdir, "/proc/self/fd")) == len(before)
    assert (np.asarray(theirs.open()) == 43).all()
    own = forged(mine, KEY, os.urandom(16))  # our own number, and not our key
    with pytest.raises(pixview.ShareError, match="gone"):
        pickle.loads(own).open(timeout=1)


def test_another_host() -> None:
    data = forged(forged(sent(), BOOT, struct.pack("Q", 5)), KEY, os.urandom(16))
    share = pickle.loads(data)
    for call in (share.open, share.plan):
        with pytest.raises(pixview.ShareError, match="another host"):
            call()


def test_failed_open_keeps_what_was_sent(other: OtherProcess) -> None:
    frames = pool(1)
    share = pixview.share(frames.copy(np.full(SHAPE, 7, np.uint8)))
    other("take", "s", share)
    assert share.unopened == 1
    with pytest.raises(ValueError):
        other("run", "images['s'].open(timeout=-1)")
    assert share.unopened == 1
    other("run", "images['a'] = images['s'].open()")
    assert share.unopened == 0


# ---- memory --------------------------------------------------------------------------------------------


def files(pid: int) -> list[str]:
    folder = f"/proc/{pid}/fd"
    return [
        os.readlink(f"{folder}/{n}") for n in os.listdir(folder) if os.path.exists(f"{folder}/{n}")
    ]


def test_nothing_in_dev_shm(other: OtherProcess) -> None:
    share = other("share_new", "p", (500, 500, 3), "uint8", "cpu", 42)
    mine = share.open()
    for pid in (os.getpid(), other.pid):
        with open(f"/proc/{pid}/maps") as maps:
            assert not any("/dev/shm/pixview" in line for line in maps)
        assert not any(name.startswith("/dev/shm/pixview") for name in files(pid))
    assert not [name for name in os.listdir("/dev/shm") if "pixview" in name]
    del mine


@root
def test_full_dev_shm() -> None:
    code = (
        "import os, pickle, numpy as np, pixview\n"
        "pool = pixview.Pool((500, 500, 3), 'uint8', 2)\n"
        "x = pickle.loads(pickle.dumps(pixview.share(pool.copy(np.full((500, 500, 3), 7, 'u1'))))).open()\n"
        "assert (np.asarray(x) == 7).all()\n"
        "assert os.listdir('/dev/shm') == ['full']\n"
    )
    steps = (
        "mount -t tmpfs -o size=4k none /dev/shm && "
        '{ head -c 65536 /dev/zero >/dev/shm/full 2>/dev/null; exec "$0" -c "$1"; }'
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", steps, sys.executable, code],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(SANITIZED, reason="sanitizers reserve addresses without end")
@pytest.mark.parametrize("limit", ["RLIMIT_AS", "RLIMIT_FSIZE"])
def test_memory_limit(limit: str, other: OtherProcess) -> None:
    other("share_new", "p", SHAPE, "uint8", "cpu", 1)
    before = other("call", os.listdir, "/proc/self/fd")
    with pytest.raises(MemoryError, match="shared host memory"):
        other(
            "run",
            (
                "import pixview, resource\n"
                f"kind = resource.{limit}\n"
                "used = int(open('/proc/self/statm').read().split()[0]) * 4096 if kind == resource.RLIMIT_AS else 0\n"
                "resource.setrlimit(kind, (used + (64 << 20), resource.RLIM_INFINITY))\n"
                "pixview.Pool((1 << 14, 1 << 13), 'uint8', 1)\n"
            ),
        )
    assert len(other("call", os.listdir, "/proc/self/fd")) == len(before)
    other("run", f"import resource; resource.setrlimit(resource.{limit}, (-1, -1))")
    assert (np.asarray(other("share_new", "q", SHAPE, "uint8", "cpu", 9).open()) == 9).all()


@contextmanager
def signals_all_the_time() -> Iterator[None]:
    """As a profiler has them."""
    before = signal.signal(signal.SIGALRM, lambda *unused: None)
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_pool_while_signals_come() -> None:
    with signals_all_the_time():
        for _ in range(3):
            assert pixview.Pool((1 << 13, 1 << 13), "uint8", 1).idle == 1


def test_time_is_over_while_signals_come() -> None:
    with OtherProcess() as stopped:
        data = pickle.dumps(stopped("share_new", "p", SHAPE, "uint8", "cpu", 42))
        stopped.stop()
        try:
            with signals_all_the_time():
                start = time.monotonic()
                with pytest.raises(pixview.ShareError, match="answer"):
                    pickle.loads(data).open(timeout=0.3)
                assert 0.2 < time.monotonic() - start < 3
        finally:
            stopped.go_on()


def test_each_open_has_its_own_time() -> None:
    """Whoever connected first, in vain or not, does not say how long the next ones wait."""
    with OtherProcess() as other:
        first, second, third = (
            pickle.dumps(other("share_new", name, SHAPE, "uint8", "cpu", 42)) for name in "pqr"
        )
        share = pickle.loads(first)
        del share  # declined, which waits for 0.2 s at most
        kept = pickle.loads(second).open(timeout=60)
        other.stop()
        start = time.monotonic()
        with pytest.raises(pixview.ShareError, match="answer"):
            pickle.loads(third).open(timeout=0.2)
        assert time.monotonic() - start < 3
        threading.Timer(0.5, other.go_on).start()
        assert opened(third) == {42}
        del kept


# ---- permissions -----------------------------------------------------------------------------------------

seccomp = pytest.mark.skipif(
    ARCH not in ("x86_64", "aarch64") or not Path("/proc/sys/kernel/seccomp").exists(),
    reason="no seccomp filters here",
)


@seccomp
@pytest.mark.parametrize(
    ("name", "error", "match"),
    [
        ("memfd_create", MemoryError, "memfd_create is not permitted"),
        ("socket", pixview.ShareError, "socket"),
        ("eventfd2", pixview.ShareError, "errno 1"),
    ],
)
def test_seccomp_in_the_owner(name: str, error: Any, match: str, other: OtherProcess) -> None:
    before = len(other("call", os.listdir, "/proc/self/fd"))
    other("call", refuse, name)
    for _ in range(3):
        with pytest.raises(error, match=match):
            other("share_new", "p", SHAPE, "uint8", "cpu", 42)
    assert len(other("call", os.listdir, "/proc/self/fd")) == before
    assert memories(other.pid) == 0


@seccomp
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("memfd_create", MemoryError),
        ("socket", pixview.ShareError),
        ("eventfd2", pixview.ShareError),
        ("connect", pixview.ShareError),
    ],
)
def test_seccomp_in_the_opener(name: str, error: Any, other: OtherProcess) -> None:
    frames = pool(1)
    share = pixview.share(frames.get(), keep=0.5)  # which cannot be declined either
    before = len(other("call", os.listdir, "/proc/self/fd"))
    other("call", refuse, name)
    with pytest.raises(error, match="errno 1|not permitted"):
        other("open", "a", share)
    del share
    gc.collect()
    assert becomes(lambda: frames.idle, 1)
    # What every process has that shares: two sockets, the ledger.
    assert len(other("call", os.listdir, "/proc/self/fd")) <= before + 3


@seccomp
def test_seccomp_in_the_owner_as_it_answers(other: OtherProcess) -> None:
    other("call", refuse, "socketpair")
    share = other("share_new", "p", SHAPE, "uint8", "cpu", 42)
    start = time.monotonic()
    with pytest.raises(pixview.ShareError, match="answer"):
        share.open(timeout=5)
    assert time.monotonic() - start < 4


@seccomp
def test_no_call_that_containers_forbid() -> None:
    with OtherProcess() as one, OtherProcess() as two:
        for process in (one, two):
            process("call", partial(refuse, "pidfd_getfd", "process_vm_readv", answer=KILL))
        share = one("share_new", "p", SHAPE, "uint8", "cpu", 42)
        two("open", "a", share)
        assert (two("read", "a") == 42).all()
        back = two("share", "a")
        one("open", "b", back)
        two("drop", "a")
        assert (one("read", "b") == 42).all()


@root
def test_another_network(other: OtherProcess) -> None:
    share = pixview.share(pool(1).copy(image(*SHAPE)))
    if other("run", "import ctypes; out = ctypes.CDLL(None).unshare(0x40000000)"):
        pytest.skip("no network namespaces here")
    with pytest.raises(pixview.ShareError, match="network of its own"):
        other("open", "a", share)
    theirs = other("share_new", "p", SHAPE, "uint8", "cpu", 42)
    with pytest.raises(pixview.ShareError, match="network of its own"):
        theirs.open()


# ---- descriptors ---------------------------------------------------------------------------------------


def only_descriptors(*fds: int) -> None:
    """What this process has open, from 3 on."""
    for i, fd in enumerate(fds):
        os.dup2(fd, 900 + i)
    for i in range(len(fds)):
        os.dup2(900 + i, 3 + i)
    os.closerange(3 + len(fds), 1000)


def limit_descriptors(most: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


TYPED = (pixview.ShareError, MemoryError)


def test_few_descriptors_in_the_opener() -> None:
    data = sent()
    held = pickle.loads(data)

    def work(limit: int) -> None:
        only_descriptors()
        limit_descriptors(limit)
        start = time.monotonic()
        try:
            assert opened(data) == {7}
        except TYPED as error:
            assert limit < 20
            assert "ulimit" in str(error) or "open files" in str(error), str(error)
        assert time.monotonic() - start < 4
        limit_descriptors(500)
        assert opened(data) == {7}

    keep = held.open()
    before = files_open()
    for limit in range(3, 30):
        assert in_fork(lambda limit=limit: work(limit)) == 0, f"limit {limit}"
    assert flat(before)
    del keep


def test_few_descriptors_in_the_owner() -> None:
    before = files_open()
    for limit in range(3, 30):
        here, there = socket.socketpair()

        def work(limit: int = limit, there: socket.socket = there) -> None:
            only_descriptors(there.fileno())
            limit_descriptors(limit + 1)
            pipe = socket.socket(fileno=3)
            for _ in range(2):
                try:
                    frame = pixview.Pool(SHAPE, "uint8", 1).copy(np.full(SHAPE, 7, np.uint8))
                    answer = pickle.dumps(pixview.share(frame))
                except TYPED as error:
                    answer = pickle.dumps(error)
                pipe.send(answer)
                pipe.recv(1)
                limit_descriptors(500)

        pid = os.fork()
        if pid == 0:
            try:
                work()
                os._exit(0)
            finally:
                os._exit(1)
        there.close()
        here.settimeout(10)
        for last in (False, True):
            answer = pickle.loads(here.recv(10000))
            if isinstance(answer, Exception):
                assert not last and limit < 20
            elif last:
                assert (np.asarray(answer.open(timeout=5)) == 7).all()
            else:
                try:
                    assert (np.asarray(answer.open(timeout=0.3)) == 7).all()
                except pixview.ShareError as error:
                    assert "open files" in str(error), f"limit {limit}: {error}"
            del answer
            here.send(b"+")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        here.close()
    assert flat(before)


def test_owner_without_descriptors_does_not_spin() -> None:
    with OtherProcess() as other:
        data = pickle.dumps(other("share_new", "p", SHAPE, "uint8", "cpu", 42))
        limit = "import os, resource; n = len(os.listdir('/proc/self/fd')) - 1"
        other("run", f"{limit}; resource.setrlimit(resource.RLIMIT_NOFILE, (n, 1000))")
        used = other("run", "import time; out = time.process_time()")
        with pytest.raises(pixview.ShareError, match="open files"):
            pickle.loads(data).open(timeout=1)
        assert other("run", "import time; out = time.process_time()") - used < 0.5
        other("run", "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000))")
        assert opened(data) == {42}


@pytest.mark.skipif(SANITIZED, reason="sanitizers have calls of their own")
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_each_system_call_fails(device: str, request: pytest.FixtureRequest) -> None:
    if device == "cuda":
        request.getfixturevalue("kernels")
    done = run_preloaded("system_faults.py", device, library="libfakesystem.so")
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[0]) > 50, "so few faults are no sweep"


# ---- peers that talk nonsense ----------------------------------------------------------------------------

ENTER, ASK_SEGMENT = 1, 2


def message(
    question: int, number: int = 1, status: int = 0, key: bytes = bytes(16), **how: Any
) -> bytes:
    return struct.pack(
        "=IIi16siI4xQ64s",
        question,
        number,
        status,
        key,
        how.get("peer", 0),
        how.get("slot", 0),
        how.get("segment", 0),
        b"",
    )


def connect(key: bytes) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer.connect(b"\0pixview-" + key[:8].hex().encode())
    peer.settimeout(5)
    return peer


def junk(peer: socket.socket, key: bytes) -> None:
    for size in (1, 16, 111, 113, 4096):
        peer.send(os.urandom(size))


def half(peer: socket.socket, key: bytes) -> None:
    peer.send(message(ENTER, key=key)[:50])


def empty(peer: socket.socket, key: bytes) -> None:
    peer.send(b"")


def other_key(peer: socket.socket, key: bytes) -> None:
    peer.send(message(ENTER, key=os.urandom(16)))


def segment_first(peer: socket.socket, key: bytes) -> None:
    peer.send(message(ASK_SEGMENT, segment=1))


def enters_twice(peer: socket.socket, key: bytes) -> None:
    peer.send(message(ENTER, key=key))
    peer.send(message(ENTER, key=key))


def unknown_question(peer: socket.socket, key: bytes) -> None:
    peer.send(message(99, key=key))


def unknown_segments(peer: socket.socket, key: bytes) -> None:
    peer.send(message(ENTER, key=key))
    for slot in (0, 5, 1023, 1 << 31):
        peer.send(message(ASK_SEGMENT, slot=slot, segment=1 << 50))


def brings_descriptors(peer: socket.socket, key: bytes) -> None:
    socket.send_fds(peer, [message(ENTER, key=key)], [0, 1, 2, 0, 1, 2, 0, 1])


def brings_few(peer: socket.socket, key: bytes) -> None:
    socket.send_fds(peer, [message(ENTER, key=key)], [0, 1])


def never_reads(peer: socket.socket, key: bytes) -> None:
    peer.send(message(ENTER, key=key))
    peer.settimeout(0.2)
    try:
        for number in range(3000):
            peer.send(message(ASK_SEGMENT, number=number + 2, slot=0, segment=1))
    except OSError:
        pass


NONSENSE: list[Callable[[socket.socket, bytes], None]] = [
    junk, half, empty, other_key, segment_first, enters_twice, unknown_question, unknown_segments,
    brings_descriptors, brings_few, never_reads,
]  # fmt: skip


@pytest.mark.parametrize("say", NONSENSE, ids=lambda say: say.__name__)
def test_nonsense(say: Any, other: OtherProcess) -> None:
    frames = pool(2)
    share = pixview.share(frames.copy(image(*SHAPE)))
    key = key_of(pickle.dumps(share))
    other("open", "a", share)
    before = files_open()
    for _ in range(3):
        with connect(key) as peer:
            try:
                say(peer, key)
            except ConnectionError:
                pass  # hung up already
            other("open", "b", share)  # while that one is there
            assert (other("read", "b") == image(*SHAPE)).all()
    assert flat(before)
    with OtherProcess() as late:
        late("open", "c", share)
        assert (late("read", "c") == image(*SHAPE)).all()
    del share
    other("drop", "a", "b")
    assert frames.idle == 1  # one was sent by pickle above, and not opened
    assert flat(before)


@contextmanager
def more_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, min(2000, hard) if hard != resource.RLIM_INFINITY else 2000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("enter", [False, True])
def test_many_connections(enter: bool, other: OtherProcess) -> None:
    share = pixview.share(pool(1).copy(image(*SHAPE)))
    key = key_of(pickle.dumps(share))
    before = files_open()
    with more_descriptors(), ExitStack() as stack:
        for _ in range(200):
            peer = stack.enter_context(connect(key))
            if enter:
                peer.send(message(ENTER, key=key))
        if enter:
            assert becomes(lambda: descriptors() >= before + 200 + 2 * 192, True)
            with pytest.raises(pixview.ShareError, match="192 others already"):
                other("open", "a", share)
        else:
            other("open", "a", share)  # who says nothing makes room
            assert (other("read", "a") == image(*SHAPE)).all()
            other("drop", "a")
    other("open", "a", share)
    assert (other("read", "a") == image(*SHAPE)).all()
    assert flat(before + 2)


class FalseOwner:
    """Answers each message with what `answers` says."""

    def __init__(self, answers: Callable[[socket.socket, bytes], None]) -> None:
        self.key = os.urandom(16)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(b"\0pixview-" + self.key[:8].hex().encode())
        self.listener.listen()
        self.answers = answers
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        peer = self.listener.accept()[0]
        with peer:
            try:
                while data := peer.recv(4096):
                    self.answers(peer, data)
            except OSError:
                pass

    def close(self) -> None:
        self.thread.join(10)
        self.listener.close()
        assert not self.thread.is_alive()


def hang_up(peer: socket.socket, data: bytes) -> None:
    peer.close()


def say_nothing(peer: socket.socket, data: bytes) -> None:
    pass


def answer_half(peer: socket.socket, data: bytes) -> None:
    peer.send(message(ENTER)[:30])


def answer_without_descriptors(peer: socket.socket, data: bytes) -> None:
    peer.send(message(ENTER))


def answer_with_pipes(peer: socket.socket, data: bytes) -> None:
    socket.send_fds(peer, [message(ENTER)], [0, 1, 2])


def answer_with_unsealed_memory(peer: socket.socket, data: bytes) -> None:
    fd = os.memfd_create("test-unsealed")
    os.ftruncate(fd, 1 << 20)
    socket.send_fds(peer, [message(ENTER)], [fd, fd, fd])
    os.close(fd)


def answer_as_peer_5000(peer: socket.socket, data: bytes) -> None:
    socket.send_fds(peer, [message(ENTER, peer=5000)], [0, 1, 2])


def answer_with_other_numbers(peer: socket.socket, data: bytes) -> None:
    peer.settimeout(5)
    while True:
        socket.send_fds(peer, [message(ENTER, number=77)], [0])


@pytest.mark.parametrize(
    "answers",
    [
        hang_up, say_nothing, answer_half, answer_without_descriptors, answer_with_pipes,
        answer_with_unsealed_memory, answer_as_peer_5000, answer_with_other_numbers,
    ],
    ids=lambda answers: answers.__name__,
)  # fmt: skip
def test_false_owner(answers: Any) -> None:
    data = sent()
    assert opened(data) == {7}  # starts what stays
    before = files_open()
    owner = FalseOwner(answers)
    start = time.monotonic()
    with pytest.raises(pixview.ShareError, match="gone|answer|sense|sealed"):
        pickle.loads(forged(data, KEY, owner.key)).open(timeout=0.5)
    assert time.monotonic() - start < 3
    owner.close()
    assert flat(before)
