# SPDX-License-Identifier: Apache-2.0
"""Rows of overhead.py between NumPy and CPU torch."""

from groups import HEIGHT, WIDTH, Group, empty_call


def namespace():
    import numpy as np
    import pixview
    import torch

    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return {
        "np": np,
        "torch": torch,
        "pixview": pixview,
        "image": image,
        "gray": np.ascontiguousarray(image[..., 0]),
        "cpu": torch.from_numpy(image).permute(2, 0, 1),
        "cpu_gray": torch.from_numpy(image[..., 0].copy()),
    }


def groups(ns):
    np, torch = ns["np"], ns["torch"]

    def same(expected):
        expected = expected.numpy() if isinstance(expected, torch.Tensor) else expected

        def check(name, found):
            found = found.numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
            assert found.shape == expected.shape and found.strides == expected.strides, name
            assert found.ctypes.data == expected.ctypes.data, f"{name}: a copy"

        return check

    return [
        Group(
            "NumPy -> torch (CHW)",
            {
                "pixview.as_torch": "pixview.as_torch(image)",
                "torch.from_numpy, permute": "torch.from_numpy(image).permute(2, 0, 1)",
                "torch.as_tensor, permute": "torch.as_tensor(image).permute(2, 0, 1)",
                "torch.from_dlpack, permute": "torch.from_dlpack(image).permute(2, 0, 1)",
            },
            same(ns["image"].transpose(2, 0, 1)),
        ),
        Group(
            "NumPy -> torch (HW)",
            {
                "pixview.as_torch": "pixview.as_torch(gray)",
                "torch.from_numpy": "torch.from_numpy(gray)",
                "torch.from_dlpack": "torch.from_dlpack(gray)",
            },
            same(ns["gray"]),
        ),
        Group(
            "torch -> NumPy (HWC)",
            {
                "pixview.as_numpy": "pixview.as_numpy(cpu)",
                "permute, numpy": "cpu.permute(1, 2, 0).numpy()",
                "np.from_dlpack, transpose": "np.from_dlpack(cpu).transpose(1, 2, 0)",
            },
            same(ns["cpu"].permute(1, 2, 0)),
        ),
        Group(
            "torch -> NumPy (HW)",
            {
                "pixview.as_numpy": "pixview.as_numpy(cpu_gray)",
                "numpy": "cpu_gray.numpy()",
                "np.asarray": "np.asarray(cpu_gray)",
                "np.from_dlpack": "np.from_dlpack(cpu_gray)",
            },
            same(ns["cpu_gray"]),
        ),
        Group(
            "parts, Image",
            {
                "pixview.view of NumPy": "pixview.view(image)",
                "pixview.view of torch": "pixview.view(cpu)",
                "memoryview of NumPy": "memoryview(image)",
            },
        ),
        Group(
            "parts, host",
            {
                **empty_call(ns),
                "cpu.detach()": "cpu.detach()",
                "cpu.permute(1, 2, 0)": "cpu.permute(1, 2, 0)",
            },
        ),
    ]
