# SPDX-License-Identifier: Apache-2.0
"""``pixview bench``: the short bench of an installed pixview, beside the usual ways of this machine.

It needs NumPy. What else is installed adds cases and ways: torch, CuPy, OpenCV and a GPU.
"""

from __future__ import annotations

import gc
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .machine import NAMES, find
from .report import Report, gather

ROUNDS = 9
BLOCK = 0.02  # seconds of one way in a round, or one call if that takes longer
MOST = 2.0  # seconds of one case; rounds left out then, but never below three


class BenchError(Exception):
    """Two ways give different results. The message is one line."""


@dataclass
class Case:
    """Ways to the same result; the first is pixview's. check: raises BenchError if one is wrong.

    nbytes: what a copy reads and writes; 0 for a view. wait: ends the work that calls have queued.
    """

    name: str
    where: str
    ways: dict[str, Callable[[], Any]]
    check: Callable[[str, Any], None]
    nbytes: int = 0
    wait: Callable[[], object] = lambda: None
    samples: dict[str, list[float]] = field(default_factory=dict)  # ns of a call

    def rows(self) -> list[dict[str, Any]]:
        """One for each way: case, where, way, ns, and GB/s of a copy."""
        rows = []
        for way, samples in self.samples.items():
            ns = statistics.median(samples)
            speed = float(f"{self.nbytes / ns:.4g}") if self.nbytes else None
            row = {"case": self.name, "where": self.where, "way": way}
            rows.append(row | {"ns": round(ns, 1), "gb_per_s": speed})
        return rows


def run(output: str | None, as_json: bool) -> int:
    """Run the bench, print a table or JSON, and write the picture to ``output``.

    None: to pixview-bench.png if there is a Pillow, and with JSON nowhere. Returns 0. Returns 1 after one
    line on stderr if NumPy is missing, or Pillow for a named picture, if two ways give different results,
    or if the picture cannot be written.
    """
    if isinstance(find("numpy"), str):
        return _fail(f"needs NumPy ({find('numpy')}): pip install numpy")
    if isinstance(find("PIL"), str):
        why = f"needs Pillow ({find('PIL')}): pip install pillow"
        if output:
            return _fail(f"to draw {output} it {why}")
        print(f"pixview bench: no picture: that {why}", file=sys.stderr)
    elif not output and not as_json:
        output = "pixview-bench.png"
    report = gather()
    facts = machine(report)
    try:
        cases = _cases(report)
        for index, case in enumerate(cases):
            progress(f"pixview bench: {index + 1} of {len(cases)}, {case.name} ({case.where})")
            measure(case)
        progress("")
        if as_json:
            rows = [row for case in cases for row in case.rows()]
            print(json.dumps({"schema": 1, "machine": facts, "rows": rows}, indent=2))
        else:
            print("\n".join(table(facts, cases)))
        if output:
            _draw(output, facts, cases, quiet=as_json)
    except BenchError as error:
        progress("")
        return _fail(str(error))
    return 0


def machine(report: Report) -> dict[str, str]:
    """What the numbers were measured on: names and versions, in the order in which they are printed."""
    facts = {"cpu": cpu()}
    if report["gpus"]:
        facts["gpu"] = str(report["gpus"][0]["name"])
        facts["driver"] = f"up to CUDA {report['driver']['cuda']}"
    facts["python"] = report["python"]["version"]
    facts["pixview"] = report["pixview"]["version"]
    measured = (item for item in report["libraries"].items() if item[0] != "PIL")
    versions = {name: row["version"] for name, row in measured}
    return facts | {name: version for name, version in versions.items() if version}


def cpu() -> str:
    """The processor's name, as Linux has it."""
    try:
        for text in Path("/proc/cpuinfo").read_text().splitlines():
            if text.startswith("model name"):
                return text.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def measure(case: Case) -> None:
    """Check each way once, then time them in turns: a busy neighbour hits all of them."""
    counts = {}
    for way, call in case.ways.items():
        case.check(way, call())
        counts[way] = _calls(call, case.wait)
        case.samples[way] = []
    end = time.perf_counter() + MOST
    was_on = gc.isenabled()
    gc.disable()
    try:
        for done in range(ROUNDS):
            if done >= 3 and time.perf_counter() > end:
                break
            for way, call in case.ways.items():
                case.samples[way].append(_block(call, counts[way], case.wait) / counts[way])
    finally:
        if was_on:
            gc.enable()


def _calls(call: Callable[[], Any], wait: Callable[[], object]) -> int:
    """As many as fill a block."""
    once = _block(call, 1, wait)
    if once < BLOCK * 1e9:  # the first warms up
        once = _block(call, 5, wait) / 5
    return max(1, int(BLOCK * 1e9 / max(once, 100)))


def _block(call: Callable[[], Any], count: int, wait: Callable[[], object]) -> float:
    wait()
    start = time.perf_counter_ns()
    for _ in range(count):
        call()
    wait()
    return float(time.perf_counter_ns() - start)


def table(facts: dict[str, str], cases: Sequence[Case]) -> list[str]:
    """Where it was measured, and for each case its ways beside each other."""
    lines = [f"{name}: {fact}" for name, fact in facts.items()]
    width = max(len(way) for case in cases for way in case.ways)
    for case in cases:
        lines += ["", f"{case.name} ({case.where})"]
        for row in case.rows():
            speed = f"{row['gb_per_s']:8.1f} GB/s" if row["gb_per_s"] is not None else ""
            lines.append(f"  {row['way']:<{width}}  {duration(row['ns']):>9}{speed}".rstrip())
    return [*lines, "", "median of a call; GB/s: read and written; each result was compared"]


def duration(ns: float) -> str:
    """Three digits and a unit."""
    for limit, unit in ((1e3, "ns"), (1e6, "us"), (1e9, "ms")):
        if ns < limit * 0.9995:  # 999.7 ns are 1.00 us
            return f"{ns * 1e3 / limit:#.3g} {unit}".replace(". ", " ")
    return f"{ns / 1e9:.2f} s"


def progress(text: str) -> None:
    """One line on stderr that the next one replaces; plain lines where it is no terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="" if text else "\r", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


def _cases(report: Report) -> list[Case]:
    from . import bench_host

    here = {name: find(name) for name in NAMES}
    modules = {name: None if isinstance(found, str) else found for name, found in here.items()}
    cases = bench_host.cases(modules["torch"], modules["cv2"])
    if report["works"]["gpu"]:
        from . import bench_gpu

        usable = {
            name: modules[name]
            for name in ("torch", "cupy", "cv2")
            if report["libraries"][name]["gpu"]
        }
        cases += bench_gpu.cases(usable, report["works"]["gpu_copies"])
    return cases


def _draw(output: str, facts: dict[str, str], cases: Sequence[Case], quiet: bool) -> None:
    from . import chart

    try:
        chart.write(output, facts, cases)
    except OSError as error:
        raise BenchError(f"cannot write {output}: {error.strerror or error}") from None
    if not quiet:
        print(f"{output}: the same as bars")


def _fail(reason: str) -> int:
    print(f"pixview bench: {reason}", file=sys.stderr)
    return 1
