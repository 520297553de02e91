# SPDX-License-Identifier: Apache-2.0
"""The peers of the layout bench, each as a call that fills memory that exists.

A peer that is not installed, or does not take the case, gives None: its cell stays empty.
"""

import ctypes
import pathlib


def _cvcuda():
    try:
        import cvcuda
    except ImportError:
        return None
    return cvcuda


def cvcuda_reformat(dst, src, dst_layout, src_layout):
    """CV-CUDA's reformat between two dense batches."""
    cvcuda = _cvcuda()
    if not cvcuda or not (dst.is_contiguous() and src.is_contiguous()):
        return None
    try:
        to = cvcuda.as_tensor(dst, dst_layout)
        of = cvcuda.as_tensor(src, src_layout)
        cvcuda.reformat_into(to, of)
    except Exception as error:
        print(f"bench: CV-CUDA does not take {src.dtype} {src_layout}: {error}")
        return None
    return lambda: cvcuda.reformat_into(to, of)


def cupy_copy(dst, src, axes):
    """CuPy's strided copy."""
    try:
        import cupy
    except ImportError:
        return None
    to, of = cupy.asarray(dst), cupy.asarray(src).transpose(axes)
    return lambda: cupy.copyto(to, of)


def _planes_and_mats(planar, interleaved):
    """The images of a batch as OpenCV takes them, over the same memory."""
    import pixview

    mats = [pixview.as_gpumat(image, src_layout="HWC", copy=False) for image in interleaved]
    planes = [[pixview.as_gpumat(plane, copy=False) for plane in image] for image in planar]
    return planes, mats


def cv2_split(planar, interleaved):
    """cv2.cuda.split, image by image."""
    import cv2

    planes, mats = _planes_and_mats(planar, interleaved)

    def call():
        for mat, into in zip(mats, planes, strict=True):
            cv2.cuda.split(mat, into)

    return call


def cv2_merge(planar, interleaved):
    """cv2.cuda.merge, image by image."""
    import cv2

    planes, mats = _planes_and_mats(planar, interleaved)

    def call():
        for mat, of in zip(mats, planes, strict=True):
            cv2.cuda.merge(of, mat)

    return call


# ---- NPP ------------------------------------------------------------------------------------------


class _Context(ctypes.Structure):
    """NppStreamContext of NPP 12 and 13."""

    _fields_ = [
        ("stream", ctypes.c_void_p), ("device", ctypes.c_int), ("multiprocessors", ctypes.c_int),
        ("threads_per_multiprocessor", ctypes.c_int), ("threads_per_block", ctypes.c_int),
        ("shared_memory", ctypes.c_size_t), ("major", ctypes.c_int), ("minor", ctypes.c_int),
        ("flags", ctypes.c_uint), ("reserved", ctypes.c_int),
    ]  # fmt: skip


class Size(ctypes.Structure):
    _fields_ = [("width", ctypes.c_int), ("height", ctypes.c_int)]


def npp(name):
    """One of NPP's libraries, such as "nppidei"; None without it."""
    for folder in ("", "/usr/local/cuda/lib64/"):
        try:
            ctypes.CDLL(f"{folder}libnppc.so.13", mode=ctypes.RTLD_GLOBAL)
            return ctypes.CDLL(f"{folder}lib{name}.so.13")
        except OSError:
            continue
    try:  # the wheel
        import nvidia

        for root in nvidia.__path__:
            for lib in pathlib.Path(root).glob(f"cu13/lib/lib{name}.so.13"):
                ctypes.CDLL(str(lib.with_name("libnppc.so.13")), mode=ctypes.RTLD_GLOBAL)
                return ctypes.CDLL(str(lib))
    except (ImportError, OSError):
        pass
    return None


def npp_context():
    import torch

    p = torch.cuda.get_device_properties(torch.cuda.current_device())
    return _Context(
        stream=torch.cuda.current_stream().cuda_stream,
        device=torch.cuda.current_device(),
        multiprocessors=p.multi_processor_count,
        threads_per_multiprocessor=p.max_threads_per_multi_processor,
        threads_per_block=1024,
        shared_memory=49152,
        major=p.major,
        minor=p.minor,
    )


def npp_calls(function, calls):
    """A call of all of them; each is a tuple of arguments."""

    def call():
        for arguments in calls:
            status = function(*arguments)
            if status != 0:
                raise RuntimeError(f"NPP: status {status}")

    return call


def npp_copy(planar, interleaved, to_planar):
    """nppiCopy_8u_C3P3R and its kind, image by image."""
    library = npp("nppidei")
    names = {"torch.uint8": "8u", "torch.float32": "32f", "torch.float16": "16u"}
    channels, kind = planar.shape[1], names.get(str(planar.dtype))
    if not library or not kind or channels not in (3, 4):
        return None
    way = f"C{channels}P{channels}R" if to_planar else f"P{channels}C{channels}R"
    function = getattr(library, f"nppiCopy_{kind}_{way}_Ctx")
    function.argtypes = [*[ctypes.c_void_p, ctypes.c_int] * 2, Size, _Context]
    context, calls = npp_context(), []
    for image, planes in zip(interleaved, planar, strict=True):
        pointers = (ctypes.c_void_p * channels)(*[plane.data_ptr() for plane in planes])
        one = (ctypes.c_void_p(image.data_ptr()), image.stride(0) * image.element_size())
        many = (pointers, planes.stride(1) * planes.element_size())
        size = Size(image.shape[1], image.shape[0])
        first, second = (one, many) if to_planar else (many, one)
        calls.append((*first, *second, size, context))
    return npp_calls(function, calls)
