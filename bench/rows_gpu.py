"""Rows of overhead.py on a GPU: every pair of torch, CuPy and GpuMat."""

import contextlib

from groups import HEIGHT, WIDTH, AtLeast, AtMost, Group, empty_call
from rounds import Statement

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

    def savant(name, code):
        """The Savant-named function, where the second distribution is installed."""
        return [Statement(name, code)] if "memory_repr" in ns else []

    few = {"most": 20, "checked": False}
    unchecked = {"most": 100, "checked": False}
    queued = {"most": 100}  # kernels: the launch queue must not fill up
    bare = Statement(BARE, "cv2.cuda.createGpuMatFromCudaMemory(rows, cols, kind, tensor_ptr)")
    return [
        Group(
            "torch -> GpuMat, owned view",
            [
                Statement("pixview.as_gpumat", "pixview.as_gpumat(chw)"),
                Statement("usual: interface, createGpuMat", "usual.mat_of_interleaved_tensor(chw)"),
                bare,
                Statement("usual, of an H,W,C tensor", "usual.mat_of_array(hwc)"),
                *savant(
                    "pytorch_tensor_as_opencv_gpu_mat",
                    "memory_repr_pytorch.pytorch_tensor_as_opencv_gpu_mat(chw)",
                ),
                Statement(
                    "GpuMat.from_dlpack(small), leaks", "cv2.cuda.GpuMat.from_dlpack(small)", **few
                ),
            ],
            shows(ns["tensor_ptr"]),
            [AtMost(1, BARE), AtLeast(6, "usual, of an H,W,C tensor")],
        ),
        Group(
            "GpuMat -> torch (CHW), owned view",
            [
                Statement("pixview.as_torch", "pixview.as_torch(mat)"),
                Statement(
                    "usual: interface, as_tensor",
                    "torch.as_tensor(usual.GpuMatInterface(mat), device='cuda').permute(2, 0, 1)",
                ),
                Statement("tensor.detach()", "chw.detach()", checked=False),
                Statement("pixview.as_torch, HWC", "pixview.as_torch(mat, layout='HWC')"),
                *savant(
                    "opencv_gpu_mat_as_pytorch",
                    "memory_repr_pytorch.opencv_gpu_mat_as_pytorch(mat)",
                ),
                Statement(
                    "torch.from_dlpack(mat), permute", "torch.from_dlpack(mat).permute(2, 0, 1)"
                ),
            ],
            shows(ns["mat_ptr"]),
            [AtLeast(11, "usual: interface, as_tensor"), AtMost(1.1, "tensor.detach()")],
        ),
        Group(
            "CuPy -> GpuMat, owned view",
            [
                Statement("pixview.as_gpumat", "pixview.as_gpumat(array)"),
                Statement("usual: interface, createGpuMat", "usual.mat_of_array(array)"),
                Statement(BARE, "cv2.cuda.createGpuMatFromCudaMemory(rows, cols, kind, array_ptr)"),
                *savant("cupy_as_opencv_gpu_mat", "memory_repr.cupy_as_opencv_gpu_mat(array)"),
            ],
            shows(ns["array_ptr"]),
            [AtLeast(5, "usual: interface, createGpuMat")],
        ),
        Group(
            "GpuMat -> CuPy, owned view",
            [
                Statement("pixview.as_cupy", "pixview.as_cupy(mat)"),
                Statement("usual: interface, cp.asarray", "cp.asarray(usual.GpuMatInterface(mat))"),
                Statement(
                    "UnownedMemory, MemoryPointer, ndarray",
                    "cp.ndarray((rows, cols, 3), 'u1', MemoryPointer(UnownedMemory(mat_ptr,"
                    " rows * pitch, mat, 0), 0), (pitch, 3, 1))",
                ),
                *savant("opencv_gpu_mat_as_cupy", "memory_repr.opencv_gpu_mat_as_cupy(mat)"),
                Statement("cp.from_dlpack(mat)", "cp.from_dlpack(mat)"),
            ],
            shows(ns["mat_ptr"]),
            [
                AtLeast(3, "usual: interface, cp.asarray"),
                AtMost(1.5, "UnownedMemory, MemoryPointer, ndarray"),
            ],
        ),
        Group(
            "CuPy -> torch",
            [
                Statement("pixview.as_torch", "pixview.as_torch(array, layout='HWC')"),
                Statement("torch.as_tensor", "torch.as_tensor(array, device='cuda')"),
                Statement("torch.from_dlpack", "torch.from_dlpack(array)"),
                Statement("pixview.as_torch, CHW", "pixview.as_torch(array)"),
            ],
            shows(ns["array_ptr"]),
            [AtLeast(4, "torch.as_tensor")],
        ),
        Group(
            "torch -> CuPy",
            [
                Statement("pixview.as_cupy", "pixview.as_cupy(hwc, src_layout='HWC')"),
                Statement("cp.asarray", "cp.asarray(hwc)"),
                Statement("cp.from_dlpack", "cp.from_dlpack(hwc)"),
                Statement("pixview.as_cupy, of C,H,W", "pixview.as_cupy(chw)"),
            ],
            shows(ns["tensor_ptr"]),
            [AtLeast(4, "cp.asarray")],
        ),
        Group(
            "torch CHW -> GpuMat, one kernel (host side)",
            [
                Statement("pixview.as_gpumat", "pixview.as_gpumat(planes)", **queued),
                Statement("usual: permute, contiguous", "usual.mat_of_planes(planes)", **queued),
                Statement(
                    "copy_into: no allocation", "pixview.copy_into(mat, planes)", **unchecked
                ),
                Statement("torch.empty of its bytes", "torch.empty(size, **byte)", **unchecked),
                *[
                    Statement(s.name, s.code, **queued)
                    for s in savant(
                        "pytorch_tensor_as_opencv_gpu_mat",
                        "memory_repr_pytorch.pytorch_tensor_as_opencv_gpu_mat(planes)",
                    )
                ],
            ],
            None,  # check_planes: the usual result dangles at once
            [AtLeast(3, "usual: permute, contiguous")],
        ),
        Group(
            "parts, GPU",
            [
                empty_call(ns),
                Statement("GpuMat()", "cv2.cuda.GpuMat()"),
                Statement("tensor.detach()", "chw.detach()"),
                Statement("tensor.permute(1, 2, 0)", "chw.permute(1, 2, 0)"),
                Statement("UnownedMemory with device", "UnownedMemory(mat_ptr, 1, mat, 0)"),
                Statement("pixview.view of a tensor", "pixview.view(chw)"),
                Statement("pixview.view of a GpuMat", "pixview.view(mat)"),
                Statement("pixview.view of a CuPy array", "pixview.view(array)"),
            ],
        ),
    ]


def check_planes(ns):
    """The usual GpuMat of a temporary is dangling as soon as it is made: keep the temporary."""
    temporary = ns["planes"].permute(1, 2, 0).contiguous()
    ours = ns["pixview"].as_gpumat(ns["planes"])
    for name, mat in (("pixview", ours), ("usual", ns["usual"].mat_of_array(temporary))):
        assert (mat.download() == ns["image"]).all(), f"planes to GpuMat, {name}: wrong pixels"
