"""What a result must say about where it was measured."""

import datetime
import importlib
import platform
import subprocess


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
