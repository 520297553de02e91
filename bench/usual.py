# SPDX-License-Identifier: Apache-2.0
"""What people write today: the usual Python ways that pixview is measured against.

As found in the wild, with the needless parts left out: the interface is read once, nothing is
checked twice. GpuMats made here own nothing.
"""

import cv2

TYPESTR_OF_DEPTH = {
    cv2.CV_8U: "|u1",
    cv2.CV_8S: "|i1",
    cv2.CV_16U: "<u2",
    cv2.CV_16S: "<i2",
    cv2.CV_32S: "<i4",
    cv2.CV_32F: "<f4",
    cv2.CV_64F: "<f8",
}
DEPTH_OF_TYPESTR = {typestr: depth for depth, typestr in TYPESTR_OF_DEPTH.items()}


class GpuMatInterface:
    """A GpuMat with the CUDA array interface: the dict that everybody writes by hand."""

    def __init__(self, mat):
        width, height = mat.size()
        channels = mat.channels()
        if channels == 1:
            shape, strides = (height, width), (mat.step, mat.elemSize())
        else:
            shape = (height, width, channels)
            strides = (mat.step, mat.elemSize(), mat.elemSize1())
        self.__cuda_array_interface__ = {
            "version": 3,
            "shape": shape,
            "strides": strides,
            "typestr": TYPESTR_OF_DEPTH[mat.depth()],
            "data": (mat.cudaPtr(), False),
        }


def mat_of_array(array):
    """A GpuMat over a dense array H,W,C that has the CUDA array interface."""
    interface = array.__cuda_array_interface__
    shape = interface["shape"]
    if interface.get("strides") is not None:
        raise ValueError("the array must be contiguous")
    channels = 1 if len(shape) == 2 else shape[2]
    kind = cv2.CV_MAKETYPE(DEPTH_OF_TYPESTR[interface["typestr"]], channels)
    return cv2.cuda.createGpuMatFromCudaMemory(shape[1::-1], kind, interface["data"][0])


def mat_of_interleaved_tensor(tensor):
    """C,H,W whose memory is H,W,C."""
    return mat_of_array(tensor.permute(1, 2, 0))


def mat_of_planes(tensor):
    """C,H,W: permute and copy."""
    return mat_of_array(tensor.permute(1, 2, 0).contiguous())
