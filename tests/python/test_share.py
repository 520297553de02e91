# SPDX-License-Identifier: Apache-2.0
"""Images of host memory in other processes."""

from __future__ import annotations

import copy
import gc
import multiprocessing
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pixview
import pytest
from other_process import OtherProcess
from support import DTYPES, image

SHAPE = (6, 7, 3)


@pytest.fixture
def other() -> Iterator[OtherProcess]:
    with OtherProcess() as process:
        yield process


def becomes(what: Callable[[], Any], wanted: Any) -> bool:
    end = time.monotonic() + 10
    while what() != wanted and time.monotonic() < end:
        time.sleep(0.005)
    return bool(what() == wanted)


def memories(pid: int) -> int:
    """Shared pieces of memory that the process has open or mapped."""
    with open(f"/proc/{pid}/maps") as maps:
        mapped = sum("memfd:pixview-frames" in line for line in maps)
    folder = f"/proc/{pid}/fd"
    links = [
        os.readlink(f"{folder}/{fd}")
        for fd in os.listdir(folder)
        if os.path.lexists(f"{folder}/{fd}")
    ]
    return mapped + sum("memfd:pixview-frames" in link for link in links)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def pool(frames: int = 2, **how: Any) -> pixview.Pool:
    return pixview.Pool(SHAPE, "uint8", frames, **how)


# ---- frames ----------------------------------------------------------------------------------------------


def test_frame_is_the_same_memory(other: OtherProcess) -> None:
    frames = pool()
    frame = frames.copy(image(*SHAPE))
    assert (frame.shape, frame.layout, frame.readonly) == (SHAPE, "HWC", False)
    share = pixview.share(frame)
    assert other("open", "a", share) == (SHAPE, "HWC", "uint8", ("cpu", 0), False)
    assert (other("read", "a") == image(*SHAPE)).all()
    other("fill", "a", 9)
    assert (np.asarray(frame) == 9).all()
    np.asarray(frame)[2, 3, 1] = 77
    assert other("read", "a")[2, 3, 1] == 77


def test_frame_is_free_when_nobody_has_it(other: OtherProcess) -> None:
    frames = pool()
    assert frames.idle == 2
    frame = frames.get()
    view = np.asarray(frame)
    share = pixview.share(frame)
    other("open", "a", share)
    del frame
    assert frames.idle == 1
    del view
    assert frames.idle == 1
    del share
    assert frames.idle == 1  # the other process has it
    other("drop", "a")
    assert becomes(lambda: frames.idle, 2)


def test_each_holder_holds() -> None:
    """The Image, a view of it, the Share, a pickle, a local opening: each alone."""
    frames = pool(1)

    def busy_while(held: Any) -> None:
        with pytest.raises(pixview.ShareTimeoutError):
            frames.get(timeout=0)
        del held

    frame = frames.get()
    share = pixview.share(frame)
    busy_while(frame)
    del frame
    busy_while(share)
    data = pickle.dumps(share)
    assert share.unopened == 1
    del share
    busy_while(data)
    again = pickle.loads(data).open()
    busy_while(again)
    del again
    assert frames.idle == 1
    with pytest.raises(pixview.ShareError, match="let go of"):
        pickle.loads(data).open()


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(dtype: str, other: OtherProcess) -> None:
    frames = pixview.Pool((4, 5), dtype, 1)
    source = image(4, 5, dtype=dtype)
    other("open", "a", pixview.share(frames.copy(source)))
    assert (other("read", "a") == source).all()


