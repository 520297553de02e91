# SPDX-License-Identifier: Apache-2.0
"""The programs in examples/ that are written in Python, on a GPU."""

import subprocess
import sys

import pytest
from snippets import ROOT

from .util import torch  # noqa: F401  skips this module without a GPU


def test_video_pipeline(tmp_path):
    pytest.importorskip("av")
    program = ROOT / "examples" / "video_pipeline.py"
    command = [sys.executable, program, "-o", tmp_path / "boxes.mp4", "--device", "cuda"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "100 frames on cuda" in done.stdout
