#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# meson and the headers refuse a 32-bit system in a line that says why. usage: check_32bit.sh SOURCES COMPILER...
# Freestanding, so that no 32-bit C library is needed.
set -eu
sources=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo 'int x;' >"$work/x.c"
"$@" -m32 -ffreestanding -c "$work/x.c" -o "$work/x.o" 2>/dev/null ||
    { echo "$* makes no 32-bit code: refusing it SKIPPED, not passed"; exit 77; }

refused() { # FILE, command
    log=$1
    shift
    ! "$@" >"$log" 2>&1 || { echo "taken: $*" >&2; exit 1; }
    grep -q 'pixview needs a 64-bit system' "$log" || { cat "$log" >&2; exit 1; }
}

refused "$work/header.log" "$@" -m32 -ffreestanding -fsyntax-only "$sources/include/pixview/status.h"
words=$(printf "'%s', " "$@")
cat >"$work/cross.ini" <<END
[binaries]
c = [$words'-m32', '-ffreestanding']
[host_machine]
system = 'linux'
cpu_family = 'x86'
cpu = 'i686'
endian = 'little'
END
refused "$work/meson.log" meson setup "$work/build" "$sources" --cross-file "$work/cross.ini"
