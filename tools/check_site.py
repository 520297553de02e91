# SPDX-License-Identifier: Apache-2.0
"""Reads the built site as a visitor: every link leads somewhere, every C function is there, and in a headless
browser every page loads, nothing scrolls sideways on a phone, and the search finds names.

usage: check_site.py SITE [FOLDER for screenshots]

Links to other sites are not tried. Without a browser (apt install chromium) only the links are checked, and it
says so.
"""

import contextlib
import functools
import http.server
import shutil
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

WIDTHS = (390, 1280)  # pixels: a phone, a laptop
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SEARCHED = {"as_gpumat": "docs/python.html", "pixview_stack": "docs/c-headers.html"}
# How far the page can be scrolled, or what Furo puts its text in. Code and tables scroll by themselves.
SIDEWAYS = """Math.max(...[...document.querySelectorAll("html, .content")]
    .map(element => element.scrollWidth - element.clientWidth))"""


class Page(HTMLParser):
    """The anchors of a page, and where it leads."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links = {"", "top"}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given.get("id"), given.get("name")}
        self.links += [given[key] for key in ("href", "src") if given.get(key)]


def dead_links(site):
    pages = {path: Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages.get(target)
            if not target.exists() or (known and unquote(parts.fragment) not in known.anchors):
                yield f"{path.relative_to(site)}: {link} leads nowhere"


def unlisted(site):
    """Functions that the library exports, and the C reference lacks."""
    anchors = Page((site / "docs" / "c-headers.html").read_text()).anchors
    for name in (Path(__file__).parent / "symbols.txt").read_text().splitlines():
        if not name.startswith("#") and f"c.{name}" not in anchors:
            yield f"{name} is not in the C reference: see docs/sphinx/pixview_headers.py"


@contextlib.contextmanager
def served(site):
    """The address of the site, on this machine only."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def visit(browser, address, names, width, folder):
    """What a visitor with a screen of this width would complain of."""
    tab = browser.new_page(viewport={"width": width, "height": 900})
    wrong = []
    tab.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    tab.on("response", lambda r: r.status < 400 or wrong.append(f"{r.status} for {r.url}"))
    for name in names:
        del wrong[:]
        tab.goto(f"{address}/{name}")
        wide = tab.evaluate(SIDEWAYS)
        if wide > 0:
            wrong.append(f"{wide} pixels wider than the screen")
        if folder:
            file = folder / f"{name.replace('/', '-').removesuffix('.html')}-{width}.png"
            tab.screenshot(path=file, full_page=True)
        yield from (f"{name} at {width} pixels: {what}" for what in wrong)
    for word, page in SEARCHED.items():
        tab.goto(f"{address}/search.html?q={word}")
        try:
            tab.wait_for_selector(f'#search-results a[href*="{page}"]', timeout=20_000)
        except Exception as error:  # of the library that is imported below
            yield f"the search for {word} does not find {page}: {str(error).splitlines()[0]}"
    tab.close()


def browse(site, folder):
    """Complaints, or None if there is no browser."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not program:
        return None
    from playwright.sync_api import sync_playwright

    names = [str(path.relative_to(site)) for path in sorted(site.rglob("*.html"))]
    with served(site) as address, sync_playwright() as library:
        # Its sandbox does not start for root, nor in most containers; what it reads here is our own.
        browser = library.chromium.launch(executable_path=program, args=["--no-sandbox"])
        wrong = [what for width in WIDTHS for what in visit(browser, address, names, width, folder)]
        browser.close()
    return wrong


def main():
    site = Path(sys.argv[1]).resolve()
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    wrong = [*dead_links(site), *unlisted(site)]
    seen = browse(site, folder)
    if seen is None:
        print("pixview: no browser, so no page was opened: apt install chromium", file=sys.stderr)
    wrong += seen or []
    for what in wrong:
        print(what, file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
