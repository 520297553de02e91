# SPDX-License-Identifier: Apache-2.0
"""What this machine has. A missing or broken library does not raise: it gives one line of text."""

from __future__ import annotations

import contextlib
import importlib
import sys
import warnings
from types import ModuleType
from typing import Any

NAMES = {"numpy": "NumPy", "PIL": "Pillow", "torch": "torch", "cupy": "CuPy", "cv2": "OpenCV"}


def find(name: str) -> ModuleType | str:
    """Import a module. Returns it, or the reason in one line why it cannot be imported.

    What it prints goes to stderr: stdout may be JSON. A folder or file of that name that happens to be on
    the path is no library: those have a version.
    """
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
            warnings.simplefilter("ignore")
            module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        return "not installed" if error.name == name else f"broken: {line(error)}"
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a broken install may raise anything, SystemExit included
        return f"broken: {line(error)}"
    if hasattr(module, "__version__"):
        return module
    place = module.__file__ or next(iter(getattr(module, "__path__", [])), "a built-in module")
    return f"broken: {place} has this name and no __version__"


def no_gpu_for(name: str, module: Any) -> str:
    """Why the library cannot use a GPU here. "" if it can.

    name: "torch", "cupy" or "cv2". module: the result of ``find(name)``.
    """
    if isinstance(module, str):
        return f"{NAMES[name]} is {module}" if module == "not installed" else module
    try:
        if name == "torch":
            return "" if module.cuda.is_available() else _torch_reason(module)
        if name == "cupy":
            return "" if module.cuda.runtime.getDeviceCount() else "CuPy sees no GPU"
        if not hasattr(getattr(module, "cuda", None), "GpuMat"):
            return "this cv2 has no cuda.GpuMat"
        count = module.cuda.getCudaEnabledDeviceCount()
        return "" if count > 0 else "OpenCV sees no GPU, or is built without CUDA"
    except Exception as error:
        return f"{NAMES[name]} sees no GPU ({line(error)})"


def cannot_compile(cupy: Any) -> str:
    """Why CuPy cannot compile a kernel, "" if it can. It does so on first use; some machines lack its tools."""
    try:
        right = int((cupy.arange(3) ** 2).sum()) == 5
    except Exception as error:
        return line(error)
    return "" if right else "it computes a wrong value for 0 + 1 + 4"


def line(error: BaseException) -> str:
    """The first line of an exception, with its type."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0].strip()}" if text else type(error).__name__


def _torch_reason(torch: Any) -> str:
    return "torch sees no GPU" if torch.version.cuda else "torch is built without CUDA"
