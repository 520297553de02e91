"""The command ``pixview``. Each command lives in its own module, imported only when it runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .. import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    argv: the words after the program's name; None takes them from ``sys.argv``.
    """
    args = _parser().parse_args(argv)
    if args.command == "doctor":
        from . import doctor

        return doctor.run()
    from . import demo

    return demo.run(args.image, args.output)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pixview", description="One image in memory, many views of it."
    )
    parser.add_argument("--version", action="version", version=f"pixview {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    demo = commands.add_parser(
        "demo",
        help="take a photograph through every conversion of this machine",
        description="Takes a photograph through every conversion that this machine can do, checks "
        "every result, prints a table and writes one PNG with the stages side by side.",
    )
    demo.add_argument("image", nargs="?", metavar="IMAGE", help="default: a cat that comes along")
    demo.add_argument(
        "-o", "--output", default="pixview-demo.png", metavar="FILE", help="default: %(default)s"
    )

    commands.add_parser(
        "doctor",
        help="say which libraries and GPUs are here and what will work",
        description="Says which of NumPy, torch, CuPy and OpenCV are here, which GPUs, whether the "
        "fast path into OpenCV's GpuMat is in use, and what will work. Always exits with 0.",
    )
    return parser
