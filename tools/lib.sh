# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts beside it; they run in the repository's root, with the Python in use
# as $PY and its meson and ninja on the PATH. Progress is one line a step, on stderr.

# A make that runs several things at once passes on a job server, which ninja would look for in vain.
unset MAKEFLAGS

say() {
    echo "pixview: $*" >&2
}

offline() {
    [ "${VENV:-}" = none ]
}

# Libraries under /sbin's ldconfig, whose folder is not on every user's PATH.
has_driver() {
    [ -e /proc/driver/nvidia ] || PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | grep -q 'libcuda\.so\.1'
}

pip_install() {
    "$PY" -m pip install -q --disable-pip-version-check "$@"
}

# The extension with asserts, for tests; without optimization and LTO, so that nm sees what each file needs,
# for `make lint`.
checked=build/checked
build_checked() { # options of meson configure
    if [ ! -f $checked/build.ninja ]; then
        mkdir -p build
        printf "[binaries]\npython = '%s'\n" "$PY" >$checked.ini
        meson setup $checked --native-file $checked.ini -Dbuildtype=plain -Db_ndebug=false \
            -Dpython=true -Dlibrary=false -Dtests=false -Dcuda=disabled \
            -Dpython.platlibdir="$PWD/$checked/site" -Dpython.purelibdir="$PWD/$checked/site" \
            >$checked.log 2>&1 || { cat $checked.log >&2; exit 1; }
    fi
    [ $# = 0 ] || meson configure $checked "$@"
    ninja -C $checked --quiet
}

# Runs a command with that OpenCV in front. No empty entry in a path: it would mean the
# current folder. LD_LIBRARY_PATH, because a toolkit's NPP need not find its own parts.
with_opencv() { # FOLDER or "", command
    folder=${1:+$PWD/$1}
    shift
    npp=$folder/nvidia/cu13/lib
    if [ -n "$folder" ] && [ -e "$npp" ]; then
        LD_LIBRARY_PATH=$npp${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
        export LD_LIBRARY_PATH
    fi
    PYTHONPATH=$folder${PYTHONPATH:+${folder:+:}$PYTHONPATH}
    PIXVIEW_OPENCV=${folder##*/}
    export PYTHONPATH PIXVIEW_OPENCV
    exec "$@"
}

# What wheels have machine code for, and the GPUs that it serves. 8.6 and 8.9 run the code of 8.0, 10.3 that of
# 10.0 and 12.1 that of 12.0, as CUDA promises within a major version; 8.7 and 11.0 are on Tegra, where it does not.
release_code="75 80 87 90 100 110 120"
release_gpus="75 80 86 87 89 90 100 103 110 120 121"
