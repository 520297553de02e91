# SPDX-License-Identifier: Apache-2.0
"""Uses an installed wheel as its user would: a view, a copy, a batch, the doctor. Needs NumPy."""

import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pixview

ROOT = pathlib.Path(__file__).parent.parent
home = pathlib.Path(pixview.__file__)
assert ROOT not in home.parents, f"{home} is the clone's, not the wheel's"

frame = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
view = np.asarray(pixview.view(frame))
assert view.ctypes.data == frame.ctypes.data, "view() copied"

planes = np.zeros((3, 4, 6), np.uint8)
pixview.copy_into(planes, frame, dst_layout="CHW", src_layout="HWC")
assert (planes == frame.transpose(2, 0, 1)).all(), "copy_into() copied something else"

batch = pixview.stack([frame, frame], to="numpy", layout="NCHW", dtype="float32", scale=1 / 255)
assert np.allclose(batch[1], frame.transpose(2, 0, 1) / 255), "stack() made something else"

assert shutil.which("pixview"), "no command pixview"
said = subprocess.run(["pixview", "doctor"], capture_output=True, text=True, check=True).stdout
kernels = [line.strip() for line in said.splitlines() if "kernels" in line]
assert "7.5" in str(kernels) and "12.0" in str(kernels), f"no kernels of a release:\n{said}"
print(
    f"pixview {pixview.__version__}, Python {sys.version.split()[0]}: view, copy, stack, doctor work"
)
print(*kernels, sep="\n")
