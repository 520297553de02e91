# SPDX-License-Identifier: Apache-2.0
"""What mypy and pyright make of pixview, strictly, and whether the stubs say what is there.

The files in typing/ are checked and never run.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pixview
import pytest

HERE = Path(__file__).parent / "typing"
CACHE = Path(__file__).parents[2] / "build" / "mypy"


def run(*command: str | Path, **env: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | env)
    assert done.returncode == 0, done.stdout + done.stderr


def mypy(file: str, *options: str | Path, cache: str = "with", path: str = "") -> None:
    pytest.importorskip("mypy", reason="no mypy: pip install -r tools/requirements-test.txt")
    config = ("--config-file", HERE / "mypy.ini", "--cache-dir", CACHE / cache)
    CACHE.mkdir(parents=True, exist_ok=True)
    # torch takes mypy seconds once: the pass with another OpenCV waits and finds it in the cache.
    with open(CACHE / f"{cache}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run(sys.executable, "-m", "mypy", *config, *options, HERE / file, MYPYPATH=path)


def test_mypy_with_torch_and_numpy(torch: Any) -> None:
    mypy("uses.py")


def test_mypy_without_any_of_the_libraries(tmp_path: Path) -> None:
    (tmp_path / "pixview").symlink_to(Path(pixview.__file__).parent)
    mypy("without.py", "--no-site-packages", cache="without", path=str(tmp_path))


@pytest.fixture
def stubs(cv2: Any) -> Path:
    """The folder that the cv2 at hand, and its stubs, are in."""
    folder = Path(cv2.__file__).parent
    if not (folder / "cuda" / "__init__.pyi").exists():
        pytest.skip(f"cv2 {cv2.__version__} in {folder} has no type stubs")
    return folder.parent


@pytest.mark.cv2
def test_mypy_with_opencv(torch: Any, stubs: Path) -> None:
    mypy("opencv.py", path=str(stubs))


def pyright() -> list[str]:
    """The command, or []."""
    for name in ("basedpyright", "pyright"):
        beside = Path(sys.executable).parent / name
        found = str(beside) if beside.exists() else shutil.which(name)
        if found:
            return [found]
    return []


def check_strictly(file: str, config: Path, *paths: Path) -> None:
    if not pyright():
        pytest.skip("no pyright or basedpyright: pip install -r tools/requirements-test.txt")
    settings = {
        "include": [str(HERE / file)],
        "extraPaths": [str(path) for path in paths],
        "typeCheckingMode": "strict",
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    config.write_text(json.dumps(settings))
    run(*pyright(), "--project", config, "--pythonpath", sys.executable)


def test_pyright_strict(torch: Any, tmp_path: Path) -> None:
    check_strictly("uses.py", tmp_path / "pyrightconfig.json")


@pytest.mark.cv2
def test_pyright_strict_with_opencv(torch: Any, tmp_path: Path, stubs: Path) -> None:
    check_strictly("opencv.py", tmp_path / "pyrightconfig.json", stubs)


def test_the_stubs_say_what_is_there() -> None:
    pytest.importorskip("mypy", reason="no mypy: pip install -r tools/requirements-test.txt")
    command = (sys.executable, "-m", "mypy.stubtest", "pixview")
    allowed = ("--allowlist", HERE / "allowlist.txt", "--ignore-unused-allowlist")
    run(*command, *allowed, "--mypy-config-file", HERE / "stubtest.ini")


def test_py_typed() -> None:
    assert (Path(pixview.__file__).parent / "py.typed").exists()
