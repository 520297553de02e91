# SPDX-License-Identifier: Apache-2.0
"""Another Python process that does with images what it is told.

    with OtherProcess() as other:
        other("open", "a", share)      # keeps the Image under that name
        assert other("read", "a")[0, 0] == 7

What it raises comes back as that exception. Also the program that runs there.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import subprocess
import sys
import time
from typing import Any


class OtherProcess:
    def __init__(self, **environment: str) -> None:
        env = {**os.environ, **environment}
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
        )

    def __enter__(self) -> OtherProcess:
        return self

    def __exit__(self, *unused: object) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Until go_on. The kernel stops one thread after the other."""
        os.kill(self.pid, signal.SIGSTOP)
        folder = f"/proc/{self.pid}/task"
        while any(state_of(f"{folder}/{task}/stat") != "T" for task in os.listdir(folder)):
            time.sleep(0.001)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def tell(self, *command: Any) -> None:
        """The answer is not waited for."""
        assert self.process.stdin
        write(self.process.stdin, pickle.dumps(command))

    def answer(self) -> Any:
        assert self.process.stdout
        raised, value = pickle.loads(read(self.process.stdout))
        if raised:
            raise value
        return value

    def __call__(self, *command: Any) -> Any:
        self.tell(*command)
        return self.answer()


def state_of(path: str) -> str:
    with open(path) as file:
        return file.read().rpartition(")")[2].split()[0]


def write(file: Any, data: bytes) -> None:
    file.write(struct.pack("q", len(data)) + data)
    file.flush()


def read(file: Any) -> bytes:
    head = file.read(8)
    if len(head) < 8:
        raise EOFError("the other process is gone")
    return file.read(struct.unpack("q", head)[0])


# ---- there -------------------------------------------------------------------------------------------

images: dict[str, Any] = {}


def facts(name: str) -> Any:
    x = images[name]
    return x.shape, x.layout, str(x.dtype), x.device, x.readonly


def do_open(name: str, share: Any, **how: Any) -> Any:
    images[name] = share.open(**how)
    return facts(name)


def do_take(name: str, image: Any) -> Any:
    """What came as a pickle."""
    images[name] = image
    return facts(name) if hasattr(image, "readonly") else None


def do_read(name: str) -> Any:
    import pixview

    return pixview.as_numpy(images[name], layout=images[name].layout, copy=True)


def do_fill(name: str, value: int) -> None:
    import numpy as np
    import pixview

    x = images[name]
    pixview.copy_into(x, np.full(x.shape, value, x.dtype), src_layout=x.layout)


def do_share(name: str, *crop: int) -> Any:
    import pixview

    return pixview.share(images[name].crop(*crop) if crop else images[name])


def do_share_new(name: str, shape: Any, dtype: str, device: str, value: int) -> Any:
    """A frame of a pool of its own."""
    import numpy as np
    import pixview

    pool = pixview.Pool(shape, dtype, 2, device=device)
    images[name] = pool, pool.copy(np.full(shape, value, dtype))
    return pixview.share(images[name][1])


def do_drop(*names: str) -> None:
    for name in names:
        del images[name]


def do_call(function: Any, *args: Any) -> Any:
    return function(*args)


def do_run(code: str) -> Any:
    """Its variable `out`."""
    names: dict[str, Any] = {"images": images}
    exec(code, names)
    return names.get("out")


def main() -> None:
    pipe, sys.stdout = os.fdopen(os.dup(1), "wb"), sys.stderr
    os.dup2(2, 1)
    while True:
        try:
            data = read(sys.stdin.buffer)
        except EOFError:
            return
        try:
            name, *args = pickle.loads(data)
            how = args.pop() if args and isinstance(args[-1], dict) else {}
            out = False, globals()[f"do_{name}"](*args, **how)
        except BaseException as error:
            out = True, error
        write(pipe, pickle.dumps(out))


if __name__ == "__main__":
    main()
