#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: test.sh c | c-threads | c-package | clang | musl | arm64 | driver | python | ray | gpu | gpu-programs | kcheck | sanitizers | soak | bench
#
# c        the C tests, built with the address and undefined-behaviour sanitizers
# c-threads  those of them with threads, with the thread sanitizer
# c-package  the library as it is installed: exports, hardening, programs by pkg-config, CMake and meson
# clang    the C tests, built by clang with all warnings as errors ($CLANG, $CLANGXX: another clang)
# musl     the library built for musl, its exports, and C programs with it ($MUSL_CC: another compiler than musl-gcc)
# arm64    under qemu-user: the C tests, and tests/python with NumPy on the arm64 wheel in dist/
# driver   builds the fake CUDA driver for the Python tests
# python   tests/python against each OpenCV and without any, with the fake driver, a pass for each core;
#          passes with a stock OpenCV on the installed build, the others on one with asserts
# ray      test_ray.py and test_dask.py, then examples/ray_pipeline.py, in build/ray: $PY's packages and Ray's
# pass     one run of pytest for the two below and above: NAME TESTS MARKED FOLDER
# gpu      the kernels and the example in C, then tests/gpu once for each CUDA-enabled OpenCV
# gpu-programs  builds the programs in C that need a GPU, in build/gpu/tests/c
# kcheck   the kernels against plain C, on the GPU, with the arguments in $KCHECK
# sanitizers  tests/python without OpenCV on an extension built with the address and undefined-behaviour
#          sanitizers, those of threads with the thread sanitizer; PIXVIEW_SANITIZED tells the tests
# soak     tests/soak: threads, then $SOAK_COUNT conversions in every direction, with an OpenCV; on the fake
#          driver where there is no GPU. $SOAK_COUNT frames from process to process, and 500 killed processes
# bench    bench/overhead.py and bench/launch.py likewise, then bench/layout.py, bench/preprocess.py and
#          bench/video.py, then bench/share.py, with the arguments in $BENCH
set -eu
. tools/lib.sh

# Everything is run even when something fails; the status says it at the end.
failed=0
# Line numbers are what sanitizers print: the rest of the debug information takes a fifth of the compile.
lines="-Dc_args=-g1 -Dcpp_args=-g1"

setup() { # FOLDER, options of meson setup
    [ -f "$1/build.ninja" ] && return
    mkdir -p build
    meson setup "$@" -Dcuda=disabled >"$1.log" 2>&1 || { cat "$1.log" >&2; exit 1; }
}

# What a test left out for want of a tool, which meson writes into its log only.
skipped() { # FOLDER
    grep -h 'SKIPPED, not passed' "$1/meson-logs/testlog.txt" >&2 || true
}

# New warnings of compilers that nobody here has tried must not fail a user's tests.
werror() {
    case $(${CC:-cc} -dumpversion) in
    1[0-4]*) echo true ;;
    *) echo false ;;
    esac
}

test_c() {
    say "C tests with address and undefined-behaviour sanitizers"
    # -O1 compiles in half the time; gcc warns of more at -O2, as the thread sanitizer's build has.
    setup build/asan -Dbuildtype=debug -Doptimization=1 $lines -Dlibrary=false -Dpython=true -Dwerror="$(werror)" \
        -Db_sanitize=address,undefined -Db_lundef=false
    ninja -C build/asan --quiet
    # The limits are for an idle machine; pip works beside the tests.
    meson test -C build/asan --no-rebuild --print-errorlogs --timeout-multiplier 4 || failed=1
}

test_c_package() {
    say "the library as it is installed: exports, hardening, programs by pkg-config, CMake and meson"
    setup build/package -Dbuildtype=release
    ninja -C build/package --quiet installed
    meson test -C build/package --no-rebuild --print-errorlogs --timeout-multiplier 4 symbols hardening packages \
        amalgamation 32bit || failed=1
    skipped build/package
}

test_c_threads() {
    say "C tests that have threads, with the thread sanitizer"
    setup build/tsan -Dbuildtype=debugoptimized $lines -Dlibrary=false -Dwerror="$(werror)" \
        -Db_sanitize=thread -Db_lundef=false
    ninja -C build/tsan --quiet threaded
    meson test -C build/tsan --no-rebuild --print-errorlogs --timeout-multiplier 4 --suite threads || failed=1
}

test_clang() {
    clang=${CLANG:-clang}
    command -v "$clang" >/dev/null 2>&1 || { say "no $clang: apt install clang, or set CLANG"; exit 1; }
    say "C tests with $("$clang" --version | head -n 1)"
    (
        export CC="$clang" CXX="${CLANGXX:-$(echo "$clang" | sed 's/clang/clang++/')}"
        setup build/clang -Dbuildtype=debugoptimized -Dlibrary=false -Dwerror=true -Db_lundef=false
    )
    ninja -C build/clang --quiet
    meson test -C build/clang --no-rebuild --print-errorlogs --timeout-multiplier 4 || failed=1
}

