# SPDX-License-Identifier: Apache-2.0
"""tools/opencv-cuda: what it refuses, before it fetches or writes anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "opencv-cuda" / "build.py"


def refusal(work: Path, *args: str, **environment: str) -> str:
    command = [sys.executable, TOOL, *args, "--work", work]
    done = subprocess.run(command, env=os.environ | environment, text=True, capture_output=True)
    assert done.returncode == 1
    assert not list(work.glob("*"))
    return done.stderr


@pytest.mark.parametrize(
    ("args", "cure"),
    [
        (["latest", "--arch", "9.0"], "such as 4.13"),
        (["4", "--arch", "9.0"], "such as 4.13"),
        (["4.12.0.88", "--arch", "9.0"], "take 4.13 or newer"),
        (["4.13", "--arch", "90"], "such as 9.0"),
        (["4.13", "--arch", "8.6,"], "such as 9.0"),
        (["4.13", "--arch", "9.0", "--jobs", "0"], "1 or more"),
    ],
)
def test_refuses(args: list[str], cure: str, tmp_path: Path) -> None:
    assert cure in refusal(tmp_path, *args)


def test_no_gpu_to_ask(tmp_path: Path) -> None:
    """Without --arch it is nvidia-smi that knows."""
    assert "--arch 8.6,9.0" in refusal(tmp_path, "4.13", PATH=str(tmp_path))


def test_no_compiler(tmp_path: Path) -> None:
    text = refusal(tmp_path, "4.13", "--arch", "9.0", CXX="no-such-compiler")
    assert "no-such-compiler" in text and "apt install build-essential" in text
