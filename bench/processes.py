# SPDX-License-Identifier: Apache-2.0
"""Runs a bench in fresh processes and joins what they found.

One process is not the next: where the linker and the allocator put things moves a call by some per
cent. So a table has the median of several processes and their spread. With --against the processes
of two builds take turns (A B A B ...), and a ratio is that of neighbours.

Every process writes {"facts", "site", "rows", "goals"}. A row is {"call", "way", numbers ...}, a goal
{"text", "found", "limit", "at_most", "unit"}.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

import idle
from rounds import progress

SEVERAL = 5
LIMIT_S = 600  # of one process
BEYOND = 0.03  # what a table of two builds points out


@dataclass
class Spread:
    """One number, as each process found it."""

    values: list

    @property
    def median(self):
        return statistics.median(self.values)

    def text(self, digits=2):
        return f"{self.median:.{digits}f}"

    def ends(self, digits=2):
        """Empty where there was one process."""
        low, high = min(self.values), max(self.values)
        return f"{low:.{digits}f} to {high:.{digits}f}" if len(self.values) > 1 else ""

    def both(self, digits=2):
        ends = self.ends(digits)
        return self.text(digits) + (f" ({ends})" if ends else "")


def add_arguments(parser):
    parser.add_argument("--processes", type=int, metavar="N",
                        help=f"fresh processes to take the median of (1; with --save or --against {SEVERAL})")  # fmt: skip
    parser.add_argument("--against", type=pathlib.Path, metavar="FOLDER",
                        help="compare with the pixview package in that folder; the builds take turns")  # fmt: skip
    parser.add_argument("--fake", action="store_true",
                        help="no GPU: the tests' fake driver, and launches that do nothing")  # fmt: skip
    parser.add_argument("--child", type=pathlib.Path, help=argparse.SUPPRESS)


def write(path, facts, rows, goals):
    """What a process hands to the one that started it."""
    import pixview

    site = str(pathlib.Path(pixview.__file__).parent.parent)
    found = {"facts": facts, "site": site, "rows": rows, "goals": goals}
    path.write_text(json.dumps(found))


def one(script, arguments, folder, env):
    """What a fresh process found; None if it failed."""
    path = pathlib.Path(folder) / "found.json"
    path.unlink(missing_ok=True)
    command = [sys.executable, script, *arguments, "--child", str(path)]
    try:
        subprocess.run(command, env=os.environ | env, check=True, timeout=LIMIT_S)
        return json.loads(path.read_text())
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        print(f"bench: a process failed: {error}", file=sys.stderr)
        return None


def path_with(site):
    """The environment in which that folder's pixview is found first."""
    rest = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([str(site.resolve()), *([rest] if rest else [])])}


def check_site(found, site, others):
    """A comparison of a build with itself would look fine."""
    is_other = os.path.realpath(found["site"]) == os.path.realpath(others)
    if is_other != (site is not None):
        where = "also the installed one" if is_other else f"not found first: {found['site']} was"
        raise SystemExit(f"bench: the pixview of {others} is {where}")


def run(script, arguments, args):
    """([what each process found], the same of the other build, all succeeded)"""
    count = args.processes or (SEVERAL if args.save or args.against else 1)
    sites = [None, args.against] if args.against else [None]
    found, begin = {site: [] for site in sites}, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        env = idle.environment(folder) if args.fake else {}
        for i in range(count):
            for site in sites:
                which = f", build {'B' if site else 'A'}" if args.against else ""
                progress(f"process {i + 1} of {count}{which}, {time.monotonic() - begin:.0f} s")
                each = one(script, arguments, folder, env | (path_with(site) if site else {}))
                if each and args.against:
                    check_site(each, site, args.against)
                found[site].append(each)
    progress("")
    # A round counts only if all of it succeeded, so that neighbours stay neighbours.
    rounds = [each for each in zip(*found.values(), strict=True) if all(each)]
    if not rounds:
        raise SystemExit("bench: nothing was measured")
    own, *other = ([each[i] for each in rounds] for i in range(len(sites)))
    return own, other[0] if other else None, len(rounds) == count


def facts(args, runs):
    """What the report says about the machine and the builds."""
    found = dict(runs[0]["facts"])
    if args.fake:
        found["gpu"] = "fake"
    found["processes"] = len(runs)
    return found


def kind(bench, args):
    """The beginning of the result's name."""
    return f"{bench}-against" if args.against else bench


# ---- joining --------------------------------------------------------------------------------------


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def merge(runs, key):
    """The list `key` of the first run with every number a Spread over all of them. What is a limit
    stays a number."""
    merged = []
    for same in zip(*(run[key] for run in runs), strict=True):
        row = dict(same[0])
        for name, value in row.items():
            if is_number(value) and name != "limit":
                row[name] = Spread([each[name] for each in same])
        merged.append(row)
    return merged


def is_reached(goal):
    found = goal["found"].median
    return found <= goal["limit"] if goal["at_most"] else found >= goal["limit"]


def goal_lines(goals):
    """- PASS  text: found"""
    lines = []
    for goal in goals:
        word = "PASS" if is_reached(goal) else "MISS"
        lines.append(f"- {word}  {goal['text']}: {goal['found'].both()} {goal['unit']}")
    return "\n".join(lines)


def aligned(rows, right):
    """Markdown that is read as well on a terminal. The first row is the head; `right`: the columns of
    numbers."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) if i in right else cell.ljust(width)
                 for i, (cell, width) in enumerate(zip(row, widths, strict=True))]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    rule = ["-" * (w - 1) + ":" if i in right else "-" * w for i, w in enumerate(widths)]
    lines.insert(1, "| " + " | ".join(rule) + " |")
    return "\n".join(lines)


def by_name(rows):
    return {(row["call"], row["way"]): row for row in rows}


def change(*ratios):
    """What is said only if all of them say it."""
    if min(ratios) > 1 + BEYOND:
        return "B slower"
    return "B faster" if max(ratios) < 1 - BEYOND else ""


def against_table(own, other):
    """Nanoseconds of two builds, and how long the other's calls take of ours."""
    a, b = (by_name(merge(runs, "rows")) for runs in (own, other))
    lines, last = [("call", "way", "A ns", "B ns", "B / A", "least B / A", "beyond 3 %")], None
    for call, way in a:
        if (call, way) not in b:
            continue
        one, two = a[call, way], b[call, way]
        pairs = zip(one["ns"].values, two["ns"].values, strict=True)
        ratio = Spread([y / x for x, y in pairs])
        least = min(two["least"].values) / min(one["least"].values)
        lines.append((call if call != last else "", way, one["ns"].text(0), two["ns"].text(0),
                      ratio.both(3), f"{least:.3f}", change(ratio.median, least)))  # fmt: skip
        last = call
    return aligned(lines, (2, 3, 4, 5))


def against_note(own, other):
    return (
        f"A is the installed build, B the other one; {len(own)} processes of each, in turns. `B / A`: "
        "the median over pairs of neighbours, and in brackets the least and the greatest; `least`: of "
        "the shortest rounds of all processes. `beyond 3 %`: both are. Rows without pixview show what "
        "is noise."
    )


def process_note(runs):
    if len(runs) == 1:
        return "one process"
    return f"{len(runs)} processes: the median over them, and the least and the greatest"