# Without the C tests: the kernels on the fake driver are C++, which Debian has no musl library for.
test_musl() {
    cc=${MUSL_CC:-musl-gcc}
    command -v "$cc" >/dev/null 2>&1 || { say "no $cc: apt install musl-tools, or set MUSL_CC"; exit 1; }
    say "the library with $cc"
    (
        export CC="$cc"
        setup build/musl -Dbuildtype=release -Dtests=false --libdir=lib
    )
    ninja -C build/musl --quiet
    tests/c/check_symbols.sh build/musl/src/libpixview.so tools/symbols.txt || failed=1
    CC="$cc" CXX=none tests/packages/check.sh build/musl || failed=1
    CC="$cc" CXX=none tests/packages/amalgamation.sh build/musl/src/libpixview.a || failed=1
}

test_arm64() {
    for tool in aarch64-linux-gnu-gcc aarch64-linux-gnu-g++ qemu-aarch64; do
        command -v $tool >/dev/null 2>&1 ||
            { say "no $tool: apt install g++-aarch64-linux-gnu qemu-user"; exit 1; }
    done
    say "C tests for arm64, under qemu-user"
    setup build/arm64-c --cross-file tools/cross_aarch64.ini -Dbuildtype=debugoptimized $lines -Dlibrary=false
    ninja -C build/arm64-c --quiet
    meson test -C build/arm64-c --no-rebuild --print-errorlogs --timeout-multiplier 40 || failed=1
    tools/arm64_python.sh build/arm64
    version=$(build/arm64/python3 -c 'import sys; print("%d%d" % sys.version_info[:2])')
    wheel=$(echo dist/pixview-*-cp"$version"-*aarch64.whl)
    [ -f "$wheel" ] || { say "no $wheel, so the Python tests are SKIPPED, not passed (make wheel)"; return; }
    say "Python tests on $wheel, under qemu-user"
    pip_install --upgrade --target build/arm64/site --only-binary :all: --python-version "$version" \
        --platform manylinux2014_aarch64 --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
        numpy pillow pytest hypothesis "$wheel"
    driver=$PWD/build/arm64-c/tests/c/libfakecuda.so
    PYTHONPATH=$PWD/build/arm64/site:$PWD/compat/savant PIXVIEW_FAKE_DRIVER=$driver PIXVIEW_LIBCUDA=$driver \
        build/arm64/python3 -m pytest tests/python -m "not cv2" -o cache_dir=build/pytest/cache/arm64 || failed=1
}

# The kernels against plain C, through the real driver; the other C tests have a driver of their own.
build_with_kernels() { # PROGRAMS of tests/c
    nvcc=$("$PY" tools/find_nvcc.py)
    [ -n "$nvcc" ] || { say "no nvcc: $* SKIPPED, not passed"; return 1; }
    mkdir -p build
    [ -f build/gpu/build.ninja ] || meson setup build/gpu -Dbuildtype=release -Dlibrary=false \
        -Dcuda=enabled -Dnvcc="$nvcc" >build/gpu.log 2>&1 || { cat build/gpu.log >&2; exit 1; }
    say "building $* with $nvcc"
    for program; do ninja -C build/gpu --quiet "tests/c/$program" || exit 1; done
}

with_kernels() { # PROGRAM of tests/c, arguments
    build_with_kernels "$1" || return 0
    program=build/gpu/tests/c/$1
    shift
    "$program" "$@" || [ $? = 77 ] || failed=1 # 77: no GPU, as it says itself
}

