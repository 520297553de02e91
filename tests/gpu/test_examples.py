# SPDX-License-Identifier: Apache-2.0
"""The programs in examples/ that are written in Python, on a GPU."""

import subprocess
import sys

import pytest
from snippets import ROOT

from .util import torch  # skips this module without a GPU


def test_video_pipeline(tmp_path):
    pytest.importorskip("av")
    program = ROOT / "examples" / "video_pipeline.py"
    command = [sys.executable, program, "-o", tmp_path / "boxes.mp4", "--device", "cuda"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "100 frames on cuda" in done.stdout


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_torch_distributed():
    if not torch.distributed.is_nccl_available():
        pytest.skip(f"torch {torch.__version__} is built without NCCL")
    program = ROOT / "examples" / "torch_distributed.py"
    options = "--standalone", "--local-addr=127.0.0.1", "--nproc_per_node=2"
    command = [sys.executable, "-m", "torch.distributed.run", *options, program]
    command += "--device", "cuda", "--frames", "32"
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "32 cv2.cuda.GpuMats, 2 ranks, nccl on cuda\nevery pixel is right" in done.stdout
