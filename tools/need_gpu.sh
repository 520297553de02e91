#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Says in one line what a run on the GPU lacks here, before anything is fetched or built.
# usage: need_gpu.sh test-gpu | gpu-record | bench
set -eu
. tools/lib.sh

case $1 in
bench) without="without a GPU: python bench/overhead.py --host, python bench/host.py" ;;
*) without="without a GPU: make test" ;;
esac

has_driver || command -v nvidia-smi >/dev/null 2>&1 || {
    say "make $1: no NVIDIA driver here (libcuda.so.1); install it, in a container run with --gpus all ($without)"
    exit 1
}

for wheel in "${PIXVIEW_OPENCV_CUDA:-../shared/wheels}"/opencv*.whl; do
    [ ! -e "$wheel" ] || exit 0
done
# One of the environment's own will do too.
"$PY" -c 'import sys, cv2; sys.exit(cv2.cuda.getCudaEnabledDeviceCount() < 1)' 2>/dev/null || {
    say "make $1: no OpenCV with CUDA here, and PyPI has none: set PIXVIEW_OPENCV_CUDA to a folder with its wheel, which" \
        "python3 tools/opencv-cuda/build.py makes (docs/opencv-cuda.md); make kcheck needs none"
    exit 1
}
