# SPDX-License-Identifier: Apache-2.0
"""``pixview doctor``: what this machine has, and what pixview can do with it.

A missing or broken library is a row of the report, not an error.
"""

from __future__ import annotations

import json
from typing import Any

from .known import problems
from .report import Report, gather

Row = tuple[str, str]


def run(as_json: bool = False) -> int:
    """Print the report, for a reader or as JSON. Always returns 0."""
    report = gather()
    report["problems"] = problems(report)
    report["verdict"] = verdict(report)
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        print("\n".join(text(report)))
    return 0


def text(report: Report) -> list[str]:
    """The report as lines."""
    sections = {
        "pixview": _pixview_rows(report),
        "libraries": [(name, _library(name, report)) for name in report["libraries"]],
        "cv2.cuda.GpuMat": _gpumat_rows(report),
        "GPU": _gpu_rows(report),
    }
    width = max(len(label) for rows in sections.values() for label, _ in rows)
    lines = []
    for title, rows in sections.items():
        lines += [title, *(f"  {label:<{width}}  {fact}" for label, fact in rows)]
    lines += [f"{row['level']}: {row['text']}. Fix: {row['fix']}" for row in report["problems"]]
    return [*lines, report["verdict"]]


def verdict(report: Report) -> str:
    """One line: which conversions will work here."""
    works = report["works"]
    parts = ["in host memory " + " <-> ".join(works["host"])]
    if works["gpu"]:
        parts.append("on the GPU " + " <-> ".join(works["gpu"]))
        if not works["gpu_copies"]:
            parts.append("on the GPU views only: no kernels")
    else:
        parts.append("no GPU")
    return f"Here: {'; '.join(parts)}."


def _library(name: str, report: Report) -> str:
    row = report["libraries"][name]
    if name == "PIL":
        return _pillow(row)
    if row["version"] is None:
        return str(row["error"])
    if row["error"]:
        return f"{row['version']}, but: {row['error']}"
    return ", ".join([row["version"], *_uses(name, row, report)]) + _path(name, row["read"])


def _pillow(row: dict[str, Any]) -> str:
    if row["version"] is None:
        return f"{row['error']}; pixview demo needs Pillow: pip install pillow"
    return f"Pillow {row['version']}, for pixview demo and the picture of pixview bench"


def _uses(name: str, row: dict[str, Any], report: Report) -> list[str]:
    if name == "numpy":
        return []
    if name == "cv2" and report["gpumat"] is None:
        return ["has no cuda.GpuMat"]
    built = f"built for CUDA {row['cuda']}" if row["cuda"] else "built without CUDA"
    return [built, "sees a GPU" if row["gpu"] else "sees no GPU"]


def _path(name: str, read: str | None) -> str:
    """How pixview reads this library's objects: "; ...", or ""."""
    texts = {
        ("torch", "table"): "; read through its DLPack exchange table (fast)",
        ("torch", "attributes"): "; read by attributes and capsules (slower)",
        ("cupy", "struct"): "; read as a verified struct (fast)",
        ("cupy", "attributes"): "; read by attributes (slower, same results)",
    }
    return texts.get((name, read or ""), "")


def _pixview_rows(report: Report) -> list[Row]:
    python = report["python"]
    return [
        ("version", report["pixview"]["version"]),
        ("kernels", _kernels(report["pixview"])),
        ("python", f"{python['version']} on {python['system']} {python['machine']}"),
    ]


def _kernels(facts: Any) -> str:
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


def _gpumat_rows(report: Report) -> list[Row]:
    gpumat = report["gpumat"]
    if gpumat is None:
        return [("none", report["libraries"]["cv2"]["error"] or "this cv2 has no cuda.GpuMat")]
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
        ("type codes", f"channel shift {gpumat['channel_shift']}"),
        ("reading", paths.get(gpumat["read"], gpumat["read"])),
        ("owning", paths.get(gpumat["own"], gpumat["own"])),
    ]
    return rows + ([("because", gpumat["reason"])] if gpumat["reason"] else [])


def _gpu_rows(report: Report) -> list[Row]:
    driver = report["driver"]
    if driver["error"]:
        return [("driver", f"none: {driver['error']}")]
    rows = [("driver", f"up to CUDA {driver['cuda']}")]
    rows += [(f"GPU {index}", _device(gpu)) for index, gpu in enumerate(report["gpus"])]
    return rows if report["gpus"] else [*rows, ("GPUs", "none")]


def _device(gpu: dict[str, Any]) -> str:
    if gpu["compute_capability"] is None:
        return f"unusable: {gpu['reason']}"
    kernels = "load" if gpu["kernels"] else f"do not load: {gpu['reason']}"
    return f"{gpu['name']}, compute capability {gpu['compute_capability']}, kernels {kernels}"
