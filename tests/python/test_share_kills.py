# SPDX-License-Identifier: Apache-2.0
"""The kill sweep, short: tests/soak/kills.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import SANITIZED

KILLS = Path(__file__).parents[1] / "soak" / "kills.py"


@pytest.mark.skipif(SANITIZED, reason="a killed process reports nothing, and takes long to start")
def test_kills() -> None:
    done = subprocess.run(
        [sys.executable, str(KILLS), "40"], capture_output=True, text=True, timeout=300
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 leaks" in done.stdout
