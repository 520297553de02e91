#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Says in one line what a fresh Debian or Ubuntu lacks, by the name of its package.
# usage: preflight.sh PYTHON [ready]     ready: an environment is given, so no venv is needed
set -u
python=$1
mode=${2:-}

fail() {
    echo "pixview: $1" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 ||
    fail "no $python here: apt install python3 python3-venv python3-dev"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') ||
    fail "$python does not run: apt install --reinstall python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "$python is Python $version, pixview needs 3.10 or newer: apt install python3.11 python3.11-venv python3.11-dev, then make PYTHON=python3.11"

# Debian's packages for a Python that is not the default carry its version.
package=python3
[ "$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$version" ] ||
    package=python$version

if [ "$mode" = ready ]; then
    for tool in meson ninja; do
        command -v $tool >/dev/null 2>&1 || fail "VENV=none needs $tool on the PATH: apt install meson ninja-build"
    done
else
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "$python cannot make a virtual environment: apt install $package-venv"
fi
include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
[ -f "$include/Python.h" ] || fail "no Python.h for $python: apt install $package-dev"

for cc in ${CC:-cc gcc clang}; do
    command -v "$cc" >/dev/null 2>&1 || continue
    # Linked, because a compiler without libc6-dev is found but useless.
    object=$(mktemp) || exit 1
    printf '#include <stdio.h>\nint main(void) { return puts("") < 0; }\n' |
        "$cc" -x c -o "$object" - 2>/dev/null
    status=$?
    rm -f "$object"
    [ $status -eq 0 ] && exit 0
    fail "$cc cannot build a C program: apt install build-essential"
done
fail "no C compiler: apt install build-essential"
