# SPDX-License-Identifier: Apache-2.0
"""Out of memory at every allocation of every entry point: faults.py, in processes of their own."""

from __future__ import annotations

import pytest
from support import SANITIZED, run_preloaded

pytestmark = pytest.mark.skipif(SANITIZED, reason="sanitizers have a malloc of their own")


def sweep(group: str) -> None:
    pytest.importorskip("_testcapi")
    done = run_preloaded("faults.py", group)
    print(group, done.stdout)
    last = "\n".join(done.stderr.splitlines()[-20:])
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{last}"
    assert int(done.stdout.split()[0]) > 30, "so few faults are no sweep"


@pytest.mark.parametrize("group", ["image", "conversions", "lists", "video"])
def test_no_memory(torch: object, kernels: None, group: str) -> None:
    sweep(group)


def test_no_memory_shares(kernels: None) -> None:
    sweep("shares")


def test_no_memory_cupy(kernels: None) -> None:
    pytest.importorskip("cupy")
    sweep("cupy")


@pytest.mark.cv2
def test_no_memory_gpumat(torch: object, kernels: None) -> None:
    pytest.importorskip("cv2")
    sweep("gpumat")
