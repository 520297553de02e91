# SPDX-License-Identifier: Apache-2.0
"""What this machine has. A missing or broken library does not raise: it gives one line of text."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterable
from types import ModuleType
from typing import Any

NAMES = {"numpy": "NumPy", "PIL": "Pillow", "torch": "torch", "cupy": "CuPy", "cv2": "OpenCV"}

_crashes: dict[str, str] = {}  # what try_imports() has learnt
# Imports the modules named after the path, and prints each name before its import, an empty line at the end.
_TRY = """
import contextlib, importlib, json, os, sys
out, sys.path = os.dup(1), json.loads(sys.argv[1])
os.dup2(2, 1)
for name in sys.argv[2:]:
    os.write(out, f"{name}\\n".encode())
    with contextlib.suppress(BaseException):
        importlib.import_module(name)
os.write(out, b"\\n")
os._exit(0)
"""


def try_imports(names: Iterable[str]) -> None:
    """Import the modules in a child first: find() then gives a line for one that ends its process.

    In that order, since what one loads can crash the next.
    """
    names = [name for name in names if name not in _crashes and _can_crash(name)]
    while names and sys.executable:
        done = subprocess.run(
            [sys.executable, "-c", _TRY, json.dumps(sys.path), *names],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        begun = done.stdout.split("\n")[:-1]
        if not begun or begun[-1] not in names:
            return
        status = done.returncode
        if status < 0:
            end = f"crashed: signal {-status}, {signal.strsignal(-status)}"
        else:
            end = f"ended the process: exit status {status}"
        _crashes[begun[-1]] = f"broken: its import {end}"
        names.remove(begun[-1])


def _can_crash(name: str) -> bool:
    """Is the module there, and not imported yet?"""
    try:
        return name not in sys.modules and importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def find(name: str) -> ModuleType | str:
    """Import a module. Returns it, or the reason in one line why it cannot be imported.

    What it prints goes to stderr: stdout may be JSON. A folder or file of that name that happens to be on
    the path is no library: those have a version.
    """
    if name in _crashes:
        return _crashes[name]
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
