# SPDX-License-Identifier: Apache-2.0
"""make test-gpu and make bench where something is missing: one line says what, before any work. And
make demo, which fetches torch only where it is wanted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A checkout of the scripts alone, for a machine with a driver or without."""
    folder = tmp_path / "checkout"
    (folder / "tools").mkdir(parents=True)
    for name in ("lib.sh", "need_gpu.sh"):
        shutil.copy(ROOT / "tools" / name, folder / "tools")
    return folder


def ask(
    tools: Path, target: str, driver: bool, script: str = "need_gpu.sh", **environment: str
) -> subprocess.CompletedProcess[str]:
    with (tools / "tools" / "lib.sh").open("a") as lib:
        lib.write(f"\nhas_driver() {{ {str(driver).lower()}; }}\n")
    # An OpenCV of the environment would do, so none is found.
    settings = {"PY": sys.executable, "PYTHONPATH": str(tools), **environment}
    (tools / "cv2.py").write_text("raise ImportError\n")
    command = ["/bin/sh", f"tools/{script}", target]
    return subprocess.run(
        command, cwd=tools, env=os.environ | settings, text=True, capture_output=True
    )


@pytest.mark.parametrize("target", ["test-gpu", "bench"])
def test_no_driver(tools: Path, target: str) -> None:
    done = ask(tools, target, driver=False, PATH="")
    assert done.returncode == 1
    for part in (f"make {target}", "libcuda.so.1", "--gpus all", "without a GPU: "):
        assert part in done.stderr


@pytest.mark.parametrize("folder", ["wheels", "nowhere"])
def test_no_opencv(tools: Path, tmp_path: Path, folder: str) -> None:
    (tmp_path / "wheels").mkdir()
    done = ask(tools, "bench", driver=True, PIXVIEW_OPENCV_CUDA=str(tmp_path / folder))
    assert done.returncode == 1
    for part in ("no OpenCV with CUDA", "PIXVIEW_OPENCV_CUDA", "tools/opencv-cuda/build.py"):
        assert part in done.stderr


def test_a_wheel_will_do(tools: Path, tmp_path: Path) -> None:
    (tmp_path / "opencv_x-5.0.0-py3-none-any.whl").touch()
    done = ask(tools, "test-gpu", driver=True, PIXVIEW_OPENCV_CUDA=str(tmp_path))
    assert done.returncode == 0 and not done.stderr


@pytest.mark.parametrize("target", ["test-gpu", "bench"])
def test_make_asks_first(target: str) -> None:
    """Before it fetches torch and builds."""
    make = shutil.which("make")
    if not make:
        pytest.skip("no make here")
    done = subprocess.run(
        [make, "--no-print-directory", "--dry-run", "VENV=build/none", target],
        cwd=ROOT, text=True, capture_output=True,
    )  # fmt: skip
    lines = [
        line for line in done.stdout.splitlines() if line.startswith(("sh ", "python", "tools/"))
    ]
    assert lines[0] == f"sh tools/need_gpu.sh {target}", done.stdout + done.stderr


@pytest.mark.parametrize(
    ("origin", "driver", "torch", "wants", "words"),
    [
        ("file", "false", False, False, "make demo TORCH=torch"),
        ("file", "false", True, False, ""),
        ("file", "true", False, True, ""),
        ("command line", "false", False, True, ""),
        ("environment", "false", False, True, ""),
    ],
)
def test_the_demo_fetches_torch_for_a_gpu_or_by_name(
    tools: Path, origin: str, driver: str, torch: bool, wants: bool, words: str
) -> None:
    """PyPI's torch is nearly three gigabytes of CUDA. Where it is already there, nothing is said."""
    shutil.copy(ROOT / "tools" / "demo_torch.sh", tools / "tools")
    (tools / "torch.py").write_text("" if torch else "raise ImportError\n")
    done = ask(tools, origin, driver == "true", script="demo_torch.sh")
    assert (done.returncode == 0) == wants, done.stderr
    assert words in done.stderr and bool(words) == bool(done.stderr)


@pytest.mark.parametrize(
    ("arguments", "environment", "origin"),
    [
        ([], {}, "file"),
        (["TORCH=torch.whl"], {}, "command line"),
        ([], {"TORCH": "torch"}, "environment"),
    ],
)
def test_make_knows_who_named_torch(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], origin: str
) -> None:
    make = shutil.which("make")
    if not make:
        pytest.skip("no make here")
    clean = {key: value for key, value in os.environ.items() if key != "TORCH"}
    done = subprocess.run(
        [make, "--no-print-directory", "--dry-run", f"VENV={tmp_path}", "demo", *arguments],
        cwd=ROOT, text=True, capture_output=True, env=clean | environment,
    )  # fmt: skip
    assert f"demo_torch.sh '{origin}'" in done.stdout, done.stdout + done.stderr
