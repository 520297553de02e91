# SPDX-License-Identifier: Apache-2.0
"""tools/check_abi.py: the C interface is that of the last release, with additions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from snippets import ROOT

pytest.importorskip("pycparser")
if not shutil.which(os.environ.get("CC", "cc").split()[0]):
    pytest.skip("no C compiler", allow_module_level=True)


def check(include: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "tools" / "check_abi.py", include], capture_output=True, text=True
    )


def check_changed(
    folder: Path, header: str, old: str, new: str
) -> subprocess.CompletedProcess[str]:
    shutil.copytree(ROOT / "include", folder / "include")
    path = folder / "include" / "pixview" / header
    text, count = re.subn(old, new, path.read_text(), flags=re.DOTALL)
    assert count == 1
    path.write_text(text)
    return check(folder / "include")


def test_nothing_that_was_released_changed() -> None:
    done = check(ROOT / "include")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("header", "old", "new", "message"),
    [
        ("image.h", r"(int64_t shape\[4\];)", r"int32_t more; \1", "struct pixview_image is 120 bytes, was 112"),
        ("image.h", r"int64_t shape\[4\];", "uint64_t shape[4];", "image.shape is uint64_t [4], 32 bytes at 8, was int"),
        ("image.h", "pixview_dtype dtype;\n    pixview_device device;", "pixview_device device;\n    pixview_dtype dtype;",
         "pixview_image.dtype is pixview_dtype, 4 bytes at 80, was pixview_dtype, 4 bytes at 72"),
        ("copy.h", r"PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_copy\(.*?;", "",
         "function pixview_copy is gone (was pixview_status (const pixview_image *,"),
        ("image.h", r"int64_t\s+pixview_image_nbytes", "int32_t pixview_image_nbytes",
         "function pixview_image_nbytes is int32_t (const pixview_image *), was int64_t (const pixview_image *)"),
        ("placement.h", "PIXVIEW_FIT_STRETCH, ", "PIXVIEW_FIT_FILL, PIXVIEW_FIT_STRETCH,",
         "enumerator PIXVIEW_FIT_LETTERBOX is 3, was 2"),
        ("status.h", "PIXVIEW_E_CUDA = -7", "PIXVIEW_E_DRIVER = -7", "enumerator PIXVIEW_E_CUDA is gone (was -7)"),
        ("image.h", r"typedef uintptr_t pixview_stream", "typedef void *pixview_stream",
         "type pixview_stream is void *, 8 bytes, was uintptr_t, 8 bytes"),
        ("image.h", r"\(pixview_stream\) - 1\)", "(pixview_stream) - 2)", "macro PIXVIEW_STREAM_NONE is -2, was -1"),
    ],
)  # fmt: skip
def test_a_change_is_named(tmp_path: Path, header: str, old: str, new: str, message: str) -> None:
    done = check_changed(tmp_path, header, old, new)
    assert done.returncode == 1 and message in done.stderr, done.stderr
    assert "Programs that were compiled with 0.1" in done.stderr and "soname" in done.stderr


@pytest.mark.parametrize(
    ("header", "old", "new"),
    [
        ("version.h", r"(PIXVIEW_API int32_t)", r"PIXVIEW_API int pixview_more(void);\n\1"),
        ("placement.h", "(PIXVIEW_INTERPOLATION_PIL_LANCZOS)", r"\1, PIXVIEW_INTERPOLATION_PIL_BOX"),
        ("image.h", "uint64_t reserved; ", "uint64_t colour; "),
        ("image.h", r"const pixview_image \*a, const pixview_image \*b", "const pixview_image *first, const pixview_image *b"),
    ],
)  # fmt: skip
def test_an_addition_passes(tmp_path: Path, header: str, old: str, new: str) -> None:
    done = check_changed(tmp_path, header, old, new)
    assert done.returncode == 0, done.stderr


def test_a_new_soname_may_break(tmp_path: Path) -> None:
    """Below 1.0 a minor version has its own, a patch has not."""
    number = r"(?<=VERSION_MINOR )\d+", r"(?<=VERSION_PATCH )\d+"
    for folder, pattern, fails in (("minor", number[0], 0), ("patch", number[1], 1)):
        done = check_changed(tmp_path / folder, "version.h", pattern, "99")
        assert done.returncode == 0, done.stderr
        path = tmp_path / folder / "include" / "pixview" / "status.h"
        path.write_text(path.read_text().replace("E_CUDA = -7", "E_DRIVER = -7"))
        assert check(tmp_path / folder / "include").returncode == fails


def test_every_function_of_the_headers_is_exported_and_the_reverse() -> None:
    """What the shared library exports is compared with symbols.txt by the test `symbols`."""
    declared = set()
    for header in (ROOT / "include" / "pixview").glob("*.h"):
        code = re.sub("//.*", "", header.read_text())
        for text in re.findall(r"PIXVIEW_API\s+[^;{]*?(pixview_\w+)\(", code):
            declared.add(text)
    listed = (ROOT / "tools" / "symbols.txt").read_text().splitlines()
    assert declared == {line for line in listed if not line.startswith("#")}
