"""What README and guide show in host memory."""

from typing import Any

import pytest
from snippets import snippets
from support import check_python


@pytest.mark.parametrize("code", snippets(gpu=False))
def test_snippet(torch: Any, code: str) -> None:
    pytest.importorskip("numpy")
    check_python(code)
