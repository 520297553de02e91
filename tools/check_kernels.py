# SPDX-License-Identifier: Apache-2.0
"""Lists the code objects in a library or fatbin, and fails if R525 could not load them.

usage: check_kernels.py FILE GPU...     FILE may be a wheel; GPU: one that must be served, such as 75
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
# Only drivers from R550 on read what is compressed by zstd.
ZSTD = b"\x28\xb5\x2f\xfd"
ORIN = 87  # whose first driver of CUDA 12 is JetPack 6's, of 12.6
# On these CUDA promises nothing of the machine code of others, nor the other way round.
TEGRA = {72, 87, 110}


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


def decompress(code):
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj().decompress(code)


def serves(code, gpu):
    """Machine code runs on its own architecture, and on later ones of the same major version."""
    if gpu == code:
        return True
    return gpu // 10 == code // 10 and gpu > code and not TEGRA & {gpu, code}


def main():
    path, gpus = pathlib.Path(sys.argv[1]), [int(arch) for arch in sys.argv[2:]]
    found, bad = [], False
    for kind, arch, code in code_objects(contents(path)):
        if kind == PTX:
            print(f"compute_{arch}: PTX, {len(code)} bytes")
            continue
        size, packed = len(code), code[:4] == ZSTD
        if packed:
            code = decompress(code)
        if kind != ELF or code[:4] != b"\x7fELF":
            sys.exit(f"sm_{arch}: kind {kind} or compressed; this check reads ELF and zstd")
        good = arch >= BLACKWELL or (code[7], code[8]) == CUDA_12 and (not packed or arch == ORIN)
        bad |= not good
        found.append(arch)
        print(
            f"sm_{arch}: ELF OSABI {code[7]}, ABI {code[8]}, {size} bytes{' of zstd' * packed}",
            "" if good else "- R550, or with an ABI of 65 R580, and later only: NOT FOR RELEASE",
        )
    missing = []
    for gpu in gpus:
        code = max((arch for arch in found if serves(arch, gpu)), default=None)
        if code is None:
            missing.append(f"sm_{gpu}")
        elif code != gpu:
            print(f"sm_{gpu}: runs the code of sm_{code}")
    if missing:
        print("missing:", *missing)
    sys.exit(bad or bool(missing))


if __name__ == "__main__":
    main()
