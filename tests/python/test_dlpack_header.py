# SPDX-License-Identifier: Apache-2.0
"""Our private copy of DLPack's structs against the real dlpack.h: those that the libraries here carry."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from snippets import ROOT

PLACES = (
    "torch/include/ATen/dlpack.h",
    "cupy/_core/include/cupy/_dlpack/dlpack.h",
    "tvm_ffi/include/dlpack/dlpack.h",
)
COMPILER = shutil.which(os.environ.get("CC", "cc"))


def compile_with(header: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """tests/c/abi_layout.c, whose assertions speak when it is compiled."""
    assert COMPILER
    folders = [f"-I{ROOT / folder}" for folder in ("include", "src", "tests/c")]
    return subprocess.run(
        [COMPILER, "-std=gnu11", "-fsyntax-only", f'-DREAL_DLPACK_H="{header}"', *options,
         *folders, str(ROOT / "tests/c/abi_layout.c")],
        capture_output=True, text=True,
    )  # fmt: skip


@pytest.fixture(params=PLACES, ids=lambda place: place.split("/")[0])
def header(request: pytest.FixtureRequest) -> Path:
    path = Path(sysconfig.get_path("purelib")) / request.param
    if not path.exists() or not COMPILER:
        pytest.skip(f"no {path.name} of {request.param.split('/')[0]} here, or no C compiler")
    return path


def test_the_real_header(header: Path) -> None:
    done = compile_with(header)
    assert done.returncode == 0, done.stderr


def test_a_difference_is_seen(header: Path, tmp_path: Path) -> None:
    changed = tmp_path / "dlpack.h"
    text = header.read_text()
    assert text.count("  uint64_t byte_offset;") == 1
    changed.write_text(text.replace("  uint64_t byte_offset;", "  uint32_t more, byte_offset;"))
    done = compile_with(changed)
    assert done.returncode != 0 and "byte_offset" in done.stderr
