# SPDX-License-Identifier: Apache-2.0
"""Checked, never run, where none of torch, CuPy, NumPy and cv2 is installed: what is theirs is Any."""

from __future__ import annotations

from typing import Any

import pixview
from typing_extensions import assert_type

buffer = memoryview(bytearray(60)).cast("B", (4, 5, 3))
image = pixview.view(buffer, layout="CHW")
assert_type(image, pixview.Image)
assert_type(pixview.as_torch(buffer), Any)
assert_type(pixview.as_cupy(image), Any)
assert_type(pixview.as_numpy(buffer), Any)
assert_type(pixview.as_gpumat(image, stream=0), Any)
assert_type(pixview.copy_into(buffer, image), memoryview)
pixview.view(5)  # type: ignore[arg-type]
pixview.view([1, 2])  # type: ignore[arg-type]
pixview.view(buffer, layout="WHC")  # type: ignore[arg-type]
pixview.view(buffer, stream="legacy")  # type: ignore[arg-type]