CUTS = {"crop": np.s_[1:4, 2:6], "flipped": np.s_[::-1, ::-1], "steps": np.s_[::2, ::3]}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("layout", ["HWC", "CHW", "NHWC", "NCHW"])
def test_parts_and_layouts(cut: str, layout: str, other: OtherProcess) -> None:
    shape = {"HWC": (6, 7, 3), "CHW": (3, 6, 7), "NHWC": (2, 6, 7, 3), "NCHW": (2, 3, 6, 7)}[layout]
    frames = pixview.Pool(shape, "float32", 1, layout=layout)
    assert (frames.shape, frames.layout) == (shape, layout)
    source = image(*shape, dtype="float32")
    frame = frames.copy(source, src_layout=layout)
    where = {"H": CUTS[cut][0], "W": CUTS[cut][1]}
    index = tuple(where.get(axis, np.s_[:]) for axis in layout)
    part = pixview.view(np.asarray(frame)[index], src_layout=layout, layout=layout)
    opened = other("open", "a", pixview.share(part))
    assert opened[:2] == (part.shape, layout)
    assert (other("read", "a") == source[index]).all()
    other("drop", "a")


def test_read_only_stays_so(other: OtherProcess) -> None:
    frames = pool()
    a = np.asarray(frames.copy(image(*SHAPE)))
    a.flags.writeable = False
    assert other("open", "a", pixview.share(a))[4] is True


def test_empty(other: OtherProcess) -> None:
    assert other("open", "a", pixview.share(np.zeros((0, 5, 3), np.uint8)))[0] == (0, 5, 3)


def test_sent_on(other: OtherProcess) -> None:
    """What was opened is shared again: a crop of it, by its second owner."""
    frames = pool(1)
    frame = frames.copy(image(*SHAPE))
    other("open", "a", pixview.share(frame))
    del frame
    share = other("share", "a", 1, 2, 3, 4)
    assert share.pid == os.getpid()  # who has the memory
    mine = share.open()
    other("drop", "a")
    assert (np.asarray(mine) == image(*SHAPE)[1:4, 2:6]).all()
    with OtherProcess() as third:
        third("open", "b", pixview.share(mine))
        assert (third("read", "b") == image(*SHAPE)[1:4, 2:6]).all()
        del share, mine
        gc.collect()
        assert frames.idle == 0
        third("drop", "b")
    assert becomes(lambda: frames.idle, 1)


def test_sent_on_by_one_that_dies() -> None:
    """The receiver holds the frame of its first owner, not of who sent it on."""
    frames = pool(1)
    with OtherProcess() as middle, OtherProcess() as last:
        middle("open", "a", pixview.share(frames.copy(image(*SHAPE))))
        last("open", "b", middle("share", "a", 1, 2, 3, 4))
        on_its_way = pickle.loads(pickle.dumps(middle("share", "a")))
        middle.kill()
        for _ in range(20):
            time.sleep(0.01)
            assert frames.idle == 0
        assert (last("read", "b") == image(*SHAPE)[1:4, 2:6]).all()
        last("open", "c", on_its_way)
        del on_its_way
        last("drop", "b")
        assert (last("read", "c") == image(*SHAPE)).all()
        assert frames.idle == 0
        last("drop", "c")
        assert becomes(lambda: frames.idle, 1)


# ---- copies ----------------------------------------------------------------------------------------------


def test_other_memory_is_copied_once(other: OtherProcess) -> None:
    a = image(*SHAPE)
    before = memories(os.getpid())
    share = pixview.share(a[::-1])
    a[...] = 0
    other("open", "a", share)
    assert (other("read", "a") == image(*SHAPE)[::-1]).all()
    with pytest.raises(pixview.UnsupportedError, match="pixview.Pool"):
        pixview.share(a, copy=False)
    del share
    assert (other("read", "a") == image(*SHAPE)[::-1]).all()
    other("drop", "a")
    assert becomes(lambda: memories(os.getpid()), before)
    assert becomes(lambda: memories(other.pid), 0)


def test_copy_false_takes_a_frame() -> None:
    frame = pool().get()
    assert pixview.share(frame, copy=False).open().ptr == frame.ptr


# ---- pickles ---------------------------------------------------------------------------------------------


