# SPDX-License-Identifier: Apache-2.0
"""Settings of Sphinx for the site; tools/docs.sh runs it.

The source folder is the root of the repository, so that a link of README or a page leads to the same place
on GitHub and on the site.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs" / "sphinx"))

import pixview  # noqa: E402

project = "pixview"
release = version = pixview.__version__
author = copyright = "the pixview authors"

extensions = [
    "myst_parser",
    "sphinx_external_toc",
    "sphinx_copybutton",
    "sphinx.ext.autodoc",
    "pixview_docstrings",
    "pixview_headers",
]
external_toc_path = "docs/contents.yml"
source_suffix = {".md": "markdown"}
include_patterns = [
    "*.md",
    "bench/*.md",
    "bench/results/*.md",
    "compat/savant/README.md",
    "docs/**",
    "examples/**",
    "tests/gpu/record.md",
]
exclude_patterns = [".*", "build", "dist", "subprojects", "docs/sphinx"]

myst_heading_anchors = 4  # those that GitHub makes

smartquotes = False
autodoc_typehints = "none"
maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"pixview {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
