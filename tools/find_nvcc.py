# SPDX-License-Identifier: Apache-2.0
"""Prints the path of nvcc, or nothing. usage: find_nvcc.py [PATH GIVEN BY THE USER]

Order: the given path, CUDA_HOME, CUDA_PATH, PATH, NVIDIA's PyPI wheels beside this Python.
"""

import os
import shutil
import sys
import sysconfig


def candidates(given: str):
    if given:
        yield given  # and nothing else: a wrong path must not be papered over
        return
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        if root := os.environ.get(variable):
            yield os.path.join(root, "bin", "nvcc")
    yield shutil.which("nvcc") or ""
    for scheme in ("platlib", "purelib"):
        yield os.path.join(sysconfig.get_path(scheme), "nvidia", "cu13", "bin", "nvcc")


def main() -> None:
    given = sys.argv[1] if len(sys.argv) > 1 else ""
    for path in candidates(given):
        if path and os.access(path, os.X_OK):
            print(path)
            return
    if given:
        sys.exit(f"nvcc: {given} is not an executable file")


if __name__ == "__main__":
    main()
