#!/bin/sh
# usage: test.sh c | python | gpu | kcheck | bench
#
# c        the C tests, built with the address and undefined-behaviour sanitizers
# python   tests/python against each OpenCV, with a fake CUDA driver, and last without any
# gpu      the kernels and the example in C, then tests/gpu once for each CUDA-enabled OpenCV
# kcheck   the kernels against plain C, on the GPU, with the arguments in $KCHECK
# bench    bench/overhead.py and bench/launch.py likewise, then bench/layout.py, with the arguments in $BENCH
set -eu
. tools/lib.sh

# Everything is run even when something fails; the status says it at the end.
failed=0

setup() { # FOLDER, options of meson setup
    [ -f "$1/build.ninja" ] && return
    mkdir -p build
    meson setup "$@" -Dcuda=disabled >"$1.log" 2>&1 || { cat "$1.log" >&2; exit 1; }
}

test_c() {
    say "C tests with address and undefined-behaviour sanitizers"
    # New warnings of compilers that nobody here has tried must not fail a user's tests.
    case $(${CC:-cc} -dumpversion) in
    1[0-4]*) werror=true ;;
    *) werror=false ;;
    esac
    setup build/asan -Dbuildtype=debugoptimized -Dlibrary=false -Dwerror=$werror \
        -Db_sanitize=address,undefined -Db_lundef=false
    ninja -C build/asan --quiet
    meson test -C build/asan --no-rebuild --print-errorlogs
}

# The kernels against plain C, through the real driver; the other C tests have a driver of their own.
with_kernels() { # PROGRAM of tests/c, arguments
    nvcc=$("$PY" tools/find_nvcc.py)
    [ -n "$nvcc" ] || { say "no nvcc: $1 is SKIPPED, not passed"; return; }
    mkdir -p build
    [ -f build/gpu/build.ninja ] || meson setup build/gpu -Dbuildtype=release -Dlibrary=false \
        -Dcuda=enabled -Dnvcc="$nvcc" >build/gpu.log 2>&1 || { cat build/gpu.log >&2; exit 1; }
    say "building $1 with $nvcc"
    ninja -C build/gpu --quiet "tests/c/$1"
    program=build/gpu/tests/c/$1
    shift
    "$program" "$@" || [ $? = 77 ] || failed=1 # 77: no GPU, as it says itself
}

run_with() { # FOLDER or "", command
    name=${1##*/}
    say "with OpenCV: ${name:-none}"
    (with_opencv "$@") || failed=1
}

test_python() {
    setup build/fake -Dbuildtype=debugoptimized -Dlibrary=false
    ninja -C build/fake --quiet tests/c/libfakecuda.so tests/c/libtorch_cuda.so
    # In a variable first: a `for` would hide that the command in it failed.
    folders=$(tools/opencv.sh stock cuda)
    export PIXVIEW_FAKE_DRIVER="$PWD/build/fake/tests/c/libfakecuda.so"
    export PIXVIEW_LIBCUDA="$PIXVIEW_FAKE_DRIVER"
    for folder in $folders; do
        run_with "$folder" "$PY" -m pytest tests/python -m cv2
    done
    run_with "" "$PY" -m pytest tests/python -m "not cv2"
}

each_cuda_opencv() { # command
    folders=$(tools/opencv.sh cuda)
    for folder in ${folders:-""}; do
        run_with "$folder" "$@"
    done
}

# Layouts have nothing to do with OpenCV's version: once, with the last one.
bench_layout() {
    folders=$(tools/opencv.sh cuda)
    run_with "${folders##*
}" "$PY" bench/layout.py ${BENCH:-}
}

case $1 in
c) test_c ;;
python) test_python ;;
gpu)
    with_kernels test_gpu
    with_kernels example_gpu
    with_kernels kcheck
    each_cuda_opencv "$PY" -m pytest tests/gpu
    ;;
kcheck) with_kernels kcheck ${KCHECK:-} ;;
bench)
    each_cuda_opencv "$PY" bench/overhead.py ${BENCH:-}
    each_cuda_opencv "$PY" bench/launch.py ${BENCH:-}
    bench_layout
    ;;
*)
    say "test.sh $1: must be c, python, gpu, kcheck or bench"
    exit 1
    ;;
esac
exit $failed
