#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the site in build/site, with every warning an error, and reads what was built. Sphinx imports pixview
# for its docstrings: the extension with asserts, which needs no torch and no nvcc.
# usage: docs.sh
set -eu
. tools/lib.sh

build_checked
meson install -C $checked --no-rebuild --quiet
PYTHONPATH=$PWD/$checked/site${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH
rm -rf build/site
"$PY" -m sphinx --quiet --fail-on-warning --keep-going -b html -c docs -d build/doctrees . build/site
cp build/site/README.html build/site/index.html # what servers and people open
"$PY" tools/check_site.py build/site
say "the site is in build/site: open build/site/index.html"
