"""The snippets of README and docs/ in host memory."""

from typing import Any

import pytest
from snippets import snippets
from support import check_python


@pytest.mark.parametrize("code", snippets(gpu=False))
def test_snippet(torch: Any, code: str) -> None:
    pytest.importorskip("numpy")
    check_python(code)


@pytest.mark.parametrize("code", snippets(gpu=True))
def test_snippet_for_a_gpu_compiles(code: str) -> None:
    """tests/gpu runs it."""
    compile(code, "snippet", "exec")
