#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes, of what is committed and in dist/, the sdist and one wheel for each Python in $PYTHONS (default: those of
# 3.10 to 3.14 that are on the PATH), and another for arm64 where Debian's gcc for that is. The wheels carry the
# kernels, for drivers from R525 on, and run with glibc 2.17 or newer. With VENV=none, where nothing is fetched: one
# wheel for this machine, with its nvcc's kernels.
set -eu
. tools/lib.sh
rm -rf dist
if offline; then
    say "kernels by the nvcc at hand: not for release"
    "$PY" -m build --no-isolation --skip-dependency-check --outdir dist -Csetup-args=-Dcuda=enabled \
        "-Csetup-args=-Darchitectures=$(echo $release_code | tr ' ' ',')" .
    "$PY" -m build --wheel --no-isolation --skip-dependency-check --outdir dist compat/savant
    exit
fi

pip_install -r tools/requirements-release.txt -r tools/requirements-check.txt
tools/release_kernels.sh
processors=$(uname -m)
if command -v aarch64-linux-gnu-gcc >/dev/null 2>&1; then
    [ "$processors" = aarch64 ] || processors="$processors aarch64"
else
    say "no aarch64-linux-gnu-gcc: no wheels for arm64 (apt install gcc-aarch64-linux-gnu)"
fi
say "making stubs of an old glibc"
for processor in $processors; do
    tools/old_glibc.sh "build/old-glibc/$processor" "$processor"
done
"$PY" -m build --sdist --no-isolation --skip-dependency-check --outdir dist .

# Compiled by gcc on purpose, whatever CC is: clang makes the same wheel slower.
build_wheel() ( # FOLDER of the Python, PROCESSOR
    export PATH="$1:$PATH" CC=gcc LDFLAGS="-L$PWD/build/old-glibc/$2"
    if [ "$2" != "$(uname -m)" ]; then
        other=$PWD/build/release/$name.$2
        "$1/python" tools/as_aarch64.py "$other"
        export CFLAGS="-isystem $other" PYTHONPATH="$other"
        export _PYTHON_SYSCONFIGDATA_NAME=_sysconfigdata_aarch64 _PYTHON_HOST_PLATFORM=linux-aarch64
        set -- "$@" "-Csetup-args=--cross-file=$PWD/tools/cross_aarch64.ini"
    fi
    python=$1/python processor=$2
    shift 2
    out=build/release/$name.$processor.wheel
    "$python" -m build --wheel --no-isolation --skip-dependency-check --outdir "$out" \
        -Csetup-args=-Dcuda=enabled "-Csetup-args=-Dfatbin=$PWD/build/release.fatbin" "$@" .
    unset PYTHONPATH _PYTHON_SYSCONFIGDATA_NAME _PYTHON_HOST_PLATFORM
    auditwheel repair -z 9 --plat auto -w dist "$out"/pixview-*.whl
    rm -r "$out"
)

works() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}
if [ -z "${PYTHONS:-}" ]; then
    for python in python3.10 python3.11 python3.12 python3.13 python3.14 python3.14t; do
        ! works $python || PYTHONS="${PYTHONS:-} $python"
    done
fi
for python in $PYTHONS; do
    name=$("$python" -c 'import sysconfig; print("cp" + sysconfig.get_config_var("py_version_nodot") + sysconfig.get_config_var("abiflags"))')
    say "a wheel for $python ($name)"
    env=build/release/$name
    [ -e $env/bin/python ] || "$python" -m venv $env
    $env/bin/python -m pip install -q --disable-pip-version-check -r tools/requirements-release.txt
    for processor in $processors; do
        build_wheel "$PWD/$env/bin" $processor
    done
done
# Pure Python, so the wheel fits everywhere; flit makes no sdist of a namespace package.
"$PY" -m build --wheel --no-isolation --skip-dependency-check --outdir dist compat/savant
tools/check_wheels.sh dist
for python in $PYTHONS; do
    tools/try_wheel.sh dist "$python"
done
case $processors in
*" aarch64")
    if command -v qemu-aarch64 >/dev/null 2>&1; then
        tools/arm64_python.sh build/arm64
        tools/try_wheel.sh dist build/arm64/python3
    else
        say "no qemu-aarch64: the wheels for arm64 are NOT tried (apt install qemu-user)"
    fi
    ;;
esac
