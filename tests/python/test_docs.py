# SPDX-License-Identifier: Apache-2.0
"""README, docs/ and the other pages: every link leads somewhere, README stays short."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pixview
import pytest
from snippets import FENCED, PAGES, ROOT

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
    found, new = set(), {ROOT / "README.md"}
    while new:
        page = new.pop()
        found.add(page)
        links = {(page.parent / link).resolve() for link in LINK.findall(page.read_text())}
        new |= (links & set(PAGES)) - found
    assert not set(PAGES) - found


def test_readme_fits_on_two_screens() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 110


def test_every_c_snippet_is_compiled() -> None:
    """tests/c/meson.build takes the one of this page."""
    count = {page.name: page.read_text().count("\n```c\n") for page in PAGES}
    assert {name: n for name, n in count.items() if n} == {"c-library.md": 1}


def test_reference_has_every_public_name() -> None:
    page = (ROOT / "docs" / "python.md").read_text()
    named = re.findall(r"^\.\. auto\w+:: pixview\.(\w+)$", page, re.MULTILINE)
    assert sorted([*named, "__version__"]) == sorted(pixview.__all__)
    used = "".join(FENCED.findall(page))
    calls = [name for name in named if callable(getattr(pixview, name)) and name[0].islower()]
    assert not [name for name in calls if f"pixview.{name}(" not in used]


def test_troubleshooting_has_messages_that_pixview_writes() -> None:
    """Between the dots: each part is a piece of one of the literals, of which C joins neighbours."""
    sources = [*ROOT.glob("src/**/*.c"), *ROOT.glob("python/**/*.c"), *ROOT.glob("python/**/*.py")]
    written = re.sub(r'"\s*f?"', "", "\n".join(path.read_text() for path in sources))
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    messages = re.findall(r"^\*\*`(.*)`\*\*", page, re.MULTILINE)
    assert len(messages) >= 20
    parts = [part.strip(" ") for message in messages for part in message.split("…")]
    assert not [part for part in parts if part not in written]


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
