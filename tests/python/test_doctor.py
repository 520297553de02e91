# SPDX-License-Identifier: Apache-2.0
"""`pixview doctor`: its JSON, and a line for each combination that is known to be bad."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pixview
import pytest
from pixview.cli import doctor, known, report
from pixview.cli.machine import cannot_compile
from snippets import ROOT
from support import check_fork, fork_python

PAGE = (ROOT / "docs" / "doctor.md").read_text()
LIBRARY = {"version": None, "error": "not installed", "cuda": None, "gpu": False}
LIBRARY |= {"reason": None, "read": None}
OPENCV = {"version": "4.14.0", "error": None, "cuda": "13.0", "gpu": True}
GPUMAT = {"cuda": True, "channel_shift": 3, "read": "struct", "own": "native", "reason": None}
GPUMAT["dlpack"] = False
GPU = {"name": "NVIDIA H200", "compute_capability": "9.0", "kernels": True, "reason": None}

# A machine with a GPU on which all is well, except for what every OpenCV 4 lacks.
WELL: dict[str, Any] = {
    "schema": 1,
    "pixview": {"version": "1.2.3", "kernels": True, "code": ["sm_90", "compute_75"]},
    "python": {
        "version": "3.12.1",
        "free_threaded": False,
        "gil": True,
        "system": "Linux",
        "machine": "x86_64",
    },
    "libraries": {
        "numpy": LIBRARY | {"version": "2.4.0", "error": None},
        "torch": LIBRARY
        | {"version": "2.13.0+cu130", "error": None, "cuda": "13.0", "gpu": True, "read": "table"},
        "cupy": LIBRARY
        | {"version": "14.2.0", "error": None, "cuda": "13.0", "gpu": True, "read": "struct"},
        "cv2": LIBRARY | OPENCV,
        "PIL": LIBRARY | {"version": "12.1.0", "error": None},
    },
    "gpumat": GPUMAT,
    "driver": {"cuda": "13.0", "error": None, "kernel_module": True},
    "gpus": [GPU | {"opencv": True}],
    "visible_devices": None,
    "distributions": {"cupy-cuda13x": "14.2.0", "ml-dtypes": "0.5.4", "opencv-cuda-sm90": "4.14.0"},
    "savant": False,
}
EMPTY = {"problems": [], "verdict": ""}
CANNOT = "cannot load libcuda.so.1 (no such file)"
NPP = "broken: ImportError: libnppial.so.13: cannot open shared object file"
GL = "broken: ImportError: libGL.so.1: cannot open shared object file"
ABI = "broken: ImportError: numpy.core.multiarray failed to import"

# What is different there, and words of the line: of what is wrong, and of what to do.
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no-gpu-visible": (
        {"gpus": [], "visible_devices": "", "driver.error": "cannot start: NO_DEVICE (100), none"},
        "CUDA_VISIBLE_DEVICES='' hides",
        "unset",
    ),
    "driver-out-of-reach": (
        {"gpus": [], "driver.cuda": None, "driver.error": CANNOT},
        "libcuda.so.1 is not found",
        "--gpus all",
    ),
    "driver-mismatch": (
        {"gpus": [], "driver.error": "cannot start: SYSTEM_DRIVER_MISMATCH (803), mismatch"},
        "different versions",
        "reboot",
    ),
    "driver-too-old": (
        {
            "gpus": [],
            "driver.error": "the NVIDIA driver has no cuX; pixview needs R525 or newer",
        },
        "has no cuX",
        "R525",
    ),
    "gpu-unusable": (
        {"gpus.0.compute_capability": None, "gpus.0.reason": "uncorrectable ECC error"},
        "uncorrectable ECC",
        "nvidia-smi",
    ),
    "gpu-too-old": ({"gpus.0.compute_capability": "6.1"}, "6.1: views only", "7.5"),
    "no-kernels": ({"pixview.kernels": False}, "without kernels", "make CUDA=1"),
    "kernels-do-not-load": (
        {"gpus.0.kernels": False, "gpus.0.reason": "unsupported toolchain"},
        "GPU 0: unsupported toolchain",
        "-Darchitectures=90",
    ),
    "library-too-old": ({"libraries.cupy.version": "12.3.0"}, "12.3.0 is older than 13", "-U cupy"),
    "library-broken": (
        {"libraries.torch.version": None, "libraries.torch.error": "broken: OSError: libx.so"},
        "torch is installed and cannot be imported (OSError: libx.so)",
        "import torch",
    ),
    "opencv-several": (
        {"distributions.opencv-python": "4.14.0.94"},
        "opencv-cuda-sm90, opencv-python all own",
        "pip uninstall opencv-cuda-sm90 opencv-python",
    ),
    "opencv-numpy-abi": (
        {"libraries.cv2.version": None, "libraries.cv2.error": ABI},
        "built for NumPy 1",
        "opencv-python",
    ),
    "opencv-without-npp": (
        {"libraries.cv2.version": None, "libraries.cv2.error": NPP},
        "NPP",
        "nvidia-npp>=13",
    ),
    "opencv-without-libgl": (
        {"libraries.cv2.version": None, "libraries.cv2.error": GL},
        "windows",
        "headless",
    ),
    "opencv-without-cuda": (
        {"gpumat.cuda": False, "gpumat.own": "subtype", "libraries.cv2.gpu": False},
        "built without CUDA",
        "opencv-cuda.md",
    ),
    "opencv-without-gpumat": ({"gpumat": None}, "no cuda.GpuMat", "opencv-cuda.md"),
    "opencv-sees-no-gpu": (
        {"libraries.cv2.gpu": False, "driver.cuda": "12.4"},
        "OpenCV is built for CUDA 13.0 and sees no GPU; the driver supports up to 12.4",
        "R580",
    ),
    "opencv-for-other-gpus": ({"gpus.0.opencv": False}, "NVIDIA H200", "--arch 9.0"),
    "gpumat-unreadable": (
        {"gpumat.read": "none", "gpumat.reason": "step differs"},
        "step differs",
        "--json",
    ),
    "gpumat-slow": (
        {"gpumat.read": "public", "gpumat.reason": "step differs"},
        "public calls: step differs",
        "--json",
    ),
    "opencv-current-device": (
        {"gpus": [GPU | {"opencv": True}, GPU | {"opencv": True}]},
        "current GPU",
        "setDevice",
    ),
    "opencv-own-dlpack": ({"gpumat.dlpack": True}, "no streams", "pixview.view(mat)"),
    "opencv-4-types": ({}, "bfloat16", "uint16"),
    "opencv-5-textures": ({"libraries.cv2.version": "5.0.0"}, "32 bytes", "copy=True"),
    "torch-without-cuda": (
        {"libraries.torch.cuda": None, "libraries.torch.gpu": False},
        "torch 2.13.0+cu130 is built without CUDA",
        "pip uninstall torch",
    ),
    "torch-sees-no-gpu": (
        {"libraries.torch.gpu": False, "driver.cuda": "12.4"},
        "CUDA 13.0 and sees no GPU; the driver supports up to 12.4",
        "older CUDA",
    ),
    "torch-without-table": ({"libraries.torch.version": "2.9.1"}, "2.9.1", "2.10"),
    "cupy-several": ({"distributions.cupy-cuda12x": "13.6.0"}, "own the folder cupy", "uninstall"),
    "cupy-sees-no-gpu": (
        {"libraries.cupy.gpu": False, "libraries.cupy.reason": "too old", "driver.cuda": "12.4"},
        "too old; the driver supports up to CUDA 12.4",
        "cupy-cuda12x",
    ),
    "cupy-cannot-compile": (
        {"libraries.cupy.error": "cannot compile a kernel: no header", "driver.cuda": "12.4"},
        "CuPy cannot compile a kernel: no header",
        "cupy-cuda12x[ctk]",
    ),
    "numpy-without-bfloat16": (
        {"distributions": {"cupy-cuda13x": "14.2.0"}},
        "no bfloat16",
        "ml_dtypes",
    ),
    "numpy-1-readonly": ({"libraries.numpy.version": "1.26.4"}, "BufferError", "as_numpy"),
    "jax-dense-only": ({"distributions.jax": "0.9.0"}, "dense", "contiguous=True"),
    "tvm-ffi-readonly": ({"distributions.apache-tvm-ffi": "0.1.13"}, "read-only", "copy=True"),
    "numba-waits": ({"distributions.numba-cuda": "0.28"}, "waits", "one stream"),
    "nvcodec-10-bits": ({"distributions.pynvvideocodec": "2.1"}, "P016", "P010"),
    "savant-twice": (
        {"distributions.pixview-savant": "1.2.3", "savant": True},
        "memory_repr",
        "uninstall pixview-savant",
    ),
    "savant-other-version": ({"distributions.pixview-savant": "1.2.2"}, "1.2.2", "one version"),
    "savant-axes": ({"distributions.pixview-savant": "1.2.3"}, "C,H,W", "src_layout"),
    "no-gil": ({"python.gil": False}, "forced off", "PYTHON_GIL"),
    "free-threaded": ({"python.free_threaded": True}, "switches it on", "nothing"),
}


def machine(changes: dict[str, Any]) -> dict[str, Any]:
    """The report of the machine on which all is well, with some keys changed."""
    made = copy.deepcopy(WELL)
    for path, value in changes.items():
        *folders, key = path.split(".")
        place: Any = made
        for folder in folders:
            place = place[int(folder) if isinstance(place, list) else folder]
        place[key] = value
    return made


def test_every_rule_is_tested() -> None:
    assert list(BAD) == [rule.id for rule in known.RULES]


@pytest.mark.parametrize("id", BAD)
def test_a_bad_combination_has_its_line(id: str) -> None:
    changes, wrong, cure = BAD[id]
    rows = {row["id"]: row for row in known.problems(machine(changes))}
    assert id in rows, list(rows)
    assert wrong in rows[id]["text"], rows[id]
    assert cure in rows[id]["fix"], rows[id]
    assert set(rows) <= {id, "opencv-4-types", "savant-axes"}, list(rows)


def test_where_all_is_well_there_is_no_line() -> None:
    assert known.problems(machine({"libraries.cv2.gpu": False, "gpumat": None, "gpus": []})) == []


def test_problems_come_before_notes() -> None:
    rows = known.problems(machine({"python.gil": False}))
    assert [row["level"] for row in rows] == ["problem", "note"]


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("2.13.0+cu130", (2, 13, 0)), ("14.0.0rc1", (14, 0, 0)), ("unknown version", ())],
)
def test_versions(version: str, numbers: tuple[int, ...]) -> None:
    assert known._numbers(version) == numbers


def test_the_page_lists_every_rule() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (problem|note) \|", PAGE, re.MULTILINE)
    assert rows == [(rule.id, rule.level) for rule in known.RULES]


def test_the_page_lists_every_key() -> None:
    """And the machine of these tests has the keys of a real one."""
    names = set(re.findall(r"`(\w+)`", PAGE[: PAGE.index("## Known")]))
    found = json.loads(run("--json"))
    assert found.keys() <= names, found.keys() - names
    works = found["works"]
    assert found.keys() == WELL.keys() | {"works", "problems", "verdict"}
    for key in ("pixview", "python", "driver", "libraries"):
        assert WELL[key].keys() == found[key].keys(), key
    for row in (WELL["pixview"], WELL["python"], LIBRARY, WELL["driver"], GPUMAT, GPU, works):
        assert row.keys() <= names, row.keys() - names
    assert all(row.keys() == LIBRARY.keys() for row in found["libraries"].values())
    assert found["gpumat"] is None or found["gpumat"].keys() == GPUMAT.keys()
    assert all(gpu.keys() == {*GPU, "opencv"} for gpu in found["gpus"])


def test_cupy_that_cannot_compile() -> None:
    """What computes wrongly counts too."""

    def fail(n: int) -> None:
        raise RuntimeError("catastrophic error: cannot open source file\nsecond line")

    for arange, words in (
        (np.arange, ""),
        (lambda n: np.arange(n) + 1, "wrong value"),
        (fail, "RuntimeError: catastrophic error: cannot open source file"),
    ):
        reason = cannot_compile(SimpleNamespace(arange=arange))
        assert words in reason and bool(words) == bool(reason), reason
        assert "second" not in reason


def run(*arguments: str, **env: str) -> str:
    done = fork_python(
        f"from pixview.cli import main; raise SystemExit(main(['doctor', *{arguments!r}]))", **env
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_json_and_text_say_the_same() -> None:
    found = json.loads(run("--json"))
    lines = run().splitlines()
    assert found["schema"] == report.SCHEMA and found["pixview"]["version"] == pixview.__version__
    assert lines == doctor.text(found)
    assert lines[-1] == found["verdict"]
    for row in found["problems"]:
        assert f"{row['level']}: {row['text']}. Fix: {row['fix']}" in lines


def test_json_beside_odd_modules(tmp_path: Path) -> None:
    """An empty file of a library's name, one that prints, and an OpenCV whose GpuMat is none."""
    (tmp_path / "torch.py").touch()
    (tmp_path / "cupy.py").write_text("print('hi')\n__version__ = '14.2.0'\n")
    (tmp_path / "cv2.py").write_text("__version__ = '4'\nclass cuda:\n    class GpuMat: pass\n")
    done = doctor_beside(tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "hi" in done.stderr.splitlines()
    torch = found["libraries"]["torch"]
    assert torch["version"] is None and "has this name and no __version__" in torch["error"]
    assert "torch" not in found["works"]["host"]
    assert "CV_8UC2" in found["gpumat"]["reason"]


def doctor_beside(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, with that folder in front."""
    path = os.pathsep.join([str(folder), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, "-m", "pixview", "doctor", *arguments],
        env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True,
    )  # fmt: skip


SEGFAULT = "print('before', flush=True)\nimport os\nos.kill(os.getpid(), 11)\n"


def test_an_import_that_crashes_is_a_row(tmp_path: Path) -> None:
    """It ended the doctor, which printed nothing. Each of several has its row, and the others theirs."""
    (tmp_path / "cv2.py").write_text(SEGFAULT)
    (tmp_path / "torch.py").write_text("import os\nos._exit(3)\n")
    (tmp_path / "cupy.py").write_text("print('hi')\n__version__ = '14.2.0'\n")
    done = doctor_beside(tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    libraries = found["libraries"]
    why = "broken: its import crashed: signal 11, Segmentation fault"
    assert libraries["cv2"]["error"] == why and libraries["cv2"]["version"] is None
    assert libraries["torch"]["error"] == "broken: its import ended the process: exit status 3"
    assert libraries["numpy"]["version"] == np.__version__
    assert libraries["cupy"]["version"] == "14.2.0" and done.stderr == "hi\n"
    assert found["gpumat"] is None
    lines = doctor_beside(tmp_path).stdout.splitlines()
    assert any(line.split(maxsplit=1) == ["cv2", why] for line in lines), lines
    assert lines[-1].startswith("Here: ")


def test_an_import_that_crashes_after_another(tmp_path: Path) -> None:
    """As of two libraries that bring the same symbols."""
    (tmp_path / "torch.py").write_text("__version__ = '2.13.0'\n")
    (tmp_path / "cv2.py").write_text(
        "import os, sys\nif 'torch' in sys.modules:\n    os.kill(os.getpid(), 11)\n"
    )
    done = doctor_beside(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "its import crashed: signal 11" in done.stdout
    assert "python -X faulthandler -c" in done.stdout


def test_pillow_has_a_row() -> None:
    """The demo needs it."""
    lines = doctor.text(machine({}) | EMPTY)
    assert any(line.split()[:3] == ["PIL", "Pillow", "12.1.0,"] for line in lines), lines
    lines = doctor.text(machine({"libraries.PIL": LIBRARY}) | EMPTY)
    assert "not installed; pixview demo needs Pillow: pip install pillow" in "\n".join(lines)


def test_json_with_nothing_installed() -> None:
    out = check_fork(
        "import sys\n"
        "for name in ('numpy', 'torch', 'cupy', 'cv2', 'PIL'):\n"
        "    sys.modules[name] = None\n"
        "from pixview.cli import main\n"
        "assert main(['doctor', '--json']) == 0\n",
        PIXVIEW_LIBCUDA="/nonexistent/libcuda.so.1",
    )
    found = json.loads(out)
    assert all(row["version"] is None and row["error"] for row in found["libraries"].values())
    assert found["gpus"] == [] and "/nonexistent" in found["driver"]["error"]
    assert found["works"] == {"host": ["DLPack"], "gpu": [], "gpu_copies": False}


def test_a_broken_library(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open')\n")
    out = check_fork(
        f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n"
        "from pixview.cli import main\nassert main(['doctor', '--json']) == 0\n"
    )
    found = json.loads(out)
    assert found["libraries"]["cv2"]["error"].startswith("broken: ImportError: libGL.so.1")
    assert "opencv-without-libgl" in [row["id"] for row in found["problems"]]


def test_a_driver_without_a_gpu() -> None:
    """The words that the rules look for are those of the driver's errors."""
    driver = os.environ.get("PIXVIEW_FAKE_DRIVER")
    if not driver:
        pytest.skip("no fake driver")
    found = json.loads(run("--json", PIXVIEW_LIBCUDA=driver, FAKE_CUDA_DEVICES="0"))
    assert "no-gpu-visible" in [row["id"] for row in found["problems"]], found["driver"]
    source = (ROOT / "src" / "cuda" / "driver.c").read_text()
    assert known.OLD_DRIVER in source and '"cannot load' in source


def test_two_gpus() -> None:
    """As the core's facts have them."""
    driver = os.environ.get("PIXVIEW_FAKE_DRIVER")
    if not driver:
        pytest.skip("no fake driver")
    found = json.loads(run("--json", PIXVIEW_LIBCUDA=driver, FAKE_CUDA_DEVICES="2"))
    assert found["driver"]["cuda"] == "13.0" and found["driver"]["error"] is None
    built = pixview._core._doctor()["kernels"]
    for index, gpu in enumerate(found["gpus"]):
        assert gpu["name"] == f"Fake GPU {index}" and gpu["compute_capability"] == "9.0"
        assert gpu["kernels"] == built and (gpu["reason"] is None) == built, gpu
    assert len(found["gpus"]) == 2 and found["works"]["gpu_copies"] == built
    assert "no GPU" not in found["verdict"] and found["works"]["gpu"][-1] == "DLPack"


def test_distributions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By their normalized names, the first on the path; a Savant beside pixview-savant is seen."""
    for folder, name, version in (
        ("a", "OpenCV_Python", "4.14.0.94"),
        ("b", "opencv-python", "4.8"),
        ("b", "ml_dtypes", "0.5"),
        ("b", "unrelated", "1"),
    ):
        place = tmp_path / folder / f"{name}-{version}.dist-info"
        place.mkdir(parents=True)
        (place / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
    (tmp_path / "b" / "savant" / "deepstream").mkdir(parents=True)
    monkeypatch.setattr("sys.path", [str(tmp_path / "a")])
    assert not report._real_savant()
    monkeypatch.setattr("sys.path", [str(tmp_path / "a"), str(tmp_path / "b")])
    assert report.distributions() == {"ml-dtypes": "0.5", "opencv-python": "4.14.0.94"}
    assert report._real_savant()
