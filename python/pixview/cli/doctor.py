"""``pixview doctor``: what this machine has, and what pixview can do with it.

A missing or broken library is a row of the report, not an error.
"""

from __future__ import annotations

import platform
from types import ModuleType
from typing import Any

from .. import _core
from .machine import find, line, no_gpu_for

Row = tuple[str, str]


def run() -> int:
    """Print the report. Always returns 0."""
    found = {name: find(name) for name in ("numpy", "torch", "cupy", "cv2")}
    facts = _core._doctor()
    sections = {
        "pixview": _pixview_rows(facts),
        "libraries": [
            (name, _describe(name, module) + _path(facts, name)) for name, module in found.items()
        ],
        "cv2.cuda.GpuMat": _gpumat_rows(facts, found["cv2"]),
        "GPU": _gpu_rows(facts),
    }
    width = max(len(label) for rows in sections.values() for label, _ in rows)
    for title, rows in sections.items():
        print(title)
        for label, text in rows:
            print(f"  {label:<{width}}  {text}")
    print(verdict(facts, found))
    return 0


def verdict(facts: _core._Doctor, found: dict[str, ModuleType | str]) -> str:
    """One line: which conversions will work here.

    facts: the result of ``_core._doctor()``. found: each library's module, or why it has none.
    """
    names = {"numpy": "NumPy", "torch": "torch"}
    host = [text for name, text in names.items() if not isinstance(found[name], str)]
    parts = ["in host memory " + " <-> ".join([*host, "DLPack"])]
    devices = facts["driver"].get("devices", [])
    if devices:
        names = {"cv2": "GpuMat", "torch": "torch", "cupy": "CuPy"}
        gpu = [text for name, text in names.items() if not no_gpu_for(name, found[name])]
        parts.append("on the GPU " + " <-> ".join([*gpu, "DLPack"]))
        if not any(device.get("kernels") is True for device in devices):
            parts.append("on the GPU views only: no kernels")
    else:
        parts.append("no GPU")
    return f"Here: {'; '.join(parts)}."


def _path(facts: _core._Doctor, name: str) -> str:
    """How pixview reads this library's objects: "; ...", or ""."""
    texts: dict[tuple[str, object], str] = {
        ("torch", "table"): "; read through its DLPack exchange table (fast)",
        (
            "torch",
            "attributes",
        ): "; read by attributes and capsules (slower): torch 2.10 or newer has an exchange table",
        ("cupy", "struct"): "; read as a verified struct (fast)",
        ("cupy", "attributes"): "; read by attributes (slower, same results)",
    }
    return texts.get((name, facts.get(name) or ""), "")


def _describe(name: str, module: ModuleType | str) -> str:
    if isinstance(module, str):
        return module
    version = str(getattr(module, "__version__", "unknown version"))
    extra = {"torch": _torch_facts, "cupy": _cupy_facts, "cv2": _cv2_facts}.get(name)
    if extra is None:
        return version
    try:
        return f"{version}, {extra(module)}"
    except Exception as error:
        return f"{version}, but: {line(error)}"


def _torch_facts(torch: Any) -> str:
    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
    sees = "sees a GPU" if torch.cuda.is_available() else "sees no GPU"
    return f"{built}, {sees}"


def _cupy_facts(cupy: Any) -> str:
    return f"sees {cupy.cuda.runtime.getDeviceCount()} GPU(s)"


def _cv2_facts(cv2: Any) -> str:
    if not hasattr(getattr(cv2, "cuda", None), "GpuMat"):
        return "has no cuda.GpuMat"
    return f"sees {max(cv2.cuda.getCudaEnabledDeviceCount(), 0)} GPU(s)"


def _pixview_rows(facts: _core._Doctor) -> list[Row]:
    return [
        ("version", facts["version"]),
        ("kernels", _kernels(facts)),
        ("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
    ]


def _kernels(facts: _core._Doctor) -> str:
    if not facts["kernels"]:
        return "none: on a GPU views only (make demo CUDA=1 builds kernels)"
    machine = [_capability(code) for code in facts["code"] if code.startswith("sm_")]
    ptx = [_capability(code) for code in facts["code"] if code.startswith("compute_")]
    if machine:
        rest = f"; the driver compiles the PTX ({', '.join(ptx)}) for others" if ptx else ""
        return (
            f"compiled for compute capability {', '.join(machine)} and later ones of the same major "
            f"version{rest}"
        )
    if ptx:
        return (
            f"PTX only ({', '.join(ptx)}): the driver compiles it on first use and must be at least "
            "as new as the nvcc that built it"
        )
    return "compiled, for unknown GPUs"


def _capability(code: str) -> str:
    """ "sm_90" and "compute_90": "9.0"."""
    number = code.rpartition("_")[2]
    return f"{number[:-1]}.{number[-1]}"


def _gpumat_rows(facts: _core._Doctor, cv2: ModuleType | str) -> list[Row]:
    gpumat = facts["gpumat"]
    if gpumat is None:
        return [("none", cv2 if isinstance(cv2, str) else "this cv2 has no cuda.GpuMat")]
    if gpumat["read"] == "none":
        return [("unusable", gpumat["reason"])]
    built = (
        "built with CUDA"
        if gpumat["cuda"]
        else "built without CUDA: GpuMat is a header only, cv2.cuda computes nothing"
    )
    paths = {
        "struct": "as a verified struct (fast)",
        "public": "by public calls (slower, same results)",
        "native": "by OpenCV's reference count: regions and header copies keep the source alive",
        "subtype": "by a subtype of GpuMat: regions made by cv2 do not keep the source alive",
    }
    rows = [
        ("OpenCV", built),
        ("type codes", f"channel shift {gpumat['cn_shift']}"),
        ("reading", paths.get(gpumat["read"], gpumat["read"])),
        ("owning", paths.get(gpumat["own"], gpumat["own"])),
    ]
    return rows + ([("because", gpumat["reason"])] if gpumat["reason"] else [])


def _gpu_rows(facts: _core._Doctor) -> list[Row]:
    driver = facts["driver"]
    if "error" in driver:
        return [("driver", f"none: {driver['error']}")]
    major, minor = driver["version"] // 1000, driver["version"] % 1000 // 10
    rows = [("driver", f"up to CUDA {major}.{minor}")]
    for index, device in enumerate(driver["devices"]):
        rows.append((f"GPU {index}", _device(device)))
    return rows if driver["devices"] else [*rows, ("GPUs", "none")]


def _device(device: _core._DoctorDevice) -> str:
    if device["compute_capability"] is None:
        return f"unusable: {device['name']}"
    capability = ".".join(str(part) for part in device["compute_capability"])
    loaded = device.get("kernels")
    kernels = "load" if loaded is True else f"do not load: {loaded}"
    return f"{device['name']}, compute capability {capability}, kernels {kernels}"
