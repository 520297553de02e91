#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the wheel for that Python into a bare environment, with no compiler on the PATH, and uses it.
# usage: try_wheel.sh FOLDER PYTHON
set -eu
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
"$2" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install -q --disable-pip-version-check --only-binary :all: numpy
"$folder/env/bin/python" -m pip install -q --disable-pip-version-check --no-index --find-links "$1" pixview
PATH=$folder/env/bin PYTHONPATH='' "$folder/env/bin/python" tools/try_wheel.py
