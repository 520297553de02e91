#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The two files of tools/amalgamate.py, compiled by gcc and clang without a warning: a program with them prints what it
# prints with the library. usage: amalgamation.sh LIBPIXVIEW.A
# $CC: the compiler of the library, which compiles them as well.
set -eu
library=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
program=$root/tests/packages/vendored.c

"${PY:-python3}" "$root/tools/amalgamate.py" "$work"
"${CC:-cc}" -std=c11 -I"$root/include/pixview" "$program" "$library" -ldl -lm -pthread -o "$work/program"
"$work/program" >"$work/wanted"

wide=
[ "$(uname -m)" != x86_64 ] || ! grep -qw avx2 /proc/cpuinfo || wide="-mavx2 -mfma -mbmi2"
same() { # COMPILER FLAGS...
    echo "$*"
    # As in tools/test.sh: new warnings of compilers that nobody has tried fail nothing.
    case $("$1" -dumpversion) in
    1[0-4]* | 15.0* | 16.0*) werror=-Werror ;;
    *) werror= ;;
    esac
    "$@" -Wall -Wextra $werror "$program" "$work/pixview.c" -I"$work" -ldl -lm -pthread -o "$work/vendored"
    "$work/vendored" | cmp "$work/wanted" -
}

found=
for clang in clang clang-21 clang-20 clang-19 clang-18 clang-17 clang-16 clang-15; do
    [ -n "$found" ] || ! command -v $clang >/dev/null 2>&1 || found=$clang
done
for compiler in gcc $found; do
    command -v "$compiler" >/dev/null 2>&1 || { echo "no $compiler: its part SKIPPED, not passed"; continue; }
    same "$compiler" -std=c11 -O0
done
[ -n "$found" ] || echo "no clang: its part SKIPPED, not passed"
# GNU C fuses where the processor can, unless told not to.
same "${CC:-cc}" -O2 $wide

# The C++ header beside them.
cp "$root/include/pixview/pixview.hpp" "$work"
if command -v "${CXX:-c++}" >/dev/null 2>&1; then
    echo '#include "pixview.hpp"' | "${CXX:-c++}" -std=c++17 -Wall -Wextra -fsyntax-only -I"$work" -x c++ -
else
    echo "no ${CXX:-c++}: pixview.hpp SKIPPED, not passed"
fi

# Kernels are embedded as they are.
head -c 1000 /dev/urandom >"$work/kernels.fatbin"
echo sm_75 compute_75 >"$work/kernels.fatbin.code"
"${PY:-python3}" "$root/tools/amalgamate.py" "$work/kernels" --fatbin "$work/kernels.fatbin"
cat >"$work/print.c" <<'END'
#include <stdint.h>
#include <stdio.h>
extern const unsigned char pixviewi_kernels_fatbin[];
extern const uint64_t pixviewi_kernels_fatbin_size;
int main(void)
{
    return fwrite(pixviewi_kernels_fatbin, 1, pixviewi_kernels_fatbin_size, stdout) != 1000;
}
END
"${CC:-cc}" -O0 "$work/print.c" "$work/kernels/pixview.c" -ldl -lm -pthread -o "$work/print"
"$work/print" | cmp "$work/kernels.fatbin" -
