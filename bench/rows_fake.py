# SPDX-License-Identifier: Apache-2.0
"""Rows of overhead.py with the fake driver: the views that an image of GPU memory takes part in."""

import idle
from groups import HEIGHT, WIDTH, Group, empty_call


def namespace():
    import cv2
    import numpy as np
    import pixview

    gpu = idle.Gpu()
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return {
        "gpu": gpu,
        "cv2": cv2,
        "pixview": pixview,
        "image": image,
        "chw": pixview.as_torch(gpu.image(image)),
        "mat": gpu.mat(image),
        "ptr": image.ctypes.data,
        "kind": cv2.CV_8UC3,
        "rows": HEIGHT,
        "cols": WIDTH,
    }


def groups(ns):
    def shows(name, found):
        ptr = found.data_ptr() if hasattr(found, "data_ptr") else found.cudaPtr()
        assert ptr == ns["ptr"], f"{name}: a copy"

    return [
        Group(
            "torch -> GpuMat, owned view",
            {
                "pixview.as_gpumat": "pixview.as_gpumat(chw)",
                "createGpuMatFromCudaMemory, bare": "cv2.cuda.createGpuMatFromCudaMemory(rows, cols, kind, ptr)",
            },
            shows,
        ),
        Group(
            "GpuMat -> torch (CHW), owned view",
            {
                "pixview.as_torch": "pixview.as_torch(mat)",
                "pixview.as_torch, HWC": "pixview.as_torch(mat, layout='HWC')",
            },
            shows,
        ),
        Group(
            "parts, fake GPU",
            {
                **empty_call(ns),
                "GpuMat()": "cv2.cuda.GpuMat()",
                "pixview.view of a tensor": "pixview.view(chw)",
                "pixview.view of a GpuMat": "pixview.view(mat)",
            },
        ),
    ]
