# SPDX-License-Identifier: Apache-2.0
"""A program: an interpreter that has imported torch, and runs each script from its input in a fork.

The import takes longer than most scripts, and the end, which collects garbage among all of torch, as long.
support.fork_python starts it.
"""


def next_source() -> str:
    """In a fork, with the environment and the files of that script; the parent waits for it."""
    import gc
    import json
    import os
    import signal
    import sys

    gc.disable()
    import numpy  # noqa: F401
    import torch  # noqa: F401

    gc.freeze()  # collections pass over what is here
    gc.enable()
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            break
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    else:
        sys.exit()
    signal.alarm(300)
    os.environ.clear()
    os.environ.update(job["environment"])
    for fd, path in enumerate((os.devnull, job["stdout"], job["stderr"])):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), fd)
    return job["source"]


exec(next_source())
