#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Looks at what a shared library was linked with. usage: check_hardening.sh LIB
set -eu
command -v readelf >/dev/null 2>&1 || { echo "skipped: no readelf"; exit 77; }
failed=0

bad() {
    echo "$1: $2" >&2
    failed=1
}

dynamic=$(LC_ALL=C readelf -dW "$1")
segments=$(LC_ALL=C readelf -lW "$1")
symbols=$(LC_ALL=C readelf -W --dyn-syms "$1")
echo "$segments" | grep -q GNU_RELRO || bad "$1" "no relro: its tables stay writable"
echo "$dynamic" | grep -Eq 'BIND_NOW|FLAGS_1.*NOW' || bad "$1" "symbols are bound late, so not all is read-only"
echo "$segments" | grep GNU_STACK | grep -q ' RWE ' && bad "$1" "the stack is executable"
echo "$segments" | grep -q GNU_STACK || bad "$1" "no word about the stack: it is executable"
echo "$dynamic" | grep -Eq 'RPATH|RUNPATH' && bad "$1" "it names a folder to search for libraries"
echo "$dynamic" | grep -q TEXTREL && bad "$1" "its code is written to when it is loaded"
echo "$segments" | grep LOAD | grep -q 'RWE' && bad "$1" "a segment is writable and executable"
echo "$symbols" | grep -q __stack_chk_fail || bad "$1" "no stack protector"
exit $failed
