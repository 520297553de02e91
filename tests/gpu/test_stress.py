# SPDX-License-Identifier: Apache-2.0
"""The right pixels, every time: see stress.py and stress_random.py. PIXVIEW_STRESS=1000 for a run to be recorded (40 s)."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .util import torch

pytestmark = pytest.mark.alone

COUNT = int(os.environ.get("PIXVIEW_STRESS", "160"))
assert torch.cuda.is_available()


def run_module(*arguments):
    """In a process whose streams all have a hardware queue."""
    environment = dict(os.environ, CUDA_DEVICE_MAX_CONNECTIONS="32")
    run = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=Path(__file__).parents[1],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    print(run.stdout)
    return run


def stress(count, mode):
    """Right pixels by direction."""
    run = run_module("gpu.stress", str(count), mode)
    assert run.returncode == 0, run.stderr
    found = {
        (a, b): int(right)
        for a, b, right in re.findall(r"^\w+ (\w+) (\w+): (\d+) of", run.stdout, re.MULTILINE)
    }
    assert len(found) == 6
    return found


def test_ordered():
    assert set(stress(COUNT, "ordered").values()) == {COUNT}


@pytest.mark.parametrize("mode", ["unordered", "release"])
def test_it_can_fail(mode):
    """Without the order at the conversion, or at the release, it shows in every direction."""
    found = stress(32, mode)
    assert max(found.values()) < 16, found


def test_random_graphs():
    run = run_module("gpu.stress_random", "--seconds=5")
    assert run.returncode == 0 and "all right" in run.stdout, run.stdout + run.stderr


def test_random_graphs_can_fail():
    run = run_module("gpu.stress_random", "--seconds=5", "--unordered")
    assert run.returncode == 1 and re.search(r"reads, \d+ wrong", run.stdout), (
        run.stdout + run.stderr
    )
