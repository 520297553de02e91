# SPDX-License-Identifier: Apache-2.0
"""Nanoseconds per call of every conversion, beside the usual Python way in the same process.

    python bench/overhead.py              the GPU rows where there is a GPU, and the host rows
    python bench/overhead.py --host       the host rows only
    python bench/overhead.py --fake       with the fake driver: rows of GpuMats without a GPU
    python bench/overhead.py --save       five processes; writes bench/results/overhead-*.md
    python bench/overhead.py --against FOLDER     beside the pixview package in that folder

Outputs are checked before anything is timed. How the times are taken: rounds.py, processes.py. What
"usual" is: usual.py. The goals are ratios within one process: bench/README.md.
"""

import argparse
import re
import sys
import time

import groups
import idle
import machine
import processes
from rounds import progress, run


def why_no_gpu():
    try:
        import cupy  # noqa: F401
        import cv2
        import torch
    except ImportError as error:
        return str(error)
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} sees no GPU"
    if cv2.cuda.getCudaEnabledDeviceCount() < 1:
        return f"cv2 {cv2.__version__} is built without CUDA"
    return None


# ---- one process ----------------------------------------------------------------------------------


def gpu_part():
    """(groups, namespace, what waits for the GPU)"""
    import rows_gpu
    import torch

    ns = rows_gpu.namespace()
    found = rows_gpu.groups(ns)
    rows_gpu.check_planes(ns)
    return found, ns, torch.cuda.synchronize


def plain_part(rows):
    ns = rows.namespace()
    return rows.groups(ns), ns, lambda: None


def chosen_parts(args):
    """([those that are measured], is there a GPU)"""
    import rows_host

    missing = "asked for the host only" if args.host else None if args.fake else why_no_gpu()
    if missing:
        print(f"bench: no GPU rows: {missing}", file=sys.stderr)
    parts = [plain_part(rows_host)]
    if args.fake:
        import rows_fake

        parts.insert(0, plain_part(rows_fake))
    elif not missing:
        parts.insert(0, gpu_part())
    return parts, not args.fake and not missing


def wanted(group, args):
    """What is timed of a group. Beside another build only what runs in it, and parts, of which
    those without pixview show the noise."""
    if args.against and not group.name.startswith("parts"):
        return [s for s in group.statements if groups.is_ours(s)]
    return group.statements


def measure(args):
    """What a process finds."""
    progress("checking the outputs")
    parts, with_gpu = chosen_parts(args)
    for found, ns, settle in parts:
        groups.check(found, ns)
        settle()
    # What waits for no GPU is timed by the thread's own clock: other work on the machine is not in it.
    clock = time.perf_counter if with_gpu else time.thread_time
    rows, goals = [], []
    for found, ns, settle in parts:
        for group in found:
            group.statements = wanted(group, args)
            if not group.statements or not re.search(args.only, group.name):
                continue
            run(group.statements, ns, args.rounds, args.block_ms / 1e3, settle, clock)
            rows += group.rows()
            goals += group.judged()
    return machine.describe(with_gpu), rows, goals


# ---- report ---------------------------------------------------------------------------------------


def table(rows):
    lines = [("call", "way", "ns", "least and greatest", "ours is faster by")]
    last = None
    for row in rows:
        faster = row.get("faster")
        factor = f"{faster.text()} x" if faster else ""
        if faster and faster.ends():
            factor += f" ({faster.ends()})"
        call = row["call"] if row["call"] != last else ""
        lines.append((call, row["way"], row["ns"].text(0), row["ns"].ends(0), factor))
        last = row["call"]
    return processes.aligned(lines, (2, 3, 4))


def note(args, runs):
    with_gpu = "gpu" in runs[0]["facts"]
    text = (
        f"{groups.HEIGHT} x {groups.WIDTH} x 3, 8 bit; legacy default stream on both ends; one thread; "
        f"gc off; {args.rounds} rounds of {args.block_ms:g} ms blocks that take turns; a call's time "
        f"includes dropping its result. {processes.process_note(runs).capitalize()}. A factor is the "
        "median over a process's rounds."
    )
    if not with_gpu:
        text += " In thread time."
    return f"{idle.SAYS}\n\n{text}" if args.fake else text


def report(args, facts, runs, other):
    parts = [machine.heading("Overhead of a conversion", facts), note(args, runs)]
    if other:
        parts += [processes.against_note(runs, other), processes.against_table(runs, other)]
    else:
        parts.append(table(processes.merge(runs, "rows")))
        goals = processes.merge(runs, "goals")
        if goals:
            parts += ["## Goals", processes.goal_lines(goals)]
    return "\n\n".join(parts) + "\n"


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", action="store_true", help="the host rows only")
    parser.add_argument("--only", default="", metavar="PATTERN", help="calls that it finds")
    parser.add_argument("--rounds", type=int, default=24, help="turns of each way (%(default)s)")
    parser.add_argument("--block-ms", type=float, default=3, help="length of a turn (%(default)s)")
    processes.add_arguments(parser)
    machine.add_save(parser)
    return machine.parse_known(parser, arguments)


def main(arguments=None):
    arguments = sys.argv[1:] if arguments is None else arguments
    args = parse(arguments)
    if args.child:
        processes.write(args.child, *measure(args))
        return 0
    missing = idle.why_not() if args.fake else None
    if missing:
        raise SystemExit(f"bench: nothing was measured: {missing}")
    runs, other, complete = processes.run(__file__, arguments, args)
    facts = processes.facts(args, runs)
    text = report(args, facts, runs, other)
    print(text)
    if args.save:
        machine.save(args.save, processes.kind("overhead", args), facts, text, opencv=True)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