run_with() { # FOLDER or "", command
    name=${1##*/}
    say "with OpenCV: ${name:-none}"
    (with_opencv "$@") || failed=1
}

build_driver() {
    setup build/fake -Dbuildtype=debugoptimized $lines -Dlibrary=false
    ninja -C build/fake --quiet tests/c/libfakecuda.so tests/c/libtorch_cuda.so \
        tests/c/libfakemalloc.so tests/c/libfakesystem.so
}

# The extension with asserts gets the kernels of the installed one.
install_checked() {
    built=build/wheel
    ! offline || built=build/native
    fatbin=$built/src/kernels/kernels.fatbin
    kernels=
    if [ -f "$fatbin" ]; then
        "$PY" -c 'import pixview; print(*pixview._core._doctor()["code"])' >"$fatbin.code"
        kernels=$PWD/$fatbin
    fi
    build_checked -Dfatbin="$kernels"
    meson install -C $checked --no-rebuild --quiet
}

# A virtual environment that sees the packages of $PY's. Ray brings more than a hundred MB.
build_ray() {
    if [ ! -x build/ray/bin/python ]; then
        "$PY" -m venv build/ray
        "$PY" -c 'import site; print(*site.getsitepackages(), sep="\n")' >build/ray.pth
        mv build/ray.pth build/ray/lib/python3.*/site-packages/
    fi
    say "installing Ray, Dask and joblib into build/ray (0.3 GB)"
    build/ray/bin/python -m pip install -q --disable-pip-version-check -r tools/requirements-ray.txt
}

test_ray() {
    python=$PY
    if ! offline; then
        build_ray
        python=$PWD/build/ray/bin/python
    fi
    export RAY_USAGE_STATS_ENABLED=0
    status=0
    (
        if ! has_driver; then
            build_driver
            export PIXVIEW_FAKE_DRIVER="$PWD/build/fake/tests/c/libfakecuda.so"
            export PIXVIEW_LIBCUDA="$PIXVIEW_FAKE_DRIVER"
        fi
        "$python" -m pytest tests/python/test_ray.py tests/python/test_dask.py || status=1
        "$python" -m pytest tests/python/test_snippets.py -k docs/ray || status=1
        exit $status
    ) || failed=1
    say "examples/ray_pipeline.py"
    "$python" examples/ray_pipeline.py --groups 6 --height 360 || failed=1
}

# One run of pytest, its output in build/pytest.
test_pass() { # NAME, TESTS (a pattern of files), MARKED, FOLDER or "none"
    status=0
    case $2-$4 in
    tests/python*-*stock*) ;; # the build that users get, without asserts
    tests/python*-*) export PYTHONPATH="$PWD/$checked/site${PYTHONPATH:+:$PYTHONPATH}" ;;
    esac
    (with_opencv "${4#none}" "$PY" -m pytest $2 -m "$3" -o cache_dir="build/pytest/cache/$1") \
        >"build/pytest/$1.log" 2>&1 || status=1
    say "$1: $(tail -n 1 "build/pytest/$1.log")"
    return $status
}

# Whole passes side by side, not pytest-xdist: its workers would each import torch and collect the
# tests anew, 10 s of processor time a pass, and an environment that is given need not have it.
test_passes() { # how many at a time; its input: the arguments of each pass, one a line
    mkdir -p build/pytest
    rm -f build/pytest/*.log
    xargs -d '\n' -n 4 -P "$1" tools/test.sh pass || failed=1
}

show() { # logs
    for log; do
        [ ! -e "$log" ] || { say "$(basename "$log" .log)"; cat "$log"; }
    done
}

test_python() {
    build_driver
    install_checked
    # In a variable first: a `for` would hide that the command in it failed.
    folders=$(tools/opencv.sh stock cuda)
    export PIXVIEW_FAKE_DRIVER="$PWD/build/fake/tests/c/libfakecuda.so"
    export PIXVIEW_LIBCUDA="$PIXVIEW_FAKE_DRIVER"
    say "Python tests, $(nproc) passes at a time"
    # Without OpenCV in two halves, which take as long as each other; the shorter passes come last.
    passes=$(
        printf '%s\n' none-1 'tests/python/test_[a-n]*.py' "not cv2" none
        printf '%s\n' none-2 'tests/python/test_[o-z]*.py' "not cv2" none
        for folder in $folders; do printf '%s\n' "${folder##*/}" tests/python cv2 "$folder"; done
    )
    test_passes "$(nproc)" <<END
$passes
END
    show build/pytest/*.log
}

# Passes share the GPU, but for what needs it alone.
test_gpu() {
    folders=$(tools/opencv.sh cuda)
    for marked in "not alone" alone; do
        passes=$(
            for folder in ${folders:-none}; do
                printf '%s\n' "${folder##*/}, $marked" tests/gpu "$marked" "$folder"
            done
        )
        at_once=2
        [ "$marked" != alone ] || at_once=1
        test_passes $at_once <<END
