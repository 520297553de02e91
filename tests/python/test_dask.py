# SPDX-License-Identifier: Apache-2.0
"""Images in Dask's and joblib's processes. `make test-ray` installs both and runs this."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pixview
import pixview.dask
import pytest
from support import image

SHAPE = (480, 640, 3)
LARGE = (12000, 2000, 3)  # Dask sends more than 64 MB in pieces


@pytest.fixture(autouse=True)
def nothing_left_behind() -> None:
    """In place of conftest's: the client lets go of results when it comes to it."""


def make(*shape: int) -> pixview.Image:
    return pixview.view(image(*shape))


def facts(x: Any) -> Any:
    x = x[0] if isinstance(x, list) else x
    return x.shape, x.layout, str(x.dtype), x.readonly, np.asarray(x), os.getpid()


def check(got: Any, *shape: int, readonly: bool = False, layout: str = "HWC") -> None:
    assert got[:4] == (shape, layout, "uint8", readonly)
    assert (got[4] == image(*shape)).all()
    assert got[5] != os.getpid()


# ---- Dask ----


@pytest.fixture(scope="module")
def client(tmp_path_factory: Any) -> Iterator[Any]:
    distributed = pytest.importorskip("distributed", reason="no Dask: make test-ray installs it")
    # The workers find the functions of this module.
    path = f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path)
        with (
            distributed.LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                dashboard_address=None,
                local_directory=str(tmp_path_factory.mktemp("dask")),
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


def test_from_worker_to_worker(client: Any) -> None:
    first, second = client.scheduler_info()["workers"]
    for shape in (SHAPE, LARGE):
        there = client.submit(make, *shape, workers=first)
        check(client.submit(facts, there, workers=second).result(), *shape)
    for within in ([there], there):
        check(client.submit(facts, within, workers=second).result(), *LARGE)


def test_from_and_to_the_client(client: Any) -> None:
    got = client.submit(make, *SHAPE).result()
    assert (np.asarray(got) == image(*SHAPE)).all()
    readonly = image(*SHAPE)
    readonly.flags.writeable = False
    check(client.submit(facts, pixview.view(readonly)).result(), *SHAPE, readonly=True)
    crop = client.scatter(make(*SHAPE).crop(3, 5, 10, 20))
    assert (client.submit(facts, crop).result()[4] == image(*SHAPE)[3:13, 5:25]).all()


def test_pixels_are_not_copied_for_the_pickle() -> None:
    protocol = pytest.importorskip("distributed.protocol", reason="no Dask")
    x = make(*SHAPE)
    for value in ([x], (x,)):
        header, frames = protocol.serialize(value)
        assert np.frombuffer(frames[1], np.uint8).ctypes.data == x.ptr
        assert protocol.deserialize(header, frames)[0].ptr == x.ptr


def test_size() -> None:
    module = pytest.importorskip("dask.sizeof", reason="no Dask")
    pixview.dask.register(module.sizeof)  # as the entry point does where pixview is installed
    x = make(*SHAPE)
    assert x.nbytes <= module.sizeof(x) < x.nbytes + 1000
    assert module.sizeof([x, x]) > 2 * x.nbytes
    frame = pixview.video_frame(image(720, 640), format="NV12", matrix="bt709", range="limited")
    assert 720 * 640 <= module.sizeof(frame) < 720 * 640 + 4000


# ---- joblib ----


@pytest.fixture(scope="module")
def parallel() -> Iterator[Any]:
    joblib = pytest.importorskip("joblib", reason="no joblib: make test-ray installs it")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}")
        run = joblib.Parallel(n_jobs=2, backend="loky")
        yield lambda function, *items: run(joblib.delayed(function)(*item) for item in items)
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True, kill_workers=True)


def test_loky(parallel: Any) -> None:
    for got in parallel(facts, (make(*SHAPE),), ([make(*SHAPE)],)):
        check(got, *SHAPE)
    a, b = parallel(make, SHAPE, (4, 5, 3))
    assert (np.asarray(a) == image(*SHAPE)).all()
    assert (np.asarray(b) == image(4, 5, 3)).all()


def brighten(share: Any) -> int:
    pixels = np.asarray(share.open())
    pixels += 1
    return os.getpid()


def test_loky_without_a_copy(parallel: Any) -> None:
    """A Share is what to pass: the processes work in the frame itself."""
    frame = pixview.Pool(SHAPE, "uint8", 1).copy(image(*SHAPE))
    share = pixview.share(frame)
    assert os.getpid() not in parallel(brighten, (share,))
    parallel(brighten, (share,))
    assert (np.asarray(frame) == image(*SHAPE) + 2).all()
