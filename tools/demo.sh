#!/bin/sh
# Runs the demo; with an NVIDIA driver and a CUDA-enabled OpenCV, through GpuMat too.
# usage: demo.sh [IMAGE]
set -eu
. tools/lib.sh
folder=
if has_driver; then
    folder=$(tools/opencv.sh cuda | tail -n 1)
fi
PYTHONPATH=$(python_path "$folder") exec "$PY" -m pixview demo "$@"
