# SPDX-License-Identifier: Apache-2.0
"""How OpenCV is configured and compiled: the options, and the traps that they avoid."""

import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from fetch import python_include
from steps import Stop, run

# Measured for few modules: 1.1 GB, 1.5 GB. The rest is room for more GPUs, and a guess for all.
MEMORY_PER_JOB = 2 << 30
DISK = {"few": 2_000_000_000, "all": 8_000_000_000}

FEW = ["core", "imgproc", "cudev", "cudaarithm", "cudawarping", "cudaimgproc"]
# In OpenCV 5 imgproc's shapes are a module of their own.
FEW_5 = [*FEW, "geometry"]
PYTHON = ["python_bindings_generator", "python3"]

# Where the wheel finds NPP: PyPI's nvidia-npp in the same site-packages.
RPATH = "$ORIGIN/../../nvidia/cu13/lib"

# The distribution's file formats from the source package, not this machine's libraries.
ON = """WITH_CUDA PYTHON3_LIMITED_API INSTALL_CREATE_DISTRIB CMAKE_SKIP_RPATH
    OPENCV_FORCE_3RDPARTY_BUILD"""
# Libraries that PyPI does not carry, and what is not Python. cudacodec is nothing without NVIDIA's
# Video Codec SDK.
OFF = """BUILD_SHARED_LIBS BUILD_TESTS BUILD_PERF_TESTS BUILD_DOCS BUILD_opencv_apps BUILD_JAVA
    BUILD_opencv_cudacodec WITH_CUBLAS WITH_CUFFT WITH_CUDNN WITH_NVCUVID WITH_NVCUVENC
    WITH_ADE WITH_AVIF WITH_EIGEN WITH_FFMPEG WITH_GSTREAMER WITH_GTK WITH_IPP WITH_ITT WITH_JASPER
    WITH_LAPACK WITH_OPENCL WITH_QT WITH_VA WITH_VTK"""
# Compiled even when no module uses them.
OFF_FEW = "WITH_JPEG WITH_OPENEXR WITH_OPENJPEG WITH_PNG WITH_PROTOBUF WITH_TIFF WITH_WEBP"


@dataclass(frozen=True)
class Build:
    """One build folder: a version, GPUs and modules."""

    work: Path
    python: Path
    toolkit: Path
    source: Path
    arch: list[str]
    modules: str

    @property
    def version(self) -> str:
        return self.source.name.split("-")[1]

    @property
    def name(self) -> str:
        gpus = "-".join("sm" + one.replace(".", "") for one in self.arch)
        return f"opencv-{'contrib-' if self.modules == 'all' else ''}cuda-{gpus}"

    @property
    def folder(self) -> Path:
        return self.work / f"{self.name}-{self.version}"

    @property
    def log(self) -> Path:
        return self.work / "logs" / f"configure-{self.folder.name}.log"

    def wanted(self) -> list[str]:
        """The modules without which the wheel is not worth packing."""
        return FEW if self.version.startswith("4.") else FEW_5

    def options(self) -> dict[str, str]:
        flags = {name: "ON" for name in ON.split()} | {name: "OFF" for name in OFF.split()}
        include = python_include()
        flags |= {
            "CMAKE_BUILD_TYPE": "Release",
            "OPENCV_EXTRA_MODULES_PATH": self.source / "opencv_contrib" / "modules",
            "CUDA_TOOLKIT_ROOT_DIR": self.toolkit,
            "CUDA_ARCH_BIN": ";".join(self.arch),
            "CUDA_ARCH_PTX": "",
            # Configuring would fetch models and fonts from elsewhere; OpenCV does without them.
            "OPENCV_DOWNLOAD_TRIES_LIST": "",
            # Said by hand: CMake looks for a Python elsewhere. The library is only a name,
            # an extension is not linked with it.
            "PYTHON3_EXECUTABLE": self.python,
            "PYTHON3_INCLUDE_DIR": include,
            "PYTHON3_LIBRARY": f"lib{include.name}.so",
            "OPENCV_PYTHON3_INSTALL_PATH": "python",
            "CMAKE_MODULE_LINKER_FLAGS": f"-Wl,-rpath,'{RPATH}'",
        }
        if self.modules == "few":
            flags["BUILD_LIST"] = ",".join(self.wanted() + PYTHON)
            flags |= {name: "OFF" for name in OFF_FEW.split()}
        return {name: str(value) for name, value in flags.items()}

    def configure(self) -> None:
        options = [f"-D{name}={value}" for name, value in self.options().items()]
        command = [self.tool("cmake"), "-G", "Ninja", "-S", self.source / "opencv"]
        command += ["-B", self.folder, f"-DCMAKE_MAKE_PROGRAM={self.tool('ninja')}", *options]
        stamp = self.folder / ".made-from"
        recipe = shlex.join(map(str, command))
        if stamp.is_file() and stamp.read_text() == recipe:
            return
        # From nothing: CMake would keep what it found or missed before.
        shutil.rmtree(self.folder, ignore_errors=True)
        run(command, "CMake could not configure OpenCV", self.log)
        self.check_configured()
        stamp.write_text(recipe)

    def tool(self, name: str) -> Path:
        return self.python.with_name(name)

    def check_configured(self) -> None:
        """CMake leaves out without an error what it cannot build."""
        log = self.log.read_text(errors="replace")
        built = log.split("To be built:", 1)[-1].splitlines()[0].split()
        missing = [name for name in [*self.wanted(), "python3"] if name not in built]
        if missing or "NVIDIA CUDA:                   YES" not in log:
            raise Stop(f"CMake left out {', '.join(missing) or 'CUDA'}; why is in {self.log}")

    def summary(self) -> str:
        """CMake's own, from the modules on."""
        log = self.log.read_text(errors="replace")
        lines = log.split("OpenCV modules:", 1)[-1].split("---------", 1)[0].splitlines()
        return "\n".join(line.removeprefix("--") for line in lines)

    def compile(self, jobs: int) -> None:
        cure = (
            "compiling failed: the first error above says why. If a compiler was killed, "
            f"memory was short: --jobs {max(1, jobs // 2)}. The same command goes on from here"
        )
        command = [self.tool("ninja"), "-C", self.folder, "-j", jobs]
        # The type stubs need every module; without them OpenCV warns at length and goes on.
        run(command, cure, NINJA_STATUS="[%f/%t, %e s] ", PYTHONWARNINGS="ignore")
