# SPDX-License-Identifier: Apache-2.0
"""Warns if the GPU record is of an older commit than the last change of the code. usage: check_record.py"""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).parent.parent
CODE = ("src", "python/src", "include")


def git(*arguments):
    """What git prints. None: it failed, or there is none."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def complaint(record):
    """What is wrong with the record, or None."""
    if not record.exists():
        return "there is none"
    found = re.search(r"^- commit: (\w+)(\+changes)?", record.read_text(), re.MULTILINE)
    if not found:
        return "it names no commit"
    commit, changes = found.groups()
    if changes:
        return f"it is of {commit} with changes that no commit holds"
    since = git("log", "--oneline", f"{commit}..HEAD", "--", *CODE)
    if since is None:
        return f"its commit {commit} is not here"
    count = len(since.splitlines())
    return f"{count} commits have changed the code since {commit}" if count else None


def main():
    if git("rev-parse", "HEAD") is None:
        return
    why = complaint(ROOT / "tests" / "gpu" / "record.md")
    if why:
        print(f"pixview: tests/gpu/record.md: {why} (make gpu-record, on a machine with a GPU)")


if __name__ == "__main__":
    main()
