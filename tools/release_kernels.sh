#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles the kernels of release wheels, build/release.fatbin: once for all Pythons and processors.
# Ten minutes on two cores; what is there is not made again.
set -eu
. tools/lib.sh
say "installing NVIDIA's compilers from PyPI (200 MB)"
pip_install -r tools/requirements-kernels.txt
mkdir -p build
"$PY" tools/compile_kernels.py build/release.fatbin $release_code
"$PY" tools/check_kernels.py build/release.fatbin $release_gpus
