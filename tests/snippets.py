"""The Python in README and docs/: each snippet is pasted alone, so each runs alone."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def snippets(gpu):
    """The snippets that need a GPU, or the others, as parameters of a test."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in FENCED.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            if ("cuda" in match[1]) == gpu:
                found.append(pytest.param(match[1], id=f"{page.relative_to(ROOT)}:{line}"))
    assert found
    return found
