#!/bin/sh
# Checks the layout of C, CUDA and Python sources, or makes it right, and the layers of the C files.
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

for tool in clang-format ruff; do
    command -v $tool >/dev/null 2>&1 || { say "no $tool: pip install -r tools/requirements-lint.txt"; exit 1; }
done
c_files=$(sources '*.c' '*.h' '*.cu' '*.hpp' '*.cpp')
if [ "${1:-}" = fix ]; then
    [ -z "$c_files" ] || clang-format -i $c_files
    ruff check --quiet --fix-only .
    ruff format --quiet .
else
    [ -z "$c_files" ] || clang-format --dry-run -Werror $c_files
    ruff check --quiet .
    ruff format --quiet --check .
    # Without optimization and LTO, so that nm sees what each file needs.
    mkdir -p build
    [ -f build/layers/build.ninja ] ||
        meson setup build/layers -Dpython=true -Dlibrary=false -Dtests=false -Dcuda=disabled \
            -Dbuildtype=plain >build/layers.log 2>&1 || { cat build/layers.log >&2; exit 1; }
    ninja -C build/layers --quiet
    "$PY" tools/check_layers.py build/layers
    "$PY" tools/check_record.py >&2 # a warning: not everybody has a GPU
fi
