# SPDX-License-Identifier: Apache-2.0
"""The command line ``pixview``. Each command is a module of its own, imported when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import __version__

PICTURES = (".png", ".jpg", ".jpeg", ".webp")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    argv: the arguments after the program's name. None: ``sys.argv``.
    """
    args = _parser().parse_args(argv)
    try:
        status = _run(args)
        if sys.stdout:  # None: it was closed
            sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"\npixview {args.command}: interrupted", file=sys.stderr)
        return 130
    except OSError as error:  # stdout: a full disk, a closed pipe
        # The interpreter flushes once more at its exit, and would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        print(f"pixview {args.command}: cannot write the output: {error}", file=sys.stderr)
        return 1
    return status


def _run(args: argparse.Namespace) -> int:
    if args.command == "doctor":
        from . import doctor

        return doctor.run(args.json)
    if args.command == "bench":
        from . import bench

        return bench.run(args.output, args.json)
    from . import demo

    return demo.run(args.image, args.output)


def _picture(path: str) -> str:
    """Of -o: a file that can be one of the kinds, in a folder that is there."""
    if Path(path).suffix.lower() not in PICTURES:
        raise argparse.ArgumentTypeError(f"{path!r} must end in {', '.join(PICTURES)}")
    if not Path(path).absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {str(Path(path).parent)!r}")
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pixview", description="One image in memory, seen by every framework without a copy."
    )
    parser.add_argument("--version", action="version", version=f"pixview {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    demo = commands.add_parser(
        "demo",
        help="run every conversion on a photograph",
        description="Runs every conversion that this machine supports on a photograph, checks each "
        "result, prints a table and writes a picture of the steps.",
    )
    demo.add_argument(
        "image", nargs="?", metavar="IMAGE", help="a picture file; default: the cat of the package"
    )
    demo.add_argument(
        "-o",
        "--output",
        type=_picture,
        default="pixview-demo.png",
        metavar="FILE",
        help="the picture to write, PNG, JPEG or WebP; default: %(default)s",
    )

    bench = commands.add_parser(
        "bench",
        help="measure pixview on this machine, in less than 30 seconds",
        description="Times views and copies beside the usual ways, in host memory and on the GPU, with "
        "the libraries that are installed. Prints a table and draws it.",
    )
    bench.add_argument("--json", action="store_true", help="print JSON, and draw only with -o")
    bench.add_argument(
        "-o",
        "--output",
        type=_picture,
        metavar="FILE",
        help="the picture to write, PNG, JPEG or WebP; default: pixview-bench.png",
    )

    doctor = commands.add_parser(
        "doctor",
        help="list the libraries and GPUs found, and what will work",
        description="Lists the versions of NumPy, torch, CuPy and OpenCV, the GPUs, how pixview reads "
        "a GpuMat, which conversions will work, and for each known bad combination what to do. The "
        "exit status is 0, whatever is found.",
    )
    doctor.add_argument(
        "--json", action="store_true", help="print JSON; docs/doctor.md has its keys"
    )
    return parser
