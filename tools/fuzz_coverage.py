# SPDX-License-Identifier: Apache-2.0
"""Reads `llvm-cov export -summary-only` from stdin and prints the lines covered of each folder."""

from __future__ import annotations

import collections
import json
import os
import sys

count: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])
for file in json.load(sys.stdin)["data"][0]["files"]:
    folder = os.path.relpath(os.path.dirname(os.path.realpath(file["filename"])))
    lines = file["summary"]["lines"]
    count[folder][0] += lines["covered"]
    count[folder][1] += lines["count"]
for folder, (covered, lines) in sorted(count.items()):
    if not folder.startswith(".."):
        print(f"  {folder:36} {100 * covered / max(lines, 1):5.1f} % of {lines} lines")
