# SPDX-License-Identifier: Apache-2.0
"""What a result says about where it was measured, and the file that keeps it."""

import datetime
import importlib
import os
import pathlib
import platform
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"
NUMBERS = {2: "two", 4: "four", 8: "eight"}


def version(name):
    try:
        return getattr(importlib.import_module(name), "__version__", "?")
    except ImportError:
        return None


def cpu():
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        return done.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def driver():
    found = output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    return found.split()[0] if found else "?"


def commit():
    """Of this checkout. PIXVIEW_COMMIT says it where the checkout came without git."""
    given = os.environ.get("PIXVIEW_COMMIT")
    if given:
        return given
    head = output("git", "rev-parse", "--short=7", "HEAD")
    if not head:
        return "?"
    changed = output("git", "status", "--porcelain", "-uno", "--", "src", "python")
    return head + (" with changes" if changed else "")


def describe(with_gpu):
    """Names and versions, in the order in which they are printed."""
    facts = {"date": datetime.date.today().isoformat(), "commit": commit()}
    if with_gpu:
        import torch

        facts["gpu"] = torch.cuda.get_device_name()
        facts["gpus visible"] = torch.cuda.device_count()
        facts["driver"] = driver()
        facts["cuda (torch)"] = torch.version.cuda
    facts["cpu"] = cpu()
    facts["python"] = platform.python_version()
    for name in ("pixview", "torch", "cupy", "numpy", "cv2"):
        facts[name] = version(name)
    if facts["cv2"]:
        import pixview

        gpumat = pixview._core._doctor()["gpumat"]
        if gpumat:
            facts["GpuMat"] = f"read: {gpumat['read']}, owned: {gpumat['own']}"
    return {key: value for key, value in facts.items() if value is not None}


def heading(title, facts):
    """How every report begins."""
    return f"# {title}\n\n" + "\n".join(f"- {key}: {value}" for key, value in facts.items())


def add_save(parser, what="the report"):
    parser.add_argument("--save", nargs="?", type=pathlib.Path, const=RESULTS, metavar="FOLDER",
                        help=f"write {what} into FOLDER (bench/results)")  # fmt: skip


def parse_known(parser, arguments):
    """`make bench` gives all benches the same arguments: what one does not have, it names."""
    args, unknown = parser.parse_known_args(arguments)
    if unknown:
        print(f"bench: {parser.prog} has no {' '.join(unknown)}", file=sys.stderr)
    return args


def result_name(bench, facts, opencv):
    """overhead-h200-cv5.0.0, overhead-two-gpus-h200-cv5.0.0, overhead-host, layout-h200, host"""
    if "gpu" not in facts:
        return bench if bench == "host" else f"{bench}-host"
    words = [bench]
    count = facts.get("gpus visible", 1)
    if opencv and count > 1:
        words.append(f"{NUMBERS.get(count, count)}-gpus")
    words += facts["gpu"].lower().replace("nvidia", "").split()
    if opencv:
        words.append(f"cv{facts['cv2']}")
    return "-".join(words)


def save(folder, bench, facts, text, opencv=False):
    """Writes the report and gives its path; `opencv`: one for each version of it. The newest result
    of a kind replaces the one before, which git has."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result_name(bench, facts, opencv)}.md"
    path.write_text(text)
    print(f"bench: wrote {path}", file=sys.stderr)
    return path
