#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Does `make demo` install torch? Exit status 0: yes. Where there is no NVIDIA driver only if the user
# names one: PyPI's for x86-64 contains CUDA, nearly three gigabytes, and the demo runs without it too.
# usage: demo_torch.sh ORIGIN     of the variable TORCH, as make has it; file: from the Makefile
set -eu
. tools/lib.sh
[ "$1" = file ] || exit 0
if has_driver; then exit 0; fi
offline || "$PY" -c 'import torch' 2>/dev/null ||
    say "no NVIDIA driver: the demo runs without torch (make demo TORCH=torch fetches PyPI's: 2.7 GB with CUDA)"
exit 1
