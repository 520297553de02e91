#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails on an include that goes up, and on C files that need each other in a circle.

usage: check_layers.py BUILD_FOLDER     a build of the extension without LTO, or nm sees no symbols
"""

import pathlib
import re
import subprocess
import sys

# A folder includes itself and what stands in a lower line; folders of one line do not include each other.
LAYERS = [
    ["src/descriptor", "src/kernels"],
    ["src/copy"],
    ["src/host", "src/cuda/select"],
    ["src/cuda"],
    ["src/share"],
    ["python/src/base"],
    ["python/src/frameworks"],
    ["python/src/frameworks/protocols"],
    ["python/src/frameworks/*"],  # every other folder there: one for each framework
    ["python/src/convert"],
    ["python/src/api", "python/src/image"],
    ["python/src"],
]
RANK = {folder: place for place, line in enumerate(LAYERS) for folder in line}
ROOTS = [pathlib.Path("src"), pathlib.Path("python/src")]  # where includes are looked for


def rank(folder):
    """Of the folder itself, else of all folders beside it; None: it has no layer."""
    return RANK.get(str(folder), RANK.get(f"{folder.parent}/*"))


def includes(path):
    for name in re.findall(r'^#include "([^"]+)"', path.read_text(), flags=re.MULTILINE):
        for folder in [path.parent, *ROOTS]:
            if (folder / name).exists():
                yield folder / name
                break


def upward_includes():
    for path in sorted(
        p for root in ROOTS for p in root.rglob("*") if p.suffix in {".c", ".h", ".cu"}
    ):
        mine = path.parent
        if rank(mine) is None:
            yield f"{path}: its folder has no layer in {sys.argv[0]}"
            continue
        for other in includes(path):
            theirs = other.parent
            if theirs != mine and rank(theirs) >= rank(mine):
                yield f"{path} includes {other}, which does not stand below it"


def symbols(path):
    defined, needed = set(), set()
    for line in subprocess.run(
        ["nm", path], capture_output=True, text=True, check=True
    ).stdout.splitlines():
        *_, kind, name = line.split()
        if kind in "TDBRVW":
            defined.add(name)
        elif kind == "U":
            needed.add(name)
    return defined, needed


def circles(folder):
    """Takes away, again and again, what needs nobody that is left; what stays is in a circle or above one."""
    table = {p: symbols(p) for p in pathlib.Path(folder).rglob("*.o")}
    if not table:
        sys.exit(f"{folder} has no objects: build it first")
    home = {name: p for p, (defined, _) in table.items() for name in defined}
    needs = {p: {home[n] for n in needed if n in home} - {p} for p, (_, needed) in table.items()}
    while True:
        free = [p for p, others in needs.items() if not others & needs.keys()]
        if not free:
            break
        for p in free:
            del needs[p]
    while any(not any(p in others for others in needs.values()) for p in needs):
        needs = {
            p: others for p, others in needs.items() if any(p in more for more in needs.values())
        }
    for p, others in sorted(needs.items()):
        for other in sorted(others & needs.keys()):
            names = sorted(n for n in table[p][1] if home.get(n) == other)
            yield f"in a circle: {p.name} needs {other.name} for {', '.join(names[:3])}"


def main(folder):
    found = [*upward_includes(), *circles(folder)]
    print("\n".join(found), end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
