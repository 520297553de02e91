# SPDX-License-Identifier: Apache-2.0
"""Benches without a GPU: the tests' fake driver behind idle.c, and images of host memory that it takes
for a GPU's. What the host does for a view or a copy is done as it is with a GPU."""

import ctypes
import importlib.util
import os

import machine
import native

BUILT = machine.ROOT / "build" / "fake" / "tests" / "c" / "libfakecuda.so"
HOW = "make test-python builds it; or: meson setup build/fake -Dcuda=disabled -Dlibrary=false, then ninja -C build/fake tests/c/libfakecuda.so"
SAYS = "The driver is FAKE: a stand-in of the tests, and launches do nothing. What a GPU would take is not in these figures."


def environment(folder):
    """What a process needs in its environment; libraries are built in `folder`."""
    fake = os.environ.get("PIXVIEW_FAKE_DRIVER", str(BUILT))
    if not os.path.exists(fake):
        raise SystemExit(f"bench: no fake driver {fake}: {HOW}")
    fake = os.path.abspath(fake)
    link = ["-ldl", "-Wl,--no-as-needed", fake, f"-Wl,-rpath,{os.path.dirname(fake)}"]
    library = native.shared_library(folder, "idle.c", *link)
    return {"PIXVIEW_LIBCUDA": str(library), "PIXVIEW_FAKE_DRIVER": fake}


class Gpu:
    """What stands in for a GPU's memory; in a process with that environment."""

    def __init__(self):
        import pixview

        self.library = ctypes.CDLL(os.environ["PIXVIEW_LIBCUDA"])
        self.library.fake_register.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        self.library.fake_set_current_device(0)
        self.pixview = pixview
        self.held = []

    def image(self, array, **keywords):
        """The dense array as an Image of device memory."""
        self.library.fake_register(array.ctypes.data, array.nbytes, 0)
        self.held.append(array)
        keywords = {"strides": array.strides, "device": 0, "owner": array} | keywords
        return self.pixview.from_pointer(array.ctypes.data, array.shape, array.dtype, **keywords)

    def mat(self, array):
        """A GpuMat, with OpenCV's own count where it is built with CUDA."""
        return self.pixview.as_gpumat(self.image(array))


def why_not():
    """What a process would miss, or None."""
    missing = [name for name in ("cv2", "torch") if not importlib.util.find_spec(name)]
    return f"no {' and no '.join(missing)}" if missing else None
