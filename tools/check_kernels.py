"""Lists the code objects in a library or fatbin, and fails if R525 could not load them.

usage: check_kernels.py FILE ARCH...     FILE may be a wheel; ARCH: what must be there, such as 75
"""

import pathlib
import struct
import sys
import zipfile

MAGIC = struct.pack("<IHH", 0xBA55ED50, 1, 16)  # of a fatbin: magic, version, size of the header
ELF, PTX = 2, 1
# EI_OSABI and EI_ABIVERSION that R525 knows: CUDA 12's. CUDA 13 writes 65 and 8, and so does 12 for
# architectures from 100 on, whose GPUs need R570 anyway.
CUDA_12 = (51, 7)
BLACKWELL = 100


def contents(path):
    if path.suffix != ".whl":
        return path.read_bytes()
    with zipfile.ZipFile(path) as wheel:
        name = next(n for n in wheel.namelist() if "_core" in n and n.endswith(".so"))
        return wheel.read(name)


def code_objects(data):
    """(kind, architecture, bytes) of each."""
    at = data.find(MAGIC)
    if at < 0:
        sys.exit("no fatbin in it: built without kernels?")
    (size,) = struct.unpack_from("<Q", data, at + 8)
    end, at = at + 16 + size, at + 16
    while at < end:
        kind, _, header, size = struct.unpack_from("<HHIQ", data, at)
        (arch,) = struct.unpack_from("<I", data, at + 28)
        yield kind, arch, data[at + header : at + header + size]
        at += header + size


def main():
    path, wanted = pathlib.Path(sys.argv[1]), {int(arch) for arch in sys.argv[2:]}
    found, bad = set(), False
    for kind, arch, code in code_objects(contents(path)):
        if kind == PTX:
            print(f"compute_{arch}: PTX, {len(code)} bytes")
            continue
        if kind != ELF or code[:4] != b"\x7fELF":
            sys.exit(f"sm_{arch}: kind {kind} or compressed; this check reads plain machine code")
        good = arch >= BLACKWELL or (code[7], code[8]) == CUDA_12
        bad |= not good
        found.add(arch)
        print(
            f"sm_{arch}: ELF OSABI {code[7]}, ABI {code[8]}, {len(code)} bytes",
            "" if good else "- R580 and later only: NOT FOR RELEASE",
        )
    if missing := wanted - found:
        print("missing:", *[f"sm_{arch}" for arch in sorted(missing)])
    sys.exit(bad or bool(missing))


if __name__ == "__main__":
    main()
