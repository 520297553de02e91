# SPDX-License-Identifier: Apache-2.0
"""What is fetched: build tools, NVIDIA's compiler and NPP, OpenCV's source. All by pip.

Each lies in a folder of its own, with a stamp that holds what it was made from.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from steps import Stop, run

HERE = Path(__file__).resolve().parent
NO_PIP = "pip could not install them: is PyPI reachable? pip's own settings (pip config) hold here"


def python_include() -> Path:
    return Path(sysconfig.get_path("include"))


def made_from(folder: Path, recipe: str) -> bool:
    """Whether the folder is complete and of that recipe; if not, it is emptied."""
    stamp = folder / ".made-from"
    if stamp.is_file() and stamp.read_text() == recipe:
        return True
    shutil.rmtree(folder, ignore_errors=True)
    return False


def finish(folder: Path, recipe: str) -> None:
    (folder / ".made-from").write_text(recipe)


def environment(work: Path) -> Path:
    """A virtual environment with CMake and ninja; returns its Python."""
    folder = work / "tools"
    requirements = HERE / "requirements.txt"
    recipe = f"{sys.version}\n{requirements.read_text()}"
    python = folder / "bin" / "python"
    if not made_from(folder, recipe):
        no_venv = "this Python cannot make a virtual environment: apt install python3-venv"
        run([sys.executable, "-m", "venv", folder], no_venv, work / "logs" / "tools.log")
        pip(python, work / "logs" / "tools.log", "install", "-r", requirements)
        finish(folder, recipe)
    return python


def pip(python: Path, log: Path, *args, cure: str = NO_PIP) -> None:
    run([python, "-m", "pip", "--disable-pip-version-check", *args], cure, log)


def toolkit(work: Path, python: Path, arch: list[str]) -> Path:
    """A CUDA toolkit laid out as CMake wants it; returns its top."""
    folder = work / "cuda"
    requirements = HERE / "requirements-cuda.txt"
    recipe = requirements.read_text() + (HERE.parent / "requirements-cuda.txt").read_text()
    top = folder / "nvidia" / "cu13"
    if not made_from(folder, recipe):
        install = ["install", "--no-deps", "--target", folder, "-r", requirements]
        pip(python, work / "logs" / "cuda.log", *install)
        complete(top)
        finish(folder, recipe)
    check_compiler(top / "bin" / "nvcc", work, arch)
    return top


def complete(top: Path) -> None:
    """The names that a linker looks for; the wheels have only those of the loader."""
    (top / "lib64").symlink_to("lib")
    for library in (top / "lib").glob("*.so.*"):
        library.with_name(library.name.split(".so.")[0] + ".so").symlink_to(library.name)


def check_compiler(nvcc: Path, work: Path, arch: list[str]) -> None:
    listed = subprocess.check_output([nvcc, "--list-gpu-code"], text=True).split()
    for one in arch:
        if "sm_" + one.replace(".", "") not in listed:
            known = ", ".join(f"{code[3:-1]}.{code[-1]}" for code in listed if code[3:].isdigit())
            raise Stop(f"--arch {one}: this CUDA compiles for {known}")
    source = work / "logs" / "probe.cu"
    source.write_text("#include <vector>\n__global__ void probe() {}\n")
    cure = (
        "NVIDIA's compiler does not work with this C++ compiler: take a gcc up to 15, "
        "as in CC=gcc-14 CXX=g++-14"
    )
    host = ["-ccbin", shutil.which(os.environ.get("CXX", "c++"))]
    run([nvcc, *host, "-c", source, "-o", source.with_suffix(".o")], cure, work / "logs/probe.log")


def source(work: Path, python: Path, version: str) -> Path:
    """The unpacked source package, opencv_contrib_python-VERSION with the full version."""
    found = [f.parent for f in work.glob("opencv_contrib_python-*/.made-from")]
    found = [f for f in found if (f.name.split("-")[1] + ".").startswith(version + ".")]
    if found:
        return max(found)
    release = version if version.count(".") == 3 else f"{version}.*"
    none = (
        f"PyPI has no source package of opencv-contrib-python {release} (some releases, such as "
        "4.13.0.92, are wheels only): see https://pypi.org/project/opencv-contrib-python/#history"
    )
    # Nothing is to be built for the metadata alone, so the environment's tools do.
    command = ["download", "--no-deps", "--no-build-isolation", "--no-binary", ":all:"]
    command += ["--dest", work, f"opencv-contrib-python=={release}"]
    pip(python, work / "logs" / "source.log", *command, cure=none)
    return unpack(max(work.glob("opencv_contrib_python-*.tar.gz"), key=lambda f: f.stat().st_mtime))


def unpack(archive: Path) -> Path:
    # The folder within is called so only in some releases.
    folder = archive.with_name(archive.name.removesuffix(".tar.gz"))
    half = folder.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    shutil.unpack_archive(archive, half)
    (inner,) = half.iterdir()
    inner.rename(folder)
    half.rmdir()
    archive.unlink()
    finish(folder, archive.name)
    return folder
