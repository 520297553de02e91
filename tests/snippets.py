"""The Python in README and guide: each piece is pasted alone, so each runs alone."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FENCED = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def snippets(gpu):
    """Those that need a GPU, or the others, as parameters of a test."""
    found = []
    for name in ("README.md", "docs/guide.md"):
        text = (ROOT / name).read_text()
        for match in FENCED.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            if ("cuda" in match[1]) == gpu:
                found.append(pytest.param(match[1], id=f"{name}:{line}"))
    assert found
    return found
