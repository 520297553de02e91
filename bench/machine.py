"""What a result must say about where it was measured, and the file that keeps it."""

import datetime
import importlib
import pathlib
import platform
import string
import subprocess
import sys

RESULTS = pathlib.Path(__file__).parent / "results"


def version(name):
    try:
        return getattr(importlib.import_module(name), "__version__", "?")
    except ImportError:
        return None


def cpu():
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def driver():
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "?"


def describe(with_gpu):
    """Names and versions, in the order in which they are printed."""
    facts = {"date": datetime.date.today().isoformat()}
    if with_gpu:
        import torch

        facts["gpu"] = torch.cuda.get_device_name()
        facts["driver"] = driver()
        facts["cuda (torch)"] = torch.version.cuda
    facts["cpu"] = cpu()
    facts["python"] = platform.python_version()
    for name in ("pixview", "torch", "cupy", "numpy", "cv2"):
        facts[name] = version(name)
    if with_gpu:
        import pixview

        gpumat = pixview._core._doctor()["gpumat"] or {"read": "?", "own": "?"}
        facts["GpuMat"] = f"read: {gpumat['read']}, owned: {gpumat['own']}"
    return {key: value for key, value in facts.items() if value is not None}


def add_save(parser, what="the report"):
    parser.add_argument("--save", nargs="?", type=pathlib.Path, const=RESULTS, metavar="FOLDER",
                        help=f"write {what} into FOLDER (bench/results)")  # fmt: skip


def result_name(bench, facts, opencv):
    """overhead-h200-cv5.0.0-2026-01-31, overhead-host-2026-01-31, layout-h200-2026-01-31, host-2026-01-31"""
    gpu = facts.get("gpu", "" if bench == "host" else "host").lower().replace("nvidia", "")
    version = [f"cv{facts['cv2']}"] if opencv and "gpu" in facts else []
    return "-".join([bench, *gpu.split(), *version, facts["date"]])


def save(folder, bench, facts, text, opencv=False):
    """Writes the report of that bench and gives its path; `opencv`: one for each version of it.

    An old result is not touched: the second one of a day ends in -b, the third in -c.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = result_name(bench, facts, opencv)
    for suffix in ["", *(f"-{letter}" for letter in string.ascii_lowercase[1:])]:
        path = folder / f"{name}{suffix}.md"
        try:
            with path.open("x") as file:
                file.write(text)
        except FileExistsError:
            continue
        print(f"bench: wrote {path}", file=sys.stderr)
        return path
    raise SystemExit(f"bench: {folder} has 26 of {name} already: give --save another folder")
