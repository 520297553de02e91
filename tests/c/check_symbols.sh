#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares what a library exports with the list of public names. usage: check_symbols.sh LIB LIST
# musl adds _init and _fini to every library.
set -eu
got=$(nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
    grep -vxE '_init|_fini' | LC_ALL=C sort)
wanted=$(grep -v '^#' "$2" | LC_ALL=C sort)
[ "$got" = "$wanted" ] && exit 0
echo "$1 exports other names than $2 lists:" >&2
temporary=$(mktemp -d)
trap 'rm -r "$temporary"' EXIT
echo "$wanted" >"$temporary/listed"
echo "$got" >"$temporary/exported"
diff -u "$temporary/listed" "$temporary/exported" >&2
