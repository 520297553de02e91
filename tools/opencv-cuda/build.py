# SPDX-License-Identifier: Apache-2.0
"""Builds an OpenCV wheel with CUDA from PyPI's source package and NVIDIA's PyPI wheels alone.

usage: python3 tools/opencv-cuda/build.py 4.13 [--arch 8.6,9.0] [--modules few|all]

Everything lies in a work folder, each step leaves a stamp there, and a second call goes on where
the first one ended. docs/opencv-cuda.md is the page for users.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import fetch
import opencv
import pack
from steps import Stop, say, step


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Build an OpenCV wheel with CUDA from PyPI packages alone."
    )
    parser.add_argument("version", help="of opencv-contrib-python, such as 4.13 or 4.13.0.90")
    parser.add_argument(
        "--arch",
        help="compute capabilities, such as 8.6,9.0 (default: those of this machine's GPUs)",
    )
    parser.add_argument(
        "--modules",
        choices=("few", "all"),
        default="few",
        help="few: core, imgproc and CUDA's arithmetic, warping and colours; all: hours",
    )
    parser.add_argument("--work", type=Path, default=Path("build/opencv-cuda"), metavar="DIR")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="for the wheel (default: WORK/wheels)"
    )
    parser.add_argument("--jobs", type=int, default=jobs(), metavar="N")
    parser.add_argument(
        "--configure-only", action="store_true", help="stop before compiling, and show what would"
    )
    args = parser.parse_args()
    args.work = args.work.resolve()
    args.out = (args.out or args.work / "wheels").resolve()
    args.arch = capabilities(args.arch or ask_driver())
    check_version(args.version)
    if args.jobs < 1:
        raise Stop(f"--jobs {args.jobs}: must be 1 or more")
    return args


def jobs() -> int:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(len(os.sched_getaffinity(0)), memory // opencv.MEMORY_PER_JOB))


def ask_driver() -> str:
    query = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        return ",".join(subprocess.check_output(query, text=True).split())
    except (OSError, subprocess.CalledProcessError):
        raise Stop(
            "no NVIDIA driver here to ask: say for which GPUs, as in --arch 8.6,9.0"
        ) from None


def capabilities(text: str) -> list[str]:
    found = sorted(set(text.split(",")), key=lambda one: [int(n) for n in re.findall(r"\d+", one)])
    for one in found:
        if not re.fullmatch(r"\d+\.\d", one):
            raise Stop(f"--arch {text}: {one!r} is not a compute capability such as 9.0")
    return found


def check_version(text: str) -> None:
    if not re.fullmatch(r"\d+(\.\d+){1,3}", text):
        raise Stop(f"version {text}: must be a release such as 4.13 or 4.13.0.90")
    if tuple(map(int, text.split(".")[:2])) < (4, 13):
        raise Stop(
            f"OpenCV {text} cannot be built with CUDA 13, and PyPI has no older nvcc: "
            "take 4.13 or newer"
        )


def check_machine(work: Path, need: int) -> None:
    """What would otherwise fail after minutes, or without a reason."""
    if sys.platform != "linux" or os.uname().machine not in ("x86_64", "aarch64"):
        raise Stop("Linux on x86-64 or arm64 only: NVIDIA's wheels are for these")
    for tool in (os.environ.get("CC", "cc"), os.environ.get("CXX", "c++"), "strip"):
        if not shutil.which(tool):
            raise Stop(f"no {tool} here: apt install build-essential")
    if not (fetch.python_include() / "Python.h").is_file():
        raise Stop(f"no Python.h for {sys.executable}: apt install python3-dev")
    work.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(work).free
    used = sum(f.lstat().st_size for f in work.rglob("*"))
    if free + used < need:
        raise Stop(
            f"{work} has {free / 1e9:.1f} GB free, the build needs {(need - used) / 1e9:.0f}: "
            "choose another place with --work"
        )


def main() -> None:
    args = arguments()
    check_machine(args.work, opencv.DISK[args.modules])
    say(f"building in {args.work} with {args.jobs} jobs")
    python = step("build tools", fetch.environment, args.work)
    toolkit = step("CUDA compiler and NPP", fetch.toolkit, args.work, python, args.arch)
    source = step("OpenCV's source", fetch.source, args.work, python, args.version)
    build = opencv.Build(args.work, python, toolkit, source, args.arch, args.modules)
    step("configuring", build.configure)
    if args.configure_only:
        say(build.summary())
        return
    step("compiling", build.compile, args.jobs)
    wheel = step("packing", pack.wheel, build, args.out)
    step("trying the wheel", pack.check, build, wheel)
    say(f"{wheel} ({wheel.stat().st_size / 1e6:.0f} MB)")


if __name__ == "__main__":
    try:
        main()
    except Stop as reason:
        sys.exit(f"opencv-cuda: {reason}")
    except KeyboardInterrupt:
        sys.exit("opencv-cuda: stopped; the same command goes on from here")
