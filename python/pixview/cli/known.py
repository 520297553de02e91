# SPDX-License-Identifier: Apache-2.0
"""The combinations of libraries, versions and GPUs that are known to fail or to surprise.

Each rule looks at the report of the doctor alone, and gives what is wrong and what to do. Its name is
its id, which docs/doctor.md lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from .report import Report, has


class Finding(NamedTuple):
    text: str
    fix: str


Check = Callable[[Report], "Finding | None"]
Checked = TypeVar("Checked", bound=Check)


class Rule(NamedTuple):
    """level: "problem", something does not work. "note": a limit that one should know."""

    id: str
    level: str
    check: Check


RULES: list[Rule] = []

OLDEST = {"numpy": "1.26", "torch": "2.4", "cupy": "13", "cv2": "4.8"}
UPGRADE = {"numpy": "numpy", "torch": "torch", "cupy": "cupy-cuda13x", "cv2": "opencv-python"}
# In the errors of the driver: codes of CUDA, and pixview's own words.
NO_DEVICE, MISMATCH, OLD_DRIVER = "(100)", "(803)", "needs R525 or newer"
CRASHED = "its import crashed"  # of machine.try_imports()
OPENCV_WITH_CUDA = "docs/opencv-cuda.md builds an OpenCV with CUDA"


def problems(report: Report) -> list[dict[str, str]]:
    """Each rule that applies, as id, level, text and fix: problems first."""
    return sorted(_apply(report), key=lambda row: row["level"] != "problem")


def _apply(report: Report) -> Iterator[dict[str, str]]:
    for rule in RULES:
        finding = rule.check(report)
        if finding:
            yield {"id": rule.id, "level": rule.level, "text": finding.text, "fix": finding.fix}


def problem(check: Checked) -> Checked:
    RULES.append(Rule(check.__name__.replace("_", "-"), "problem", check))
    return check


def note(check: Checked) -> Checked:
    RULES.append(Rule(check.__name__.replace("_", "-"), "note", check))
    return check


# ---- the driver and the GPUs ----


@problem
def no_gpu_visible(report: Report) -> Finding | None:
    if NO_DEVICE not in (report["driver"]["error"] or ""):
        return None
    if report["visible_devices"] is None:
        return Finding("the driver finds no GPU", "run nvidia-smi; in a container pass --gpus all")
    value = report["visible_devices"]
    return Finding(f"CUDA_VISIBLE_DEVICES={value!r} hides every GPU", "unset CUDA_VISIBLE_DEVICES")


@problem
def driver_out_of_reach(report: Report) -> Finding | None:
    driver = report["driver"]
    if not driver["kernel_module"] or "cannot load" not in (driver["error"] or ""):
        return None
    return Finding(
        "the NVIDIA driver is loaded, and its library libcuda.so.1 is not found",
        "in a container pass --gpus all; else install the driver's libraries of the same version",
    )


@problem
def driver_mismatch(report: Report) -> Finding | None:
    if MISMATCH not in (report["driver"]["error"] or ""):
        return None
    return Finding("the NVIDIA driver and its library are of different versions", "reboot")


@problem
def driver_too_old(report: Report) -> Finding | None:
    error = report["driver"]["error"] or ""
    if OLD_DRIVER not in error:
        return None
    return Finding(error, "install NVIDIA driver R525 or newer")


@problem
def gpu_unusable(report: Report) -> Finding | None:
    rows = [gpu for gpu in report["gpus"] if gpu["compute_capability"] is None]
    if not rows:
        return None
    return Finding(
        f"a GPU cannot be used: {rows[0]['reason']}",
        "see nvidia-smi; CUDA_VISIBLE_DEVICES can leave this GPU out",
    )


@problem
def gpu_too_old(report: Report) -> Finding | None:
    old = [
        gpu
        for gpu in report["gpus"]
        if gpu["compute_capability"] and _numbers(gpu["compute_capability"]) < (7, 5)
    ]
    if not old:
        return None
    return Finding(
        f"{old[0]['name']} has compute capability {old[0]['compute_capability']}: views only",
        "use a GPU of 7.5 or newer for copies and batches",
    )


@problem
def no_kernels(report: Report) -> Finding | None:
    if report["pixview"]["kernels"] or not report["gpus"]:
        return None
    return Finding(
        "pixview was built without kernels: on the GPU views only, no copies, no batches",
        "install it again where there is an nvcc; from a clone: make CUDA=1",
    )


@problem
def kernels_do_not_load(report: Report) -> Finding | None:
    if not report["pixview"]["kernels"]:
        return None
    for index, gpu in enumerate(report["gpus"]):
        if gpu["compute_capability"] and not gpu["kernels"]:
            architecture = gpu["compute_capability"].replace(".", "")
            return Finding(
                f"the kernels do not load on GPU {index}: {gpu['reason']}",
                "install a newer driver, or build for this GPU: pip install . "
                f"--config-settings=setup-args=-Darchitectures={architecture}",
            )
    return None


# ---- any library ----


@problem
def library_too_old(report: Report) -> Finding | None:
    for name, oldest in OLDEST.items():
        version = report["libraries"][name]["version"]
        if version and _numbers(version) and _numbers(version) < _numbers(oldest):
            return Finding(
                f"{name} {version} is older than {oldest}, the oldest that pixview supports",
                f"pip install -U {UPGRADE[name]}",
            )
    return None


@problem
def library_broken(report: Report) -> Finding | None:
    """What no other rule knows the cause of."""
    opencv = (opencv_numpy_abi, opencv_without_npp, opencv_without_libgl)
    for name, row in report["libraries"].items():
        error = row["error"] or ""
        known = name == "cv2" and any(check(report) for check in opencv)
        if error.startswith("broken:") and not known:
            text = f"{name} is installed and cannot be imported ({error[8:]})"
            if CRASHED in error:
                return Finding(
                    text,
                    "reinstall it, or another version of it; "
                    f'python -X faulthandler -c "import {name}" prints where it crashes',
                )
            return Finding(
                text, f'run python -c "import {name}" and mend what it names, or reinstall it'
            )
    return None


# ---- OpenCV ----


@problem
def opencv_several(report: Report) -> Finding | None:
    names = [name for name in report["distributions"] if name.startswith("opencv-")]
    if len(names) < 2:
        return None
    return Finding(
        f"{', '.join(names)} all own the folder cv2, and only one is in use",
        f"pip uninstall {' '.join(names)}, then install one of them",
    )


@problem
def opencv_numpy_abi(report: Report) -> Finding | None:
    error = report["libraries"]["cv2"]["error"] or ""
    if "multiarray" not in error and "_ARRAY_API" not in error:
        return None
    return Finding(
        "this OpenCV was built for NumPy 1 and NumPy 2 is installed",
        "pip install -U opencv-python (4.10 or newer), or pip install 'numpy<2'",
    )


@problem
def opencv_without_npp(report: Report) -> Finding | None:
    if "libnpp" not in (report["libraries"]["cv2"]["error"] or ""):
        return None
    return Finding("OpenCV finds no NPP, NVIDIA's library", "pip install 'nvidia-npp>=13,<14'")


@problem
def opencv_without_libgl(report: Report) -> Finding | None:
    error = report["libraries"]["cv2"]["error"] or ""
    if "libGL.so" not in error and "libgthread" not in error:
        return None
    return Finding(
        "this OpenCV draws windows and the libraries for it are missing",
        "pip uninstall opencv-python, then pip install opencv-python-headless",
    )


@problem
def opencv_without_cuda(report: Report) -> Finding | None:
    gpumat = report["gpumat"]
    if not report["gpus"] or gpumat is None or gpumat["cuda"] or gpumat["read"] == "none":
        return None
    return Finding(
        "OpenCV is built without CUDA: cv2.cuda computes nothing, and a region that cv2 makes of a "
        "GpuMat does not keep its source alive",
        f"{OPENCV_WITH_CUDA}; until then keep a GpuMat as long as its regions",
    )


@problem
def opencv_without_gpumat(report: Report) -> Finding | None:
    if not report["gpus"] or report["gpumat"] is not None or not has(report["libraries"], "cv2"):
        return None
    return Finding("this cv2 has no cuda.GpuMat", OPENCV_WITH_CUDA)


@problem
def opencv_sees_no_gpu(report: Report) -> Finding | None:
    cv2, gpumat = report["libraries"]["cv2"], report["gpumat"]
    if not report["gpus"] or cv2["gpu"] or gpumat is None or not gpumat["cuda"]:
        return None
    return Finding(
        f"OpenCV is built for CUDA {cv2['cuda']} and sees no GPU; "
        f"the driver supports up to {report['driver']['cuda']}",
        "install a newer driver (R580 for CUDA 13)",
    )


@problem
def opencv_for_other_gpus(report: Report) -> Finding | None:
    for gpu in report["gpus"]:
        if gpu["opencv"] is False:
            return Finding(
                f"this OpenCV has no code for {gpu['name']}: cv2.cuda raises 'no kernel image'",
                "build it for this GPU: tools/opencv-cuda/build.py 4.13 --arch "
                f"{gpu['compute_capability']}",
            )
    return None


@problem
def gpumat_unreadable(report: Report) -> Finding | None:
    gpumat = report["gpumat"]
    if gpumat is None or gpumat["read"] != "none":
        return None
    return Finding(
        f"pixview cannot use this OpenCV's GpuMat: {gpumat['reason']}",
        "use another OpenCV from 4.8 on, and report this one with the output of pixview doctor --json",
    )


@note
def gpumat_slow(report: Report) -> Finding | None:
    gpumat = report["gpumat"]
    if gpumat is None or gpumat["read"] != "public":
        return None
    return Finding(
        f"a GpuMat is read by public calls: {gpumat['reason']}",
        "right but slower; report this OpenCV with the output of pixview doctor --json",
    )


@note
def opencv_current_device(report: Report) -> Finding | None:
    if len(report["gpus"]) < 2 or not report["libraries"]["cv2"]["gpu"]:
        return None
    return Finding(
        "functions of cv2.cuda run on the current GPU, not on that of their GpuMat",
        "call cv2.cuda.setDevice(i) before you use a GpuMat of GPU i",
    )


@note
def opencv_own_dlpack(report: Report) -> Finding | None:
    gpumat = report["gpumat"]
    if not report["libraries"]["cv2"]["gpu"] or gpumat is None or not gpumat["dlpack"]:
        return None
    return Finding(
        "OpenCV's own GpuMat.__dlpack__ and GpuMat.from_dlpack know one GPU and no streams",
        "pixview.view(mat) exports DLPack, and pixview.as_gpumat(x) reads it, without these limits",
    )


@note
def opencv_4_types(report: Report) -> Finding | None:
    if not report["libraries"]["cv2"]["gpu"] or _numbers(_version(report, "cv2")) >= (5,):
        return None
    return Finding(
        "OpenCV 4 has no GpuMat of bool or bfloat16",
        "view such images as uint8 or uint16 first, or use OpenCV 5",
    )


@note
def opencv_5_textures(report: Report) -> Finding | None:
    if not report["libraries"]["cv2"]["gpu"] or _numbers(_version(report, "cv2")) < (5,):
        return None
    return Finding(
        "OpenCV 5 binds textures: resize (cubic), remap and warpAffine of 8-bit images of 1 or 4 "
        "channels raise 'invalid argument' for rows whose pitch is no multiple of 32 bytes",
        "pixview.as_gpumat(x, copy=True) has such a pitch",
    )


# ---- torch, CuPy and NumPy ----


@problem
def torch_without_cuda(report: Report) -> Finding | None:
    torch = report["libraries"]["torch"]
    if not report["gpus"] or not torch["version"] or torch["cuda"] or torch["error"]:
        return None
    return Finding(
        f"torch {torch['version']} is built without CUDA, and there is a GPU",
        "pip uninstall torch, then pip install torch (PyPI's contains CUDA: gigabytes)",
    )


@problem
def torch_sees_no_gpu(report: Report) -> Finding | None:
    torch = report["libraries"]["torch"]
    if not report["gpus"] or torch["gpu"] or not torch["cuda"]:
        return None
    return Finding(
        f"torch is built for CUDA {torch['cuda']} and sees no GPU; "
        f"the driver supports up to {report['driver']['cuda']}",
        "install a newer driver, or a torch for an older CUDA (pytorch.org lists them)",
    )


@note
def torch_without_table(report: Report) -> Finding | None:
    if not has(report["libraries"], "torch") or _numbers(_version(report, "torch")) >= (2, 10):
        return None
    return Finding(
        f"torch {_version(report, 'torch')} has no DLPack exchange table: tensors are read slower",
        "pip install -U torch (2.10 or newer)",
    )


@problem
def cupy_several(report: Report) -> Finding | None:
    names = [name for name in report["distributions"] if name.startswith("cupy")]
    if len(names) < 2:
        return None
    return Finding(
        f"{', '.join(names)} all own the folder cupy",
        f"pip uninstall {' '.join(names)}, then install the one for this driver",
    )


@problem
def cupy_sees_no_gpu(report: Report) -> Finding | None:
    cupy = report["libraries"]["cupy"]
    if not report["gpus"] or cupy["gpu"] or not cupy["version"]:
        return None
    major = _numbers(report["driver"]["cuda"])[0]
    return Finding(
        f"{cupy['reason'] or 'CuPy sees no GPU'}; "
        f"the driver supports up to CUDA {report['driver']['cuda']}",
        f"pip uninstall the CuPy that is here, then pip install cupy-cuda{min(major, 13)}x",
    )


@problem
def cupy_cannot_compile(report: Report) -> Finding | None:
    error = report["libraries"]["cupy"]["error"] or ""
    if not error.startswith("cannot compile"):
        return None
    major = min(_numbers(report["driver"]["cuda"])[0], 13)
    return Finding(
        f"CuPy {error}",
        f"pip install 'cupy-cuda{major}x[ctk]', which brings CUDA's headers and compiler library",
    )


@note
def numpy_without_bfloat16(report: Report) -> Finding | None:
    libraries = report["libraries"]
    if not (has(libraries, "numpy") and has(libraries, "torch")):
        return None
    if "ml-dtypes" in report["distributions"]:
        return None
    return Finding(
        "NumPy has no bfloat16: as_numpy of such a tensor raises", "pip install ml_dtypes"
    )


@note
def numpy_1_readonly(report: Report) -> Finding | None:
    if not has(report["libraries"], "numpy") or _numbers(_version(report, "numpy")) >= (2,):
        return None
    return Finding(
        "np.from_dlpack of NumPy 1 raises BufferError for a read-only Image",
        "use pixview.as_numpy, or pip install -U numpy",
    )


# ---- what reads an Image by itself ----


@note
def jax_dense_only(report: Report) -> Finding | None:
    if "jax" not in report["distributions"]:
        return None
    return Finding(
        "JAX takes dense, writable memory only: an Image with a pitch or read-only is refused",
        "give it pixview.view(x, contiguous=True), or copy=True for read-only memory",
    )


@note
def tvm_ffi_readonly(report: Report) -> Finding | None:
    if "apache-tvm-ffi" not in report["distributions"]:
        return None
    return Finding(
        "TVM-FFI ignores the read-only flag and takes dense memory only",
        "give it pixview.view(x, copy=True) of read-only memory, else contiguous=True",
    )


@note
def numba_waits(report: Report) -> Finding | None:
    names = {"numba", "numba-cuda"} & set(report["distributions"])
    if not names or not report["gpus"]:
        return None
    return Finding(
        "numba.cuda.as_cuda_array(image) waits on the host for the Image's stream",
        "nothing: the array interface asks for it; work on one stream to keep the wait short",
    )


@note
def nvcodec_10_bits(report: Report) -> Finding | None:
    if "pynvvideocodec" not in report["distributions"]:
        return None
    return Finding(
        "PyNvVideoCodec says P016 of a 10-bit file, and its planes of 10 bits have strides in elements",
        'pixview.video_frame(frame, format="P010") reads the frame; docs/video.md',
    )


# ---- Savant ----


@problem
def savant_twice(report: Report) -> Finding | None:
    if "pixview-savant" not in report["distributions"] or not report["savant"]:
        return None
    return Finding(
        "pixview-savant and Savant are both installed: both own savant/utils/memory_repr.py",
        "keep one of them: pip uninstall pixview-savant",
    )


@problem
def savant_other_version(report: Report) -> Finding | None:
    version = report["distributions"].get("pixview-savant")
    if version is None or version == report["pixview"]["version"]:
        return None
    return Finding(
        f"pixview-savant {version} is beside pixview {report['pixview']['version']}",
        "install both of one version: in a clone, pip install . ./compat/savant",
    )


@note
def savant_axes(report: Report) -> Finding | None:
    if "pixview-savant" not in report["distributions"]:
        return None
    return Finding(
        "pytorch_tensor_as_opencv_gpu_mat(t) takes C,H,W here, and H,W,C in the newest Savant",
        'for an H,W,C tensor call pixview.as_gpumat(t, src_layout="HWC")',
    )


# ---- Python ----


@problem
def no_gil(report: Report) -> Finding | None:
    if report["python"]["gil"]:
        return None
    return Finding(
        "the GIL is forced off, and pixview needs it (docs/threads.md)",
        "unset PYTHON_GIL, or leave out -X gil=0",
    )


@note
def free_threaded(report: Report) -> Finding | None:
    if not (report["python"]["free_threaded"] and report["python"]["gil"]):
        return None
    return Finding(
        "pixview needs the GIL: a free-threaded Python switches it on, with a RuntimeWarning",
        "nothing, all works; docs/threads.md says what is guarded",
    )


def _version(report: Report, name: str) -> str:
    return str(report["libraries"][name]["version"])


def _numbers(version: str) -> tuple[int, ...]:
    """ "2.13.0+cu130": (2, 13, 0). "14.0.0rc1": (14, 0, 0)."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()
