"""Out of memory at every allocation of every entry point: faults.py, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support import SANITIZED

pytestmark = pytest.mark.skipif(SANITIZED, reason="sanitizers have a malloc of their own")


def sweep(group: str) -> None:
    pytest.importorskip("_testcapi")
    driver = os.environ.get("PIXVIEW_FAKE_DRIVER", "")
    preload = os.path.join(os.path.dirname(driver), "libfakemalloc.so")
    if not driver or not os.path.exists(preload):
        pytest.skip("no fake CUDA driver with a libfakemalloc.so beside it")
    done = subprocess.run(
        [sys.executable, "faults.py", group],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"LD_PRELOAD": preload},
        cwd=os.path.dirname(__file__),
    )
    print(group, done.stdout)
    last = "\n".join(done.stderr.splitlines()[-20:])
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{last}"
    assert int(done.stdout.split()[0]) > 30, "so few faults are no sweep"


@pytest.mark.parametrize("group", ["image", "conversions", "lists", "video"])
def test_no_memory(torch: object, kernels: None, group: str) -> None:
    sweep(group)


def test_no_memory_cupy(kernels: None) -> None:
    pytest.importorskip("cupy")
    sweep("cupy")


@pytest.mark.cv2
def test_no_memory_gpumat(torch: object, kernels: None) -> None:
    pytest.importorskip("cv2")
    sweep("gpumat")
