#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Puts OpenCVs into build/opencv/NAME, each to be put on PYTHONPATH: they share the name cv2.
# usage: opencv.sh [stock] [cuda]     prints the folders that are ready, one a line
#
# stock   two releases from PyPI, 4.x and 5.x: their cv2.cuda.GpuMat is a header type
# cuda    every opencv*.whl in $PIXVIEW_OPENCV_CUDA, else in ../shared/wheels: OpenCV builds with
#         CUDA 13, which need NVIDIA's NPP: nvidia_npp*.whl beside them, or that of the CUDA
#         toolkit, or the one from PyPI
set -eu
. tools/lib.sh
root=build/opencv
stock="4.12.0.88 5.0.0.93"
npp_pin=nvidia-npp==13.0.1.2
wheels=${PIXVIEW_OPENCV_CUDA:-../shared/wheels}

unzip_wheel() { # WHEEL FOLDER
    "$PY" -m zipfile -e "$1" "$2"
}

# A folder that cannot be imported would only make its tests skip.
finish() { # FOLDER
    (with_opencv "$1" "$PY" -c 'import cv2; cv2.cuda.getCudaEnabledDeviceCount(); cv2.cuda.GpuMat()') ||
        { say "$1: this OpenCV does not import"; exit 1; }
    touch "$1/.ready"
}

fetch_stock() {
    for version in $stock; do
        folder=$root/stock-$version
        if [ ! -e "$folder/.ready" ]; then
            if offline; then
                say "stock OpenCV $version is not in $folder, and VENV=none fetches nothing: SKIPPED, not passed"
                continue
            fi
            say "installing OpenCV $version (stock) into $folder"
            rm -rf "$folder"
            pip_install --no-deps --only-binary=:all: --target "$folder" "opencv-python-headless==$version"
            finish "$folder"
        fi
        echo "$folder"
    done
}

toolkit_npp() (
    nvcc=$("$PY" tools/find_nvcc.py)
    # nvcc may be a wrapper or a link: it says itself where its toolkit is.
    top=$([ -z "$nvcc" ] || "$nvcc" --dryrun -c none.cu 2>&1 | sed -n 's/^#\$ TOP=//p')
    system=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | sed -n 's/.*libnppc\.so\.13 .* => //p' | head -n 1)
    for lib in "$top/lib64" "$top/lib" "${nvcc%/bin/nvcc}/lib64" "$(dirname "$system")" /usr/local/cuda/lib64; do
        [ ! -e "$lib/libnppc.so.13" ] || { cd "$lib" && pwd; return; }
    done
)

# In a subshell: its variables are its own.
fetch_npp() (
    folder=$root/npp
    lib=$folder/nvidia/cu13/lib
    [ ! -e "$lib/libnppc.so.13" ] || return 0
    rm -rf "$folder"
    mkdir -p "$folder"
    for wheel in "$wheels"/nvidia_npp*.whl; do
        [ ! -e "$wheel" ] || { unzip_wheel "$wheel" "$folder"; return 0; }
    done
    toolkit=$(toolkit_npp)
    if [ -n "$toolkit" ]; then
        # Only NPP: the toolkit's other libraries must not stand in for torch's.
        mkdir -p "$lib"
        ln -s "$toolkit"/libnpp*.so.13 "$lib"
    elif offline; then
        say "no libnppc.so.13: not in the CUDA toolkit, no nvidia_npp*.whl in $wheels"
        return 1
    else
        say "installing $npp_pin (134 MB)"
        pip_install --no-deps --target "$folder" "$npp_pin"
    fi
)

fetch_cuda() {
    found=
    for wheel in "$wheels"/opencv*.whl; do
        [ -e "$wheel" ] || continue
        found=yes
        version=$(basename "$wheel" | cut -d- -f2)
        folder=$root/cuda-$version
        if [ ! -e "$folder/.ready" ] || [ "$wheel" -nt "$folder/.ready" ]; then
            fetch_npp || { say "CUDA OpenCV $version: tests SKIPPED, not passed"; continue; }
            say "unpacking OpenCV $version (CUDA) into $folder"
            rm -rf "$folder"
            unzip_wheel "$wheel" "$folder"
            # Where the wheel's RPATH looks.
            ln -s ../npp/nvidia "$folder/nvidia"
            finish "$folder"
        fi
        echo "$folder"
    done
    [ -n "$found" ] ||
        say "no OpenCV with CUDA: its tests are SKIPPED, not passed (PIXVIEW_OPENCV_CUDA=folder of its wheel, which tools/opencv-cuda/build.py makes)"
}

for kind; do
    "fetch_$kind"
done
