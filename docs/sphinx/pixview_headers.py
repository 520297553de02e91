# SPDX-License-Identifier: Apache-2.0
"""The directive `c-header`: what a header declares, with its comments, under names that the search finds.

It reads the layout of include/pixview: blocks with empty lines between them, in each the comment and then
what it is about. The comments are columns of plain text, and are shown as such.
"""

import re
import textwrap
from pathlib import Path

from sphinx.util.docutils import SphinxDirective

FUNCTION = re.compile(
    r"^(?:PIXVIEW_API |inline |(?=template <))((?:[^;{]|= \{\})*?\))(?:;(?: *// *(.*))?|\s*\{)",
    re.MULTILINE,
)
NAME = re.compile(r"(\w+) ?\(")
TYPE = re.compile(r"^typedef (?:(struct|enum) (\w+)|[^;{]*?(\w+);)", re.MULTILINE)

# Of C++: what is private, a class with its comment, and the bodies of its functions.
DETAIL = re.compile(r"^namespace detail\n.*?^\} // namespace detail$", re.MULTILINE | re.DOTALL)
CLASS = re.compile(
    r"^((?://.*\n)*)(template <.*> )?class (\w+).*\n\{\n((?s:.*?))^\};", re.MULTILINE
)
BODY = re.compile(
    r"(?:\s+: [^\n{]*)?(?:\n    \{.*?\n    \}| \{[^\n]*\})(?=$| //)", re.MULTILINE | re.DOTALL
)


def blocks(source):
    """The comment and the code of each block."""
    for block in re.split(r"\n\s*\n", source):
        lines = block.strip().splitlines()
        comment = []
        while lines and lines[0].startswith("//"):
            comment.append(lines.pop(0)[2:].removeprefix(" "))
        yield "\n".join(comment), "\n".join(lines)


def directive(name, argument, *content):
    """reStructuredText of a directive; the lines of its argument are signatures."""
    body = "\n\n".join(each for each in content if each)
    head = f".. {name}:: " + argument.replace("\n", "\n" + " " * (len(name) + 6))
    return f"{head}\n\n{textwrap.indent(body, '   ')}\n\n"


def literal(text, language="text"):
    return directive("code-block", language, text) if text else ""


def functions(comment, code, domain):
    """All functions of a block, which share its comment."""
    signatures, notes = [], []
    for found, note in FUNCTION.findall(code):
        signature = " ".join(found.replace("PIXVIEW_NODISCARD", "").split())
        signatures.append(signature)
        if note:
            notes.append(f"{NAME.search(signature)[1]}: {note}")
    if not signatures:
        return ""
    text = "\n".join([comment, *notes]).strip("\n")
    return directive(f"{domain}:function", "\n".join(signatures), literal(text))


def types(comment, code):
    found = TYPE.findall(code)
    if not found:
        return ""
    kind, tagged, plain = found[0]
    return directive(f"c:{kind or 'type'}", tagged or plain, literal(comment), literal(code, "c"))


def constants(comment, code):
    """Macros and enums without a name."""
    if not code.startswith("enum {") and not code.startswith("#define PIXVIEW_VERSION"):
        return ""
    return literal(comment) + literal(code, "c")


def classes(source):
    """The public part of each class, without the bodies."""
    for comment, template, name, body in CLASS.findall(source):
        public = body.partition("  public:\n")[2].partition("\n  private:")[0]
        text = re.sub(r"^// ?", "", comment, flags=re.MULTILINE).strip("\n")
        code = textwrap.dedent(BODY.sub(";", public)).strip("\n")
        yield directive("cpp:class", template + name, literal(text), literal(code, "cpp"))


class Header(SphinxDirective):
    required_arguments = 1

    def run(self):
        path = Path(self.env.srcdir, self.arguments[0])
        self.env.note_dependency(str(path))
        domain = "cpp" if path.suffix == ".hpp" else "c"
        source, text = path.read_text(), ""
        if domain == "cpp":
            source = DETAIL.sub("", source)
            text = ".. cpp:namespace:: pixview\n\n" + "".join(classes(source))
            source = CLASS.sub("", source)
        for comment, code in blocks(source):
            text += functions(comment, code, domain) or types(comment, code)
            text += constants(comment, code)
        return self.parse_text_to_nodes(text)


def setup(app):
    app.add_directive("c-header", Header)
    return {"parallel_read_safe": True}
