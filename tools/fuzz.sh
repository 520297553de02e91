#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the targets of tests/fuzz one after the other, and prints executions, and what they covered.
#
# FUZZ_SECONDS=60        of each target
# FUZZ_TARGETS="a b"     those alone; default: all
# FUZZ_KEEP=1            put what was found into tests/fuzz/corpus, minimised
set -eu
. tools/lib.sh

seconds=${FUZZ_SECONDS:-60}
work=build/fuzz.work

# The newest clang, as long as it is 14 or later.
for clang in clang clang-21 clang-20 clang-19 clang-18 clang-17 clang-16 clang-15 clang-14 none; do
    version=$($clang -dumpversion 2>/dev/null) || continue
    [ "${version%%.*}" -lt 14 ] || break
done
if [ $clang = none ]; then
    say "no clang of version 14 or later: apt install clang libclang-rt-14-dev llvm (make test replays the corpus with gcc)"
    exit 1
fi
llvm() { # profdata or cov, arguments
    tool=llvm-$1
    shift
    command -v "$tool-${version%%.*}" >/dev/null && tool=$tool-${version%%.*}
    "$tool" "$@"
}

mkdir -p $work
if [ ! -f build/fuzz/build.ninja ]; then
    CC=$clang meson setup build/fuzz -Dbuildtype=debugoptimized -Dlibrary=false -Dcuda=disabled \
        -Dpython=true -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
        "-Dc_args=-fsanitize=fuzzer-no-link -fprofile-instr-generate -fcoverage-mapping -Wno-unknown-pragmas" \
        "-Dc_link_args=-fprofile-instr-generate" >build/fuzz.log 2>&1 || { cat build/fuzz.log >&2; exit 1; }
fi
say "building the targets with $clang $version"
ninja -C build/fuzz --quiet

[ -n "${FUZZ_TARGETS:-}" ] || FUZZ_TARGETS=$(cd tests/fuzz && ls fuzz_*.c | sed 's/fuzz_\(.*\)\.c/\1/')
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
programs=
status=0
for name in $FUZZ_TARGETS; do
    program=build/fuzz/tests/fuzz/fuzz_$name
    [ -x "$program" ] || { say "$name: skipped, it is not built (no libpython to embed?)"; continue; }
    programs="$programs${programs:+ -object }$program"
    mkdir -p "$work/$name" "tests/fuzz/corpus/$name"
    say "$name: $seconds s"
    LLVM_PROFILE_FILE=$work/$name.profraw "$program" -max_total_time="$seconds" -max_len=400 \
        -print_final_stats=1 -artifact_prefix="$work/$name-" "$work/$name" "tests/fuzz/corpus/$name" \
        >"$work/$name.log" 2>&1 || { status=1; say "$name: FAILED, see $work/$name.log"; grep -E 'error|\.c:[0-9]+:' "$work/$name.log" | head -n 5; }
    say "$name: $(sed -n 's/stat::number_of_executed_units: *//p' "$work/$name.log") executions"
    [ -z "${FUZZ_KEEP:-}" ] ||
        LLVM_PROFILE_FILE=/dev/null "$program" -merge=1 "tests/fuzz/corpus/$name" "$work/$name" 2>"$work/$name.merge"
done

# A crash leaves no profile; the other targets do.
profiles=$(ls $work/*.profraw 2>/dev/null || true)
if [ -n "$profiles" ] && llvm profdata merge -o $work/all.profdata $profiles 2>$work/cov.log; then
    say "lines covered by all targets together"
    llvm cov export -summary-only -instr-profile=$work/all.profdata $programs src python/src 2>>$work/cov.log |
        "$PY" tools/fuzz_coverage.py
else
    say "no coverage: llvm-profdata and llvm-cov of clang's version are needed"
fi
exit $status
