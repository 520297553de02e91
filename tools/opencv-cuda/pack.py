# SPDX-License-Identifier: Apache-2.0
"""From the compiled tree to a wheel, and whether that wheel works."""

import shutil
import sysconfig
from pathlib import Path

from opencv import Build
from steps import run

METADATA = """\
Metadata-Version: 2.1
Name: {name}
Version: {version}
Summary: OpenCV {version} with CUDA for compute capability {arch}: {modules}
License: Apache-2.0, with NVIDIA's CUDA run-time library in it
Requires-Python: >=3.7
Requires-Dist: numpy>=2
Requires-Dist: nvidia-npp>={npp},<14

import name cv2: install it instead of any other OpenCV.
"""

WHEEL = """\
Wheel-Version: 1.0
Generator: pixview tools/opencv-cuda
Root-Is-Purelib: false
Tag: cp37-abi3-{platform}
"""

# In a fresh process. Without a GPU the count is 0 or -1, and an empty GpuMat needs none.
CHECK = """
import cv2
info = cv2.getBuildInformation()
for line in ("NVIDIA CUDA:                   YES", "Limited API:                 YES"):
    assert line in info, line
assert "{arch}" in info.split("NVIDIA GPU arch:")[1].splitlines()[0], "not for {arch}"
assert cv2.cuda.getCudaEnabledDeviceCount() in (0, -1)
assert cv2.cuda.GpuMat().empty()
for name in ("cvtColor", "add", "split", "resize"):
    getattr(cv2.cuda, name)
"""


def wheel(build: Build, out: Path) -> Path:
    root = build.folder / "wheel"
    shutil.rmtree(root, ignore_errors=True)
    log = build.work / "logs" / "pack.log"
    install = build.folder / "install"
    shutil.rmtree(install, ignore_errors=True)
    for component in ("python", "licenses"):
        command = [build.tool("cmake"), "--install", build.folder, "--prefix", install, "--strip"]
        run([*command, "--component", component], "CMake could not install OpenCV", log)
    shutil.copytree(install / "python", root)
    # It would be searched for shared libraries, of which there are none.
    (root / "cv2" / "config.py").write_text("import os\nBINARIES_PATHS = []\n")
    name = f"{build.name.replace('-', '_')}-{build.version}"
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    describe(build, platform, root / f"{name}.dist-info")
    out.mkdir(parents=True, exist_ok=True)
    command = [build.python, "-m", "wheel", "pack", root, "--dest-dir", out]
    run(command, "the wheel could not be packed", log)
    return out / f"{name}-cp37-abi3-{platform}.whl"


def describe(build: Build, platform: str, info: Path) -> None:
    info.mkdir()
    modules = "all modules that need nothing else"
    if build.modules == "few":
        modules = ", ".join(build.wanted())
    packages = build.toolkit.parent.parent
    (npp,) = packages.glob("nvidia_npp-*.dist-info")
    text = METADATA.format(
        name=build.name,
        version=build.version,
        arch=", ".join(build.arch),
        modules=modules,
        npp=npp.stem.removeprefix("nvidia_npp-"),
    )
    (info / "METADATA").write_text(text)
    (info / "WHEEL").write_text(WHEEL.format(platform=platform))
    licenses = info / "licenses"
    shutil.copytree(build.folder / "install" / "share" / "licenses", licenses)
    shutil.copy(build.source / "opencv" / "LICENSE", licenses / "LICENSE-opencv")
    shutil.copy(build.source / "opencv_contrib" / "LICENSE", licenses / "LICENSE-opencv_contrib")
    # Its static library is part of the wheel.
    (runtime,) = packages.glob("nvidia_cuda_runtime-*.dist-info/licenses/License.txt")
    shutil.copy(runtime, licenses / "LICENSE-cuda_runtime")


def check(build: Build, file: Path) -> None:
    """In a folder of its own, with NPP beside it as pip would put it, and no GPU."""
    site = build.folder / "try"
    shutil.rmtree(site, ignore_errors=True)
    log = build.work / "logs" / "check.log"
    install = ["install", "--no-deps", "--no-index", "--target", site, file]
    run([build.python, "-m", "pip", *install], "pip could not install the wheel", log)
    (site / "nvidia").symlink_to(build.toolkit.parent)
    code = CHECK.format(arch=" ".join(one.replace(".", "") for one in build.arch))
    cure = "the wheel does not work"
    run([build.python, "-c", code], cure, log, PYTHONPATH=str(site), CUDA_VISIBLE_DEVICES="")
