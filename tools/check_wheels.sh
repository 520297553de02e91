#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fails if a wheel is not fit for PyPI. usage: check_wheels.sh FOLDER
set -eu
. tools/lib.sh
cd "$1"
twine check --strict ./*
check-wheel-contents ./*.whl
cd "$OLDPWD"
for wheel in "$1"/pixview-*.whl; do
    say "checking $wheel"
    case $wheel in
    *manylinux*) ;;
    *) say "$wheel: no manylinux tag"; exit 1 ;;
    esac
    size=$(wc -c <"$wheel")
    [ "$size" -le 6000000 ] || { say "$wheel: $size bytes, more than 6 MB"; exit 1; }
    "$PY" tools/check_kernels.py "$wheel" $release_gpus
    folder=$(mktemp -d)
    "$PY" -m zipfile -e "$wheel" "$folder"
    sh tools/check_hardening.sh "$folder"/pixview/_core*.so
    # Linked with stubs, a function that the old glibc lacks goes unnoticed: it has no version.
    # readelf, since nm knows no other processor's files.
    lost=$(LC_ALL=C readelf -W --dyn-syms "$folder"/pixview/_core*.so |
        awk '$7 == "UND" && $5 == "GLOBAL" && $8 !~ /^_?Py|@/ { print $8 }')
    rm -r "$folder"
    [ -z "$lost" ] || { say "$wheel: not in glibc 2.17:" $lost; exit 1; }
done