$passes
END
        show build/pytest/*.log
    done
}

each_cuda_opencv() { # command
    folders=$(tools/opencv.sh cuda)
    for folder in ${folders:-""}; do
        run_with "$folder" "$@"
    done
}

# What has nothing to do with OpenCV's version: once, with the last one.
last_cuda_opencv() { # command
    folders=$(tools/opencv.sh cuda)
    run_with "${folders##*
}" "$@"
}

# The extension with sanitizers, which `run_sanitized` puts in front.
build_sanitized() { # FOLDER, sanitizers
    fatbin=$PWD/build/wheel/src/kernels/kernels.fatbin
    [ -f "$fatbin" ] || fatbin=
    printf "[binaries]\npython = '%s'\n" "$PY" >"$1.ini"
    setup "$1" --native-file "$1.ini" -Dbuildtype=debugoptimized $lines -Dpython=true -Dlibrary=false \
        -Dtests=false -Db_sanitize="$2" -Db_lundef=false -Dfatbin="$fatbin" \
        -Dpython.platlibdir="$PWD/$1/site" -Dpython.purelibdir="$PWD/$1/site"
    ninja -C "$1" --quiet
    meson install -C "$1" --no-rebuild --quiet
    rm -f "$1"/report.*
}

# What the sanitizers say goes into a file, since pytest keeps what a test prints when they end it.
run_sanitized() { # FOLDER, the sanitizers' name for the tests, LIBRARIES, command
    folder=$PWD/$1
    preload=
    for name in $3; do
        preload="$preload $(readlink -f "$(${CC:-cc} -print-file-name="$name")")"
    done
    PIXVIEW_SANITIZED=$2 PIXVIEW_FAKE_DRIVER="$PWD/build/fake/tests/c/libfakecuda.so"
    PIXVIEW_LIBCUDA=$PIXVIEW_FAKE_DRIVER PYTHONPATH=$folder/site:$PWD/compat/savant
    # Python and torch leave memory at exit; tests ask for more memory than there is.
    ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0:allocator_may_return_null=1:log_path=$folder/report
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:log_path=$folder/report
    TSAN_OPTIONS=die_after_fork=0:log_path=$folder/report
    export PIXVIEW_SANITIZED PIXVIEW_FAKE_DRIVER PIXVIEW_LIBCUDA PYTHONPATH
    export ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS
    shift 3
    LD_PRELOAD="$preload" "$@"
}

test_sanitizers() {
    build_driver
    build_sanitized build/sanitized address,undefined
    build_sanitized build/sanitized-threads thread
    say "threads in Python, with the thread sanitizer"
    (run_sanitized build/sanitized-threads thread libtsan.so \
        "$PY" -m pytest tests/python/test_threads.py tests/python/test_host_threads.py) || failed=1
    show build/sanitized-threads/report.*
    say "Python tests without OpenCV, with the address and undefined-behaviour sanitizers"
    # libstdc++: what catches its exceptions.
    (run_sanitized build/sanitized address "libasan.so libubsan.so libstdc++.so.6" \
        "$PY" -m pytest tests/python -m "not cv2") || failed=1
    show build/sanitized/report.*
}

test_soak() {
    if ! has_driver; then
        build_driver
        export PIXVIEW_FAKE_DRIVER="$PWD/build/fake/tests/c/libfakecuda.so"
        export PIXVIEW_LIBCUDA="$PIXVIEW_FAKE_DRIVER"
    fi
    folders=$(tools/opencv.sh cuda)
    folder=${folders##*
}
    run_with "$folder" "$PY" tests/soak/threads.py
    run_with "$folder" "$PY" tests/soak/conversions.py
    run_with "$folder" "$PY" tests/soak/frames.py
    run_with "$folder" "$PY" tests/soak/kills.py
}

case $1 in
c) test_c ;;
c-threads) test_c_threads ;;
c-package) test_c_package ;;
clang) test_clang ;;
musl) test_musl ;;
arm64) test_arm64 ;;
driver) build_driver ;;
python) test_python ;;
pass)
    shift
    test_pass "$@" || failed=1
    ;;
ray) test_ray ;;
gpu)
    with_kernels test_gpu
    with_kernels example_gpu
    with_kernels kcheck
    test_gpu
    ;;
gpu-programs) build_with_kernels test_gpu example_gpu kcheck ;;
kcheck) with_kernels kcheck ${KCHECK:-} ;;
sanitizers) test_sanitizers ;;
soak) test_soak ;;
bench)
    each_cuda_opencv "$PY" bench/overhead.py ${BENCH:-}
    each_cuda_opencv "$PY" bench/launch.py ${BENCH:-}
    last_cuda_opencv "$PY" bench/layout.py ${BENCH:-}
    last_cuda_opencv "$PY" bench/preprocess.py ${BENCH:-}
    last_cuda_opencv "$PY" bench/video.py ${BENCH:-}
    last_cuda_opencv "$PY" bench/share.py ${BENCH:-}
    ;;
*)
    say "test.sh $1: must be c, c-threads, c-package, clang, musl, arm64, driver, python, ray, gpu, gpu-programs, kcheck, sanitizers, soak or bench"
    exit 1
    ;;
esac
exit $failed
