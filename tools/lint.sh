#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks the layout of C, CUDA and Python sources and their licence line, or makes both right; the layers of
# the C files; and searches them for defects.
# usage: lint.sh [fix]
set -eu
. tools/lib.sh

sources() {
    if git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard -- "$@"
    else
        for pattern; do find . -name "$pattern" -not -path './.venv/*' -not -path './build/*'; done
    fi
}

# Sources whose first two lines do not name the licence; a #! comes before it.
licence='SPDX-License-Identifier: Apache-2.0'
unlicensed() {
    sources '*.c' '*.h' '*.cu' '*.hpp' '*.cpp' '*.py' '*.pyi' '*.sh' '*meson.build' meson.options Makefile |
        xargs awk -v licence="$licence" '
            FNR == 1 { if (file && !found) print file; file = FILENAME; found = 0 }
            FNR <= 2 && index($0, licence) { found = 1 }
            END { if (file && !found) print file }'
}

add_licence() { # FILE
    case $1 in
    *.c | *.h | *.cu | *.hpp | *.cpp) comment=// ;;
    *) comment='#' ;;
    esac
    line=1i
    [ "$(head -c 2 "$1")" != '#!' ] || line=1a
    sed -i "$line $comment $licence" "$1"
}

# Searches the C files for defects: .clang-tidy names them. Not a wheel, so that not everybody has it.
tidy() {
    for tool in clang-tidy clang-tidy-21 clang-tidy-20 clang-tidy-19 clang-tidy-18 clang-tidy-17 clang-tidy-16 \
        clang-tidy-15 clang-tidy-14 none; do
        version=$("$tool" --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p')
        [ "${version:-0}" -lt 14 ] || break
    done
    [ $tool != none ] || { say "no clang-tidy of version 14 or later, so its checks are left out: apt install clang-tidy"; return 0; }
    (
        cd $checked
        sed -n 's/.*"file": "\(.*\.c\)".*/\1/p' compile_commands.json | sort -u |
            xargs -n 6 -P "$(getconf _NPROCESSORS_ONLN)" $tool -quiet -p . 2>tidy.log || { grep -v generated tidy.log >&2; exit 1; }
    )
}

for tool in clang-format ruff; do
    command -v $tool >/dev/null 2>&1 || { say "no $tool: pip install -r tools/requirements-lint.txt"; exit 1; }
done
c_files=$(sources '*.c' '*.h' '*.cu' '*.hpp' '*.cpp')
if [ "${1:-}" = fix ]; then
    for file in $(unlicensed); do add_licence "$file"; done
    [ -z "$c_files" ] || clang-format -i $c_files
    ruff check --quiet --fix-only .
    ruff format --quiet .
else
    [ -z "$(unlicensed)" ] || { say "no licence line, which make format adds:" $(unlicensed); exit 1; }
    [ -z "$c_files" ] || clang-format --dry-run -Werror $c_files
    ruff check --quiet .
    ruff format --quiet --check .
    build_checked
    "$PY" tools/check_layers.py $checked
    tidy
    "$PY" tools/check_record.py >&2 # a warning: not everybody has a GPU
fi
