# SPDX-License-Identifier: Apache-2.0
"""The snippets of README and docs/ on a GPU."""

import subprocess
import sys

import pytest
from snippets import in_folder, require_libraries, snippets

from .util import torch  # noqa: F401  skips this module without a GPU


@pytest.mark.parametrize("code", snippets(gpu=True))
def test_snippet(code, tmp_path):
    require_libraries(code)
    code = in_folder(code, tmp_path)
    code += "\nimport torch\ntorch.cuda.synchronize()\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
