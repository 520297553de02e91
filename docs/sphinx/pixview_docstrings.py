# SPDX-License-Identifier: Apache-2.0
"""Makes reStructuredText of pixview's docstrings, which are written to be read by help().

A line that begins with the name of an argument and a colon, or with a dash, begins an item of a list; lines behind it
belong to it. Names with a colon inside an item are set in bold too. A paragraph that is indented is an example.
Everything else is text as it stands.
"""

import re

ITEM = re.compile(r"[a-z]\w*(?:, [a-z]\w*)*: \S|\s*- ")
NAMES = re.compile(r"(?:^|(?<=\. ))([a-z][\w\\]*(?:, [a-z][\w\\]*)*): (?=\S)")  # escaped
LITERAL = re.compile(r"``(.+?)``|`(.+?)`")
SPECIAL = re.compile(r"([\\*|_`])")


def escape(text):
    return SPECIAL.sub(r"\\\1", text)


def text(line):
    """The line with its literals, and without what reStructuredText would take for markup."""
    parts, at = [], 0
    for match in LITERAL.finditer(line):
        parts += [escape(line[at : match.start()]), f"``{match[1] or match[2]}``"]
        at = match.end()
    return "".join([*parts, escape(line[at:])])


def bold(match):
    return ", ".join(f"**{name}**" for name in match[1].split(", ")) + ": "


def paragraph(lines):
    """Items of a list, and the text in front of them."""
    pieces = []
    for line in lines:
        if ITEM.match(line) or not pieces:
            pieces.append(line.rstrip())
        else:
            pieces[-1] += " " + line.strip()
    for piece in pieces:
        item = ITEM.match(piece)
        line = text(piece.strip().removeprefix("- "))
        yield "* " + NAMES.sub(bold, line) if item else line
        yield ""


def convert(lines):
    result, block = [], []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
            continue
        if block and all(each.startswith("    ") for each in block):
            result += ["::", "", *block, ""]
        else:
            result += paragraph(block)
        block = []
    return result


def process(app, what, name, obj, options, lines):
    lines[:] = convert(lines)


def setup(app):
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True}