def test_two_receivers() -> None:
    frames = pool(1)
    frame = frames.copy(image(*SHAPE))
    share = pixview.share(frame)
    with OtherProcess() as one, OtherProcess() as two:
        one("open", "a", share)
        two("open", "a", share)
        del share, frame
        one("fill", "a", 5)
        assert (two("read", "a") == 5).all()
        one("drop", "a")
        assert frames.idle == 0
    assert becomes(lambda: frames.idle, 1)


def test_more_pickles_than_tickets() -> None:
    """Beyond 64 on their way only time tells."""
    frames = pool(1)
    share = pixview.share(frames.get(), keep=0.3)
    sent = [pickle.dumps(share) for _ in range(70)]
    assert share.unopened == 64
    del share
    opened = [pickle.loads(data).open() for data in sent]
    assert len({x.ptr for x in opened}) == 1
    del opened
    assert frames.idle == 0
    assert becomes(lambda: frames.idle, 1)


def test_unopened_pickle_lapses() -> None:
    frames = pool(1)
    data = pickle.dumps(pixview.share(frames.get(), keep=0.2))
    assert frames.idle == 0
    start = time.monotonic()
    frame = frames.get(timeout=10)  # woken by the time alone
    assert 0.05 < time.monotonic() - start < 5
    with pytest.raises(pixview.ShareError, match="nobody opened it in time"):
        pickle.loads(data).open()
    del frame


def test_open_many_times(other: OtherProcess) -> None:
    frames = pool(1)
    share = pixview.share(frames.get())
    for name in "abc":
        other("open", name, share)
    del share
    other("drop", "a", "b")
    assert frames.idle == 0
    other("drop", "c")
    assert becomes(lambda: frames.idle, 1)


def test_receiver_that_drops_it() -> None:
    """A pickle that was received and not opened does not hold the frame; one that was passed on does."""
    frames = pool(1)
    share = pixview.share(frames.get())
    with OtherProcess() as other:
        other("take", "a", share)  # not connected yet
        passed = other("run", "out = images['a']")
        del share
        other("drop", "a")
        assert frames.idle == 0
        del passed
        assert becomes(lambda: frames.idle, 1)
        share = pixview.share(frames.get())
        other("take", "a", share)
        del share
        assert frames.idle == 0
        other("drop", "a")
        assert becomes(lambda: frames.idle, 1)
        share = pixview.share(frames.get())
        other("take", "a", share)
        del share
        other("run", "images['a'].close(); import pixview")
        assert becomes(lambda: frames.idle, 1)


@pytest.mark.parametrize("keep", [0, -1, float("nan")])
def test_bad_keep(keep: float) -> None:
    with pytest.raises(ValueError, match="keep="):
        pixview.share(image(2, 2), keep=keep)


def test_closed_share() -> None:
    share = pixview.share(image(2, 2))
    data = pickle.dumps(share)
    share.close()
    share.close()
    assert pickle.loads(data).open(device="cpu").tobytes() == image(2, 2).tobytes()
    with pytest.raises(pixview.ShareError, match="closed"):
        pickle.dumps(share)


def test_two_frames_at_once() -> None:
    """A view across frames of a pool is no frame: a copy."""
    frames = pixview.Pool((1, 512), "uint8", 2)
    held = [frames.copy(np.full((1, 512), i, np.uint8)) for i in range(2)]
    both = pixview.from_pointer(
        min(x.ptr for x in held), (2, 512), "uint8", device="cpu", owner=held
    )
    assert pixview.share(both).open().tobytes() == both.tobytes()
    with pytest.raises(pixview.UnsupportedError, match="one frame"):
        pixview.share(both, copy=False)


def test_share_of_a_share() -> None:
    share = pixview.share(image(2, 2), keep=None)
    with pytest.raises(pixview.UnsupportedError):
        pixview.share(share)
    assert copy.copy(share).open().tobytes() == image(2, 2).tobytes()
    with pytest.raises(TypeError, match=r"pixview\.share"):
        pixview.Share()


