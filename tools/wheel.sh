#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes, of what is committed and in dist/, the sdist and one wheel for each Python in $PYTHONS (default: those of
# 3.10 to 3.14 that are on the PATH). The wheels carry the kernels, for drivers from R525 on, and run with glibc
# 2.17 or newer. With VENV=none, where nothing is fetched: one wheel for this machine, with its nvcc's kernels.
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
say "making stubs of an old glibc"
tools/old_glibc.sh build/old-glibc "$(uname -m)"
"$PY" -m build --sdist --no-isolation --skip-dependency-check --outdir dist .

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
    # Compiled by gcc on purpose, whatever CC is: clang makes the same wheel slower.
    PATH="$PWD/$env/bin:$PATH" CC=gcc LDFLAGS="-L$PWD/build/old-glibc" $env/bin/python -m build --wheel \
        --no-isolation --skip-dependency-check --outdir build/release/$name.wheel \
        -Csetup-args=-Dcuda=enabled "-Csetup-args=-Dfatbin=$PWD/build/release.fatbin" .
    auditwheel repair -z 9 --plat auto -w dist build/release/$name.wheel/pixview-*.whl
    rm -r build/release/$name.wheel
done
# Pure Python, so the wheel fits everywhere; flit makes no sdist of a namespace package.
"$PY" -m build --wheel --no-isolation --skip-dependency-check --outdir dist compat/savant
tools/check_wheels.sh dist
for python in $PYTHONS; do
    tools/try_wheel.sh dist "$python"
done
