# SPDX-License-Identifier: Apache-2.0
"""Rows of overhead.py on a GPU: every pair of torch, CuPy and GpuMat."""

import contextlib

from groups import HEIGHT, WIDTH, Goal, Group, empty_call

BARE = "createGpuMatFromCudaMemory, bare"


def namespace():
    import cupy as cp
    import cv2
    import numpy as np
    import pixview
    import torch
    import usual

    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    interleaved = torch.from_numpy(image).cuda()
    array = cp.array(image)
    mat = cv2.cuda.GpuMat()
    mat.upload(image)
    ns = {
        "np": np,
        "torch": torch,
        "cp": cp,
        "cv2": cv2,
        "pixview": pixview,
        "usual": usual,
        "image": image,
        "array": array,
        "mat": mat,
        "hwc": interleaved,
        "chw": interleaved.permute(2, 0, 1),
        "planes": interleaved.permute(2, 0, 1).contiguous(),
        "size": image.size,
        "byte": {"dtype": torch.uint8, "device": "cuda"},
        # from_dlpack of OpenCV keeps what it is given for ever: a small one, and few calls
        "small": torch.zeros(4, 4, 3, dtype=torch.uint8, device="cuda"),
        "kind": cv2.CV_8UC3,
        "tensor_ptr": interleaved.data_ptr(),
        "array_ptr": array.data.ptr,
        "mat_ptr": mat.cudaPtr(),
        "pitch": mat.step,
        "rows": HEIGHT,
        "cols": WIDTH,
        "UnownedMemory": cp.cuda.UnownedMemory,
        "MemoryPointer": cp.cuda.MemoryPointer,
    }
    with contextlib.suppress(ImportError):
        from savant.utils import memory_repr, memory_repr_pytorch

        ns["memory_repr"] = memory_repr
        ns["memory_repr_pytorch"] = memory_repr_pytorch
    return ns


