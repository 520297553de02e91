#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes the assembler file that puts a fatbin into the library. usage: embed.sh FATBIN OUT.S CODE
#
# .incbin takes an absolute path and the file is written anew for each fatbin, so the build
# sees the change; a fixed .S that finds the fatbin by -I goes stale when a kernel changes.
set -eu
fatbin=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cat >"$2" <<END
    .section .rodata
    .balign 16
    .globl pixviewi_kernels_fatbin
    .hidden pixviewi_kernels_fatbin
    .type pixviewi_kernels_fatbin, %object
pixviewi_kernels_fatbin:
    .incbin "$fatbin"
.Lend:
    .size pixviewi_kernels_fatbin, .Lend - pixviewi_kernels_fatbin
    .balign 8
    .globl pixviewi_kernels_fatbin_size
    .hidden pixviewi_kernels_fatbin_size
    .type pixviewi_kernels_fatbin_size, %object
    .size pixviewi_kernels_fatbin_size, 8
pixviewi_kernels_fatbin_size:
    .quad .Lend - pixviewi_kernels_fatbin
    .globl pixviewi_kernels_code
    .hidden pixviewi_kernels_code
    .type pixviewi_kernels_code, %object
    .size pixviewi_kernels_code, $((${#3} + 1))
pixviewi_kernels_code:
    .asciz "$3"
    .section .note.GNU-stack,"",%progbits
END
