# SPDX-License-Identifier: Apache-2.0
"""What the parts share: saying, timing, running, and stopping with a sentence."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


class Stop(Exception):
    """The build cannot go on; the message names the reason and the cure."""


def say(text: str) -> None:
    print(f"opencv-cuda: {text}", file=sys.stderr, flush=True)


def step(name: str, do: Callable, *args):
    say(name)
    start = time.monotonic()
    result = do(*args)
    seconds = time.monotonic() - start
    if seconds > 5:
        say(f"{name}: {int(seconds) // 60} min {int(seconds) % 60} s")
    return result


def environment(**more: str) -> dict[str, str]:
    """Ours without another CUDA or Python: a user's settings must not get into the wheel."""
    foreign = ("CUDA", "NVCC", "PYTHON", "CMAKE_", "OPENCV")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    return clean | more


def run(command: list, cure: str, log: Path | None = None, **more: str) -> None:
    """Runs a command, into a log or onto the terminal."""
    command = [str(part) for part in command]
    if log is None:
        if subprocess.run(command, env=environment(**more)).returncode:
            raise Stop(cure)
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as out:
        status = subprocess.run(command, env=environment(**more), stdout=out, stderr=out).returncode
    if status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise Stop(f"{tail}\n{cure} (all of it: {log})")
