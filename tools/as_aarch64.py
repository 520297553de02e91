# SPDX-License-Identifier: Apache-2.0
"""Writes a module for sysconfig, by which this Python builds for arm64. usage: as_aarch64.py FOLDER

Run it with $PYTHONPATH, $_PYTHON_SYSCONFIGDATA_NAME and $_PYTHON_HOST_PLATFORM set (tools/wheel.sh). The
headers are this Python's: of pyconfig.h only switches for CPython's own assembler differ, and what the
compiler sees of Python.h is the same.
"""

import importlib
import pathlib
import sys
import sysconfig

folder = pathlib.Path(sys.argv[1])
variables = importlib.import_module(sysconfig._get_sysconfigdata_name()).build_time_vars
for name in ("EXT_SUFFIX", "SOABI", "MULTIARCH"):
    variables[name] = variables[name].replace("x86_64", "aarch64")
folder.mkdir(parents=True, exist_ok=True)
(folder / "_sysconfigdata_aarch64.py").write_text(f"build_time_vars = {variables!r}\n")

# Debian's pyconfig.h includes that of the processor that is compiled for.
here = pathlib.Path("/usr/include/x86_64-linux-gnu")
there = folder / "aarch64-linux-gnu"
if here.exists() and not there.exists():
    there.symlink_to(here)
