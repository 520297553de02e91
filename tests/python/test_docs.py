"""README, docs/ and the other pages: every link leads somewhere, README stays short."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from snippets import PAGES, ROOT

OTHERS = [ROOT / "CONTRIBUTING.md", ROOT / "NEWS.md", *sorted(ROOT.glob("*/**/README.md"))]
EVERY = [*PAGES, *(p for p in OTHERS if not {".venv", "build", "dist"} & set(p.parts))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|^    .*?$", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    text = CODE.sub("", page.read_text())
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", EVERY, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    broken = []
    for link in LINK.findall(CODE.sub("", page.read_text())):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_every_page_can_be_reached_from_readme() -> None:
    linked = {(ROOT / link).resolve() for link in LINK.findall((ROOT / "README.md").read_text())}
    assert not set(PAGES[1:]) - linked


def test_readme_fits_on_two_screens() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 110


def test_every_c_snippet_is_compiled() -> None:
    """tests/c/meson.build takes the one of this page."""
    count = {page.name: page.read_text().count("\n```c\n") for page in PAGES}
    assert {name: n for name, n in count.items() if n} == {"c-library.md": 1}


def test_picture_of_mistakes_is_what_its_script_draws() -> None:
    image = pytest.importorskip("PIL.Image")
    script = runpy.run_path(str(ROOT / "tools" / "video_mistakes.py"))
    file = ROOT / "docs" / "video-mistakes.webp"
    assert file.stat().st_size < 120_000
    drawn = np.asarray(image.open(file).convert("RGB")).astype(int)
    panels = script["panels"]()
    assert len(panels) == 6
    for i, panel in enumerate(panels):
        y, x = 78 + i // 3 * 318, 16 + i % 3 * 376
        assert np.abs(drawn[y : y + 240, x : x + 360] - panel.pixels).max() <= 2
