# SPDX-License-Identifier: Apache-2.0
"""A view is one allocation of pixview's, and one object: docs/design.md. A GpuMat's header is a second."""

from __future__ import annotations

import pytest
from support import not_sanitized, run_preloaded


def count(*group: str) -> dict[str, tuple[int, int]]:
    done = run_preloaded("heap_blocks.py", *group)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    return {name: (int(ours), int(objects)) for name, ours, objects in rows}


@not_sanitized
def test_blocks_of_a_view(fake: object, torch: object, cupy: object) -> None:
    found = count()
    assert {name: ours for name, (ours, _) in found.items()} == {
        "view(numpy)": 1,
        "view(torch)": 1,
        "view(cupy)": 1,
        "view.crop": 0,  # it shares the owner
        "as_torch(numpy)": 1,
        "as_torch(cupy)": 1,
        "as_numpy(torch)": 1,
        "as_cupy(torch)": 1,
    }
    # as_numpy and as_cupy make objects of NumPy's and CuPy's beside the one that is asked for.
    one = [name for name in found if name.startswith(("view", "as_torch"))]
    assert {name: found[name][1] for name in one} == dict.fromkeys(one, 1)


@not_sanitized
@pytest.mark.cv2
def test_blocks_of_a_gpumat(fake: object, torch: object, cupy: object, cv2: object) -> None:
    found = count("gpumat")
    assert {name: ours for name, (ours, _) in found.items()} == {
        "as_gpumat(torch)": 2,  # and the header
        "as_torch(gpumat)": 1,
        "view(gpumat)": 1,
        "as_cupy(gpumat)": 1,
    }
    assert all(objects == 1 for name, (_, objects) in found.items() if name != "as_cupy(gpumat)")
