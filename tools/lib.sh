# Shared by the scripts beside it; they run in the repository's root, with the Python in use
# as $PY and its meson and ninja on the PATH. Progress is one line a step, on stderr.

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

# PYTHONPATH with an OpenCV in front. An empty entry would mean the current folder.
python_path() { # FOLDER or ""
    echo "${1:+$PWD/$1}${1:+${PYTHONPATH:+:}}${PYTHONPATH:-}"
}
