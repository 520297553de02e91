# SPDX-License-Identifier: Apache-2.0
"""Threads share images, convert, crop and stack them, and drop the last reference wherever it falls.

    python tests/soak/threads.py [SECONDS] [THREADS]

Each image is filled with one value, so a reader sees memory that went too early. A view is dropped by
Python, by another of these threads, or on a thread that Python never saw.
"""

from __future__ import annotations

import gc
import random
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import numpy as np
import pixview
from support import Array, consume, drop_on_unknown_thread, eventually

SHAPE, SLOTS = (24, 32, 3), 8


class Shared:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.made = 0
        self.releases: list[
            int
        ] = []  # appended, since a finalizer may interrupt whoever has the lock
        self.images = [self.image(i) for i in range(SLOTS)]
        self.errors: list[BaseException] = []

    def image(self, value: int) -> Any:
        array = np.full(SHAPE, value, np.uint8).view(Array)
        with self.lock:
            self.made += 1
        weakref.finalize(array, self.releases.append, 1)
        return pixview.view(array)

    def borrow(self, rng: random.Random) -> Any:
        return self.images[rng.randrange(SLOTS)]


def check(array: Any, value: int) -> None:
    assert (array == value).all(), f"not {value} everywhere: {np.unique(np.asarray(array))}"


def value_of(image: Any) -> int:
    return int(np.asarray(image)[0, 0, 0])


def step(shared: Shared, rng: random.Random) -> None:
    image = shared.borrow(rng)
    value = value_of(image)
    way = rng.randrange(6)
    if way == 0:
        view = pixview.as_numpy(image)
        del image
        check(view, value)
    elif way == 1:
        check(pixview.as_numpy(image, layout="CHW", copy=True), value)
    elif way == 2:
        part = image.crop(4, 8, 12, 16)
        del image
        check(np.asarray(part), value)
    elif way == 3:
        images = [shared.borrow(rng) for _ in range(4)]
        values = [value_of(i) for i in images]
        batch = pixview.stack(images, to="numpy", layout="NCHW")
        for one, wanted in zip(batch, values, strict=True):
            check(one, wanted)
    elif way == 4:
        managed = consume(image.__dlpack__(max_version=(1, 3)))
        del image
        drop_on_unknown_thread(managed)
    else:
        shared.images[rng.randrange(SLOTS)] = shared.image(rng.randrange(200))


def work(shared: Shared, seed: int, end: float, counts: list[int]) -> None:
    rng = random.Random(seed)
    done = 0
    try:
        while time.monotonic() < end and not shared.errors:
            step(shared, rng)
            done += 1
    except BaseException as error:
        shared.errors.append(error)
    counts.append(done)


def run(seconds: float, threads: int = 16) -> str:
    """Raises what a thread raised, and if an image is left; else says what was done."""
    shared, counts = Shared(), []
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # the GIL changes hands inside of steps
    begin = time.monotonic()
    try:
        all_threads = [
            threading.Thread(target=work, args=(shared, i, begin + seconds, counts))
            for i in range(threads)
        ]
        for thread in all_threads:
            thread.start()
        for thread in all_threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    if shared.errors:
        raise shared.errors[0]
    shared.images.clear()
    gc.collect()
    gone = shared.releases
    assert eventually(lambda: len(gone) == shared.made), f"{len(gone)} of {shared.made} released"
    hours = (time.monotonic() - begin) * threads / 3600
    return f"{sum(counts)} steps, {shared.made} images, {hours:.3f} thread-hours"


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30
    print(run(seconds, int(sys.argv[2]) if len(sys.argv) > 2 else 16))
