"""The snippets of README and docs/ on a GPU."""

import subprocess
import sys

import pytest
from snippets import snippets

from .util import torch  # noqa: F401  skips this module without a GPU


@pytest.mark.parametrize("code", snippets(gpu=True))
def test_snippet(code):
    code += "\nimport torch\ntorch.cuda.synchronize()\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
