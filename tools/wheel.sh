#!/bin/sh
# Makes the sdist and the wheel of what is committed, in dist/. They carry the kernels always.
set -eu
. tools/lib.sh
nvcc=$("$PY" tools/find_nvcc.py)
if ! offline; then
    [ -n "$nvcc" ] || { say "installing NVIDIA's compiler from PyPI (105 MB)"; pip_install -r tools/requirements-cuda.txt; }
    pip_install build==1.3.0
fi
rm -rf dist
"$PY" -m build --no-isolation --outdir dist -Csetup-args=-Dcuda=enabled .
"$PY" -m build --no-isolation --outdir dist compat/savant
