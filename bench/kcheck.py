# SPDX-License-Identifier: Apache-2.0
"""Every kernel beside a device copy of as many bytes: kcheck's table, with what it says in short.

    make kcheck                       builds it; needs a GPU and nvcc
    python bench/kcheck.py            checks, then measures
    python bench/kcheck.py --save     also write bench/results/kcheck-<gpu>.md

Other arguments go to kcheck: --small and --no-huge check less, --bench=FILTER measures some rows.
"""

import argparse
import collections
import pathlib
import statistics
import subprocess
import sys
import tempfile

import machine

PROGRAM = machine.ROOT / "build" / "gpu" / "tests" / "c" / "kcheck"
CASE, COPY_US, PERCENT, LEAST_US = 0, 3, 6, 11  # columns; kcheck's bench.c and floor.h have them


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def table_rows(text):
    lines = [cells(line) for line in text.splitlines() if line.startswith("| ")]
    return [row for row in lines if row[CASE] not in ("case", "---")]


def percent(row):
    return float(row[PERCENT].rstrip(" %"))


def memory_forbids(row, share):
    """Does a kernel that only touches the same sectors stay below that share of a copy?"""
    least = row[LEAST_US] if len(row) > LEAST_US else ""
    return bool(least) and 100 * float(row[COPY_US]) / float(least) < share


def summary(text):
    """A line for each kind of case, which is its first word."""
    kinds = collections.defaultdict(list)
    for row in table_rows(text):
        kinds[row[CASE].split()[0]].append(row)
    lines = [
        "| cases | rows | least | median | below 50 % | of those by memory |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind, rows in kinds.items():
        shares = [percent(row) for row in rows]
        slow = [row for row in rows if percent(row) < 50]
        by_memory = sum(memory_forbids(row, 50) for row in slow)
        lines.append(
            f"| {kind} | {len(rows)} | {min(shares):.1f} % | {statistics.median(shares):.1f} % | "
            f"{len(slow)} | {by_memory} |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    machine.add_save(parser)
    args, rest = parser.parse_known_args()
    if not PROGRAM.exists():
        raise SystemExit("bench: no kcheck: make kcheck builds it")
    if not any(argument.startswith("--bench") for argument in rest):
        rest.append("--bench")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "table.md"
        code = subprocess.run([str(PROGRAM), *rest, f"--markdown={path}"]).returncode
        text = path.read_text() if path.exists() else ""
    if not table_rows(text):
        raise SystemExit(f"bench: kcheck measured nothing, and ended with {code}")
    facts = machine.describe(with_gpu=True)
    note = (
        "Per cent of the speed of a device copy of as many bytes. `by memory`: a kernel that only "
        "touches the same sectors is below 50 % too."
    )
    parts = [machine.heading("Kernels beside a copy", facts), note, summary(text)]
    print("\n".join(parts[1:]))
    if args.save:
        machine.save(args.save, "kcheck", facts, "\n\n".join([*parts, text.strip()]) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