@pytest.mark.parametrize("data", [b"", b"x" * 256, bytes(256), b"x" * 255])
def test_no_handle(data: bytes) -> None:
    with pytest.raises(ValueError):
        pixview._core._share_from_bytes(data)
    with pytest.raises(TypeError):
        pixview._core._share_from_bytes("text")


def child(queue: Any, results: Any) -> None:
    for share in iter(queue.get, None):
        x = share.open()
        results.put(int(np.asarray(x).sum()))


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_multiprocessing(method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    queue, results = context.Queue(), context.Queue()
    process = context.Process(target=child, args=(queue, results))
    process.start()
    frames = pool(2)
    for i in range(20):
        queue.put(pixview.share(frames.copy(np.full(SHAPE, i, np.uint8), timeout=20)))
    queue.put(None)
    assert [results.get(timeout=20) for _ in range(20)] == [i * 126 for i in range(20)]
    process.join(20)
    assert process.exitcode == 0
    assert becomes(lambda: frames.idle, 2)


def total(x: Any) -> int:
    return int(np.asarray(x.open() if isinstance(x, pixview.Share) else x).sum())


def test_process_pool() -> None:
    frames = pool(4)
    images = [frames.copy(np.full(SHAPE, i, np.uint8)) for i in range(4)]
    with multiprocessing.get_context("forkserver").Pool(2) as workers:
        assert workers.map(total, [pixview.share(x) for x in images]) == [0, 126, 252, 378]
        assert workers.map(total, images) == [0, 126, 252, 378]  # pickled as bytes


def test_video_frame(other: OtherProcess) -> None:
    y, uv = image(10, 14), image(5, 7, 2)
    frame = pixview.video_frame((y, uv), format="NV12", matrix="bt709", range="full", size=(9, 13))
    for again in (pickle.loads(pickle.dumps(frame)), copy.deepcopy(frame), copy.copy(frame)):
        assert repr(again) == repr(frame)
        assert (pixview.as_numpy(again) == pixview.as_numpy(frame)).all()
    assert copy.copy(frame).planes[0].ptr == frame.planes[0].ptr
    assert copy.deepcopy(frame).planes[0].ptr != frame.planes[0].ptr
    part = frame.crop(2, 4, 6, 8)
    assert (other("call", pixview.as_numpy, part) == pixview.as_numpy(part)).all()


# ---- forks ---------------------------------------------------------------------------------------------


def in_fork(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_fork_opens_and_gives_nothing_back() -> None:
    frames = pool(1)
    frame = frames.copy(image(*SHAPE))
    shares = [pixview.share(frame)]

    def work() -> None:
        nonlocal frame
        opened = shares[0].open()  # as any other process
        assert opened.ptr != frame.ptr and opened.tobytes() == image(*SHAPE).tobytes()
        with pytest.raises(pixview.ShareError, match="fork"):
            pickle.dumps(shares[0])
        with pytest.raises(pixview.ShareError, match="fork"):
            frames.get(timeout=0)
        np.asarray(opened)[0, 0, 0] = 200
        again = pool(1).copy(opened)  # one of its own
        assert pixview.share(again).pid == os.getpid()
        del frame

    assert in_fork(work) == 0
    assert np.asarray(frame)[0, 0, 0] == 200
    shares.clear()
    assert frames.idle == 0
    del frame
    assert becomes(lambda: frames.idle, 1)


def test_fork_declines_nothing(other: OtherProcess) -> None:
    received = [other("share_new", "p", SHAPE, "uint8", "cpu", 42)]
    other("drop", "p")
    assert in_fork(received.clear) == 0
    assert (np.asarray(received[0].open()) == 42).all()


LAST = """
import multiprocessing.util  # what it does at exit comes after pixview's
import sys
import pixview
from test_share import open_late

if __name__ == "__main__":
    share = pixview.share(pixview.Pool((2, 2), "uint8", 1).get())
    multiprocessing.get_context("spawn").Process(target=open_late, args=(share,)).start()
"""


def open_late(share: pixview.Share) -> None:
    time.sleep(0.5)
    share.open(timeout=5)
    print("opened")


def test_program_that_waits_for_its_children_last(tmp_path: Any) -> None:
    program = tmp_path / "last.py"
    program.write_text(LAST)
    here = os.path.dirname(__file__)
    path = os.pathsep.join(
        [here, os.path.dirname(here), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    )
    out = subprocess.run(
        [sys.executable, program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert out.stdout == "opened\n", out.stderr


# ---- who dies, stops, or may not -------------------------------------------------------------------------


def test_killed_consumer() -> None:
    frames = pool(1)
    share = pixview.share(frames.get())
    with OtherProcess() as other:
        other("open", "a", share)
        del share
        assert frames.idle == 0
        other.kill()
        assert becomes(lambda: frames.idle, 1)


def test_killed_producer() -> None:
    before = descriptors()
    with OtherProcess() as other:
        share = other("share_new", "p", SHAPE, "uint8", "cpu", 42)
        late = other("share_new", "q", SHAPE, "uint8", "cpu", 43)
        mine = share.open()
        other.kill()
    assert (np.asarray(mine) == 42).all()  # the memory is there as long as it is used
    assert (np.asarray(share.open()) == 42).all()
    with pytest.raises(pixview.ShareError, match="gone"):
        late.open(timeout=1)
    del mine
    assert becomes(descriptors, before)
    with pytest.raises(pixview.ShareError, match="gone"):
        share.open(timeout=1)


def test_stopped_producer() -> None:
    with OtherProcess() as other:
        share = other("share_new", "p", SHAPE, "uint8", "cpu", 42)
        other.stop()
        try:
            start = time.monotonic()
            with pytest.raises(pixview.ShareTimeoutError, match="answer"):
                share.open(timeout=0.3)
            assert time.monotonic() - start < 5
        finally:
            other.go_on()
        assert (np.asarray(share.open()) == 42).all()


def test_each_timeout_is_its_own(other: OtherProcess) -> None:
    declined = other("share_new", "p", SHAPE, "uint8", "cpu", 1)
    share = other("share_new", "q", SHAPE, "uint8", "cpu", 42)
    del declined  # the connection is made for that, in 0.2 seconds
    os.kill(other.pid, signal.SIGSTOP)
    threading.Timer(0.6, os.kill, (other.pid, signal.SIGCONT)).start()
    assert (np.asarray(share.open()) == 42).all()


@pytest.mark.parametrize("timeout", [1e300, float("inf")])
def test_endless_timeout(timeout: float, other: OtherProcess) -> None:
    share = other("share_new", "p", SHAPE, "uint8", "cpu", 42)
    assert (np.asarray(share.open(timeout=timeout)) == 42).all()


def test_signals_make_no_timeout_longer(other: OtherProcess) -> None:
    share = other("share_new", "p", SHAPE, "uint8", "cpu", 42)
    os.kill(other.pid, signal.SIGSTOP)
    time.sleep(0.1)
    before = signal.signal(signal.SIGALRM, lambda *unused: None)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    late = threading.Timer(5, os.kill, (other.pid, signal.SIGCONT))
    late.start()
    start = time.monotonic()
    try:
        with pytest.raises(pixview.ShareError, match="answer"):
            share.open(timeout=0.5)
        assert time.monotonic() - start < 4
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        late.cancel()
        os.kill(other.pid, signal.SIGCONT)


def test_no_descriptor_for_an_opener(other: OtherProcess) -> None:
    share = pixview.share(pool().get())
    other("take", "s", share)  # its decline is what comes when there are none
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() + 8, limits[1]))
    held = []
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    try:
        other("drop", "s")
        start = time.process_time()
        time.sleep(1)
        assert time.process_time() - start < 0.2
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    other("open", "a", share)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user(other: OtherProcess) -> None:
    share = pixview.share(pool().get())
    other("run", "import os, numpy, pixview; os.setresuid(65534, 65534, 65534)")
    with pytest.raises(pixview.ShareError, match="user's"):
        other("open", "a", share)
    theirs = other("share_new", "p", SHAPE, "uint8", "cpu", 42)
    with pytest.raises(pixview.ShareError, match="user's"):
        theirs.open()


def test_no_descriptors(other: OtherProcess) -> None:
    share = pixview.share(pool().get())
    limit = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({0}, 1000))"
    other("run", limit.format(5))
    with pytest.raises(pixview.ShareError, match="ulimit"):
        other("open", "a", share)
    other("run", limit.format(1000))
    other("open", "a", share)


def test_too_many() -> None:
    shares = []
    with pytest.raises(pixview.ShareError, match="1024 pieces"):
        for _ in range(1100):
            shares.append(pixview.share(image(1, 1)))
    assert len(shares) > 1000
    shares.clear()
    assert pixview.share(image(1, 1)).open().shape == (1, 1)
    with pytest.raises(ValueError, match="1 to 1024"):
        pixview.Pool((1, 1), "uint8", 1025)
    pools = [pixview.Pool((1, 1), "uint8", 1000) for _ in range(4)]
    with pytest.raises(pixview.ShareError, match="4096"):
        pixview.Pool((1, 1), "uint8", 1000)
    del pools


def test_no_memory() -> None:
    with pytest.raises(MemoryError, match="shared host memory"):
        pixview.Pool((1 << 24, 1 << 24), "uint8", 1)


# ---- threads and Ctrl-C ------------------------------------------------------------------------------------


def test_get_waits_for_another_thread() -> None:
    frames = pool(1)
    held = [frames.get()]
    threading.Timer(0.1, held.clear).start()
    frames.get(timeout=10)


def test_get_ends_at_ctrl_c() -> None:
    frames = pool(1)
    held = frames.get()
    # A background job of a shell ignores Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        frames.get()
    signal.signal(signal.SIGINT, before)
    del held
    assert frames.idle == 1


def test_close_while_another_thread_waits() -> None:
    frames = pool(1)
    held = frames.get()
    failed = []

    def wait() -> None:
        try:
            frames.get()
        except pixview.ShareError as error:
            failed.append(str(error))

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.1)
    frames.close()
    thread.join(10)
    assert failed == ["the pool is closed"] and frames.idle == 0
    assert np.asarray(held).shape == SHAPE


def test_closed_pool() -> None:
    frames = pool(1)
    frame = frames.copy(image(*SHAPE))
    frames.close()
    with pytest.raises(pixview.ShareError, match="closed"):
        frames.get()
    assert frames.idle == 0
    share = pixview.share(frame)
    del frame
    assert share.open().tobytes() == image(*SHAPE).tobytes()


@pytest.mark.parametrize(
    ("args", "how", "error"),
    [
        (((0, 5), "uint8", 1), {}, pixview.LayoutError),
        (((5,), "uint8", 1), {}, pixview.LayoutError),
        (((5, 5), "uint8", 1), {"layout": "HWC"}, pixview.LayoutError),
        (((5, 5), "nothing", 1), {}, (pixview.DtypeError, TypeError)),
        (((5, 5), "uint8", 0), {}, ValueError),
        (((5, 5), "uint8", 1.5), {}, TypeError),
        (((1 << 40, 1 << 40), "uint8", 2), {}, pixview.LayoutError),
        (((5, 5), "uint8", 1), {"device": "tpu"}, (ValueError, pixview.DeviceError)),
    ],
)
def test_bad_pool(args: Any, how: Any, error: Any) -> None:
    with pytest.raises(error):
        pixview.Pool(*args, **how)
