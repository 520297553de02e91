# SPDX-License-Identifier: Apache-2.0
"""The snippets of README and docs/ in host memory."""

from pathlib import Path
from typing import Any

import pytest
from snippets import in_folder, require_libraries, snippets
from support import check_fork


@pytest.mark.parametrize("code", snippets(gpu=False))
def test_snippet(torch: Any, code: str, tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    require_libraries(code)
    check_fork(in_folder(code, tmp_path))


@pytest.mark.parametrize("code", snippets(gpu=True))
def test_snippet_for_a_gpu_compiles(code: str) -> None:
    """tests/gpu runs it."""
    compile(code, "snippet", "exec")
