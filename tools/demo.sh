#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the demo; with an NVIDIA driver and a CUDA-enabled OpenCV, through GpuMat too.
# usage: demo.sh [IMAGE]
set -eu
. tools/lib.sh
folder=
if has_driver; then
    if ! offline && ! "$PY" -c 'import cupy' 2>/dev/null; then
        say "installing CuPy (70 MB), since there is a GPU"
        pip_install 'cupy-cuda13x>=13'
    fi
    folder=$(tools/opencv.sh cuda | tail -n 1)
fi
with_opencv "$folder" "$PY" -m pixview demo "$@"
