# SPDX-License-Identifier: Apache-2.0
"""System calls that the kernel refuses to this process, as containers do."""

from __future__ import annotations

import ctypes
import platform
import struct

ARCH = platform.machine()
CALLS = {
    "memfd_create": {"x86_64": 319, "aarch64": 279},
    "socket": {"x86_64": 41, "aarch64": 198},
    "socketpair": {"x86_64": 53, "aarch64": 199},
    "eventfd2": {"x86_64": 290, "aarch64": 19},
    "connect": {"x86_64": 42, "aarch64": 203},
    "pidfd_getfd": {"x86_64": 438, "aarch64": 438},
    "process_vm_readv": {"x86_64": 310, "aarch64": 270},
}
EPERM, KILL = 0x00050001, 0x80000000


def refuse(*names: str, answer: int = EPERM) -> None:
    """From now on these system calls fail in this thread and what it starts."""
    lines = [(0x20, 0, 0, 0)]  # load the number
    for name in names:
        lines += [(0x15, 0, 1, CALLS[name][ARCH]), (0x06, 0, 0, answer)]
    lines.append((0x06, 0, 0, 0x7FFF0000))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    program = struct.pack("HxxxxxxP", len(lines), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_void_p] * 4
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.create_string_buffer(program), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")
