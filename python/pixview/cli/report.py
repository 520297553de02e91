# SPDX-License-Identifier: Apache-2.0
"""What `pixview doctor` found, as one dictionary: what ``--json`` prints. docs/doctor.md has its keys."""

from __future__ import annotations

import os
import platform
import re
import sys
import sysconfig
from collections.abc import Mapping
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from .. import _core
from .machine import cannot_compile, find, line, no_gpu_for, try_imports

SCHEMA = 1  # counts up when a key goes or changes its meaning, not when one is added
LIBRARIES = ("numpy", "torch", "cupy", "cv2", "PIL")
# Distributions whose mere presence can matter, by their normalized names.
DISTRIBUTIONS = re.compile(
    r"(opencv-|cupy($|-cuda)|nvidia-npp$|pixview-savant$|ml-dtypes$|numba(-cuda)?$|jax$|apache-tvm-ffi$)"
    r"|pynvvideocodec$"
)

Report = dict[str, Any]


def gather() -> Report:
    """Import the libraries, look for GPUs and return the report. Raises nothing for what is missing."""
    try_imports(LIBRARIES)
    modules = {name: find(name) for name in LIBRARIES}
    facts = _core._doctor()
    gpus = [_gpu(index, device, modules["cv2"]) for index, device in _devices(facts)]
    report: Report = {
        "schema": SCHEMA,
        "pixview": {key: facts[key] for key in ("version", "kernels", "code")},
        "python": _python(),
        "libraries": {name: _library(name, modules[name], facts) for name in LIBRARIES},
        "gpumat": _gpumat(facts, modules["cv2"]),
        "driver": _driver(facts),
        "gpus": gpus,
        "visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "distributions": distributions(),
        "savant": _real_savant(),
    }
    report["works"] = works(report)
    return report


def works(report: Report) -> dict[str, Any]:
    """Between which libraries images go here, in host memory and on the GPU."""
    libraries = report["libraries"]
    host = [text for name, text in (("numpy", "NumPy"), ("torch", "torch")) if has(libraries, name)]
    on_gpu = (("cv2", "GpuMat"), ("torch", "torch"), ("cupy", "CuPy"))
    gpu = [text for name, text in on_gpu if libraries[name]["gpu"]]
    return {
        "host": [*host, "DLPack"],
        "gpu": [*gpu, "DLPack"] if report["gpus"] else [],
        "gpu_copies": any(gpu["kernels"] for gpu in report["gpus"]),
    }


def has(libraries: Mapping[str, Any], name: str) -> bool:
    """Could the library be imported?"""
    return libraries[name]["version"] is not None


def distributions() -> dict[str, str]:
    """The installed distributions that the doctor has something to say about: name to version."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"] or "").lower()
        if DISTRIBUTIONS.match(name):
            found.setdefault(name, distribution.version)  # the first on the path is the one in use
    return dict(sorted(found.items()))


def _python() -> dict[str, Any]:
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    return {
        "version": platform.python_version(),
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "gil": bool(gil),
        "system": platform.system(),
        "machine": platform.machine(),
    }


def _library(name: str, module: ModuleType | str, facts: _core._Doctor) -> dict[str, Any]:
    """version: None if it cannot be imported; error is then the reason."""
    row: dict[str, Any] = {"version": None, "error": None, "cuda": None, "gpu": False}
    row |= {"reason": None, "read": facts.get(name)}
    if isinstance(module, str):
        return row | {"error": module, "read": None}
    row["version"] = str(getattr(module, "__version__", "unknown version"))
    if name in ("numpy", "PIL"):
        return row
    row["reason"] = no_gpu_for(name, module) or None
    row["gpu"] = row["reason"] is None
    try:
        row["cuda"] = _built_for(name, module, facts)
    except Exception as error:  # a library that is half there
        row["error"] = line(error)
    if name == "cupy" and row["gpu"] and not row["error"]:
        reason = cannot_compile(module)
        row["error"] = f"cannot compile a kernel: {reason}" if reason else None
    return row


def _built_for(name: str, module: Any, facts: _core._Doctor) -> str | None:
    """The CUDA version that the library was built for, None without CUDA."""
    if name == "torch":
        return str(module.version.cuda) if module.version.cuda else None
    if name == "cupy":
        return _cuda(module.cuda.get_local_runtime_version())
    gpumat = facts["gpumat"]
    if gpumat is None or not gpumat["cuda"]:
        return None
    found = re.search(r"NVIDIA CUDA:\s+YES \(ver ([\d.]+)", module.getBuildInformation())
    return found[1] if found else "unknown"


def _cuda(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _gpumat(facts: _core._Doctor, cv2: Any) -> dict[str, Any] | None:
    gpumat = facts["gpumat"]
    if gpumat is None:
        return None
    return {
        "cuda": gpumat["cuda"],
        "channel_shift": gpumat["cn_shift"],
        "read": gpumat["read"],
        "own": gpumat["own"],
        "reason": str(gpumat["reason"]) if gpumat["reason"] else None,
        "dlpack": hasattr(cv2.cuda.GpuMat, "__dlpack__"),
    }


def _driver(facts: _core._Doctor) -> dict[str, Any]:
    driver = facts["driver"]
    row = {"cuda": None, "error": None, "kernel_module": Path("/proc/driver/nvidia").exists()}
    if "error" in driver:
        return row | {"error": driver["error"]}
    return row | {"cuda": _cuda(driver["version"])}


def _devices(facts: _core._Doctor) -> list[tuple[int, _core._DoctorDevice]]:
    return list(enumerate(facts["driver"].get("devices", [])))


def _gpu(index: int, device: _core._DoctorDevice, cv2: Any) -> dict[str, Any]:
    """reason: why the kernels do not load, or why the GPU cannot be used at all."""
    capability = device["compute_capability"]
    if capability is None:
        row = {"name": None, "compute_capability": None, "kernels": False}
        return row | {"reason": device["name"], "opencv": None}
    loaded = device.get("kernels")
    return {
        "name": device["name"],
        "compute_capability": ".".join(map(str, capability)),
        "kernels": loaded is True,
        "reason": None if loaded is True else str(loaded),
        "opencv": _opencv_has_code_for(index, cv2),
    }


def _opencv_has_code_for(index: int, cv2: Any) -> bool | None:
    """None: there is no OpenCV with CUDA to ask."""
    try:
        if cv2.cuda.getCudaEnabledDeviceCount() <= index:
            return None
        return bool(cv2.cuda.DeviceInfo(index).isCompatible())
    except Exception:
        return None


def _real_savant() -> bool:
    """Is there a Savant whose files pixview-savant would replace, or be replaced by?"""
    spec = PathFinder.find_spec("savant")
    places = (spec.submodule_search_locations if spec else None) or []
    return any(Path(place, "deepstream").is_dir() for place in places)
