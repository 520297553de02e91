#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints MAJOR.MINOR.PATCH out of include/pixview/version.h, the one source of the version.
set -eu
header=$(dirname "$0")/../include/pixview/version.h
number() {
    value=$(sed -n "s/^#define PIXVIEW_VERSION_$1[[:space:]][[:space:]]*\([0-9][0-9]*\).*/\1/p" "$header")
    [ -n "$value" ] || { echo "version.h: no PIXVIEW_VERSION_$1" >&2; exit 1; }
    printf %s "$value"
}
major=$(number MAJOR) minor=$(number MINOR) patch=$(number PATCH)
echo "$major.$minor.$patch"
