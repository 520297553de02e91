#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds pixview and pixview-savant and installs them. usage: install.sh auto|0|1
#
# In .venv by pip, from a build folder that stays, so that the next build is incremental.
# With VENV=none by meson alone, into build/native/site: nothing is fetched.
set -eu
. tools/lib.sh
cuda=$1

nvcc=
case $cuda in
0) say "CUDA=0: host memory only, no kernels" ;;
auto | 1)
    nvcc=$("$PY" tools/find_nvcc.py)
    if [ -z "$nvcc" ] && { [ "$cuda" = 1 ] || has_driver; }; then
        if offline; then
            say "no nvcc: host memory only, no kernels (put nvcc on the PATH or set CUDA_HOME)"
        else
            say "installing NVIDIA's compiler from PyPI (105 MB)"
            pip_install -r tools/requirements-cuda.txt
            nvcc=$("$PY" tools/find_nvcc.py)
        fi
    elif [ -z "$nvcc" ]; then
        say "no NVIDIA driver and no nvcc: host memory only, no kernels (make demo CUDA=1 builds them)"
    fi
    [ -z "$nvcc" ] || say "kernels with $nvcc"
    ;;
*)
    say "CUDA=$cuda: must be auto, 0 or 1"
    exit 1
    ;;
esac
[ "$cuda" != 1 ] || [ -n "$nvcc" ] || exit 1
feature=disabled
[ -z "$nvcc" ] || feature=enabled

say "building pixview"
if offline; then
    build=build/native
    mkdir -p build
    printf "[binaries]\npython = '%s'\n" "$("$PY" -c 'import sys; print(sys.executable)')" >build/native.ini
    [ -f $build/build.ninja ] || meson setup $build --native-file build/native.ini \
        -Dpython=true -Dlibrary=false -Dtests=false \
        -Dpython.platlibdir="$PWD/$build/site" -Dpython.purelibdir="$PWD/$build/site" >$build.log ||
        { cat $build.log >&2; exit 1; }
    {
        meson configure $build -Dcuda=$feature -Dnvcc="$nvcc" &&
            ninja -C $build &&
            meson install -C $build --no-rebuild
    } >>$build.log 2>&1 || { tail -40 $build.log >&2; exit 1; }
else
    pip_install --no-build-isolation --no-deps -Cbuild-dir=build/wheel \
        -Csetup-args=-Dcuda=$feature -Csetup-args=-Dnvcc="$nvcc" .
    pip_install --no-build-isolation --no-deps ./compat/savant
fi