def groups(ns):
    cp, torch, image = ns["cp"], ns["torch"], ns["image"]

    def pixels(found):
        """Read back without pixview, in H,W,C."""
        if isinstance(found, torch.Tensor):
            found = found.cpu().numpy()
        elif isinstance(found, cp.ndarray):
            found = found.get()
        else:
            found = found.download()
        return found.transpose(1, 2, 0) if found.shape[0] == 3 else found

    def address(found):
        if isinstance(found, torch.Tensor):
            return found.data_ptr()
        return found.data.ptr if isinstance(found, cp.ndarray) else found.cudaPtr()

    def shows(ptr):
        def check(name, found):
            assert (pixels(found) == image).all(), f"{name}: wrong pixels"
            assert ptr is None or address(found) == ptr, f"{name}: a copy"

        return check

    def savant(name, code, **keywords):
        """The Savant-named function, where the second distribution is installed."""
        return {name: (code, keywords)} if "memory_repr" in ns else {}

    few = {"most": 20, "checked": False}
    unchecked = {"most": 100, "checked": False}
    queued = {"most": 100}  # kernels: the launch queue must not fill up
    return [
        Group(
            "torch -> GpuMat, owned view",
            {
                "pixview.as_gpumat": "pixview.as_gpumat(chw)",
                "usual: interface, createGpuMat": "usual.mat_of_interleaved_tensor(chw)",
                BARE: "cv2.cuda.createGpuMatFromCudaMemory(rows, cols, kind, tensor_ptr)",
                "usual, of an H,W,C tensor": "usual.mat_of_array(hwc)",
                **savant(
                    "pytorch_tensor_as_opencv_gpu_mat",
                    "memory_repr_pytorch.pytorch_tensor_as_opencv_gpu_mat(chw)",
                ),
                "GpuMat.from_dlpack(small), leaks": ("cv2.cuda.GpuMat.from_dlpack(small)", few),
            },
            shows(ns["tensor_ptr"]),
            [Goal(1, BARE, at_most=True), Goal(6, "usual, of an H,W,C tensor")],
        ),
        Group(
            "GpuMat -> torch (CHW), owned view",
            {
                "pixview.as_torch": "pixview.as_torch(mat)",
                "usual: interface, as_tensor": "torch.as_tensor(usual.GpuMatInterface(mat), device='cuda').permute(2, 0, 1)",
                "tensor.detach()": ("chw.detach()", {"checked": False}),
                "pixview.as_torch, HWC": "pixview.as_torch(mat, layout='HWC')",
                **savant(
                    "opencv_gpu_mat_as_pytorch",
                    "memory_repr_pytorch.opencv_gpu_mat_as_pytorch(mat)",
                ),
                "torch.from_dlpack(mat), permute": "torch.from_dlpack(mat).permute(2, 0, 1)",
            },
            shows(ns["mat_ptr"]),
            [Goal(11, "usual: interface, as_tensor"), Goal(1.1, "tensor.detach()", at_most=True)],
        ),
        Group(
            "CuPy -> GpuMat, owned view",
            {
                "pixview.as_gpumat": "pixview.as_gpumat(array)",
                "usual: interface, createGpuMat": "usual.mat_of_array(array)",
                BARE: "cv2.cuda.createGpuMatFromCudaMemory(rows, cols, kind, array_ptr)",
                **savant("cupy_as_opencv_gpu_mat", "memory_repr.cupy_as_opencv_gpu_mat(array)"),
            },
            shows(ns["array_ptr"]),
            [Goal(5, "usual: interface, createGpuMat")],
        ),
        Group(
            "GpuMat -> CuPy, owned view",
            {
                "pixview.as_cupy": "pixview.as_cupy(mat)",
                "usual: interface, cp.asarray": "cp.asarray(usual.GpuMatInterface(mat))",
                "UnownedMemory, MemoryPointer, ndarray": "cp.ndarray((rows, cols, 3), 'u1', MemoryPointer(UnownedMemory(mat_ptr, rows * pitch, mat, 0), 0), (pitch, 3, 1))",
                **savant("opencv_gpu_mat_as_cupy", "memory_repr.opencv_gpu_mat_as_cupy(mat)"),
                "cp.from_dlpack(mat)": "cp.from_dlpack(mat)",
            },
            shows(ns["mat_ptr"]),
            [
                Goal(3, "usual: interface, cp.asarray"),
                Goal(1.5, "UnownedMemory, MemoryPointer, ndarray", at_most=True),
            ],
        ),
        Group(
            "CuPy -> torch",
            {
                "pixview.as_torch": "pixview.as_torch(array, layout='HWC')",
                "torch.as_tensor": "torch.as_tensor(array, device='cuda')",
                "torch.from_dlpack": "torch.from_dlpack(array)",
                "pixview.as_torch, CHW": "pixview.as_torch(array)",
            },
            shows(ns["array_ptr"]),
            [Goal(4, "torch.as_tensor")],
        ),
        Group(
            "torch -> CuPy",
            {
                "pixview.as_cupy": "pixview.as_cupy(hwc, src_layout='HWC')",
                "cp.asarray": "cp.asarray(hwc)",
                "cp.from_dlpack": "cp.from_dlpack(hwc)",
                "pixview.as_cupy, of C,H,W": "pixview.as_cupy(chw)",
            },
            shows(ns["tensor_ptr"]),
            [Goal(4, "cp.asarray")],
        ),
        Group(
            "torch CHW -> GpuMat, one kernel (host side)",
            {
                "pixview.as_gpumat": ("pixview.as_gpumat(planes)", queued),
                "usual: permute, contiguous": ("usual.mat_of_planes(planes)", queued),
                "copy_into: no allocation": ("pixview.copy_into(mat, planes)", unchecked),
                "torch.empty of its bytes": ("torch.empty(size, **byte)", unchecked),
                **savant(
                    "pytorch_tensor_as_opencv_gpu_mat",
                    "memory_repr_pytorch.pytorch_tensor_as_opencv_gpu_mat(planes)",
                    **queued,
                ),
            },
            None,  # check_planes: the usual result dangles at once
            [Goal(3, "usual: permute, contiguous")],
        ),
        Group(
            "parts, GPU",
            {
                **empty_call(ns),
                "GpuMat()": "cv2.cuda.GpuMat()",
                "tensor.detach()": "chw.detach()",
                "tensor.permute(1, 2, 0)": "chw.permute(1, 2, 0)",
                "UnownedMemory with device": "UnownedMemory(mat_ptr, 1, mat, 0)",
                "pixview.view of a tensor": "pixview.view(chw)",
                "pixview.view of a GpuMat": "pixview.view(mat)",
                "pixview.view of a CuPy array": "pixview.view(array)",
            },
        ),
    ]


def check_planes(ns):
    """The usual GpuMat of a temporary is dangling as soon as it is made: keep the temporary."""
    temporary = ns["planes"].permute(1, 2, 0).contiguous()
    ours = ns["pixview"].as_gpumat(ns["planes"])
    for name, mat in (("pixview", ours), ("usual", ns["usual"].mat_of_array(temporary))):
        assert (mat.download() == ns["image"]).all(), f"planes to GpuMat, {name}: wrong pixels"
