#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes pixview.c and pixview.h: the C library as two files, to compile into a program.

usage: amalgamate.py FOLDER [--fatbin FILE]

Names that are private to one source file are given its name where another file has the same one. The loops of host
memory are there once, for the instruction set that the program is compiled for. --fatbin: kernels to embed, as
tools/compile_kernels.py writes them, with FILE.code beside it; without it there are none.
"""

from __future__ import annotations

import argparse
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOKEN = re.compile(
    r"""(?P<skip>//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    r"""|(?P<directive>^[ \t]*\#(?:\\\n|[^\n])*)|(?P<name>[A-Za-z_]\w*)|(?P<other>->|\.\.\.|\S)""",
    re.DOTALL | re.MULTILINE,
)
INCLUDE = re.compile(r'^[ \t]*#include[ \t]+([<"])([^>"]+)[>"].*\n', re.MULTILINE)
COMMENT = re.compile(r"//[^\n]*")
DEFINE = re.compile(r"^[ \t]*#define[ \t]+(\w+)", re.MULTILINE)
DECLARED = [
    DEFINE,
    # A function, an object, a pointer to a function; with words such as __attribute__((cold)) before.
    re.compile(
        r"^(?=\S[^;={]*\bstatic\b|static\b)(?:__attribute__\(\(.*?\)\) )?[\w\s*]*?\b(\w+)(?:\(|\[| =|;|,)",
        re.MULTILINE,
    ),
    re.compile(r"^(?:\w+ )*static [\w *]*\(\*(?:const )?(\w+)", re.MULTILINE),
    re.compile(r"^(?:typedef )?(?:struct|union|enum) (\w+) \{", re.MULTILINE),
    re.compile(r"^typedef [^{;(]*?\b(\w+)(?:\[\w+\])?;", re.MULTILINE),
    re.compile(r"^\} (\w+)(?: =|\[|;)", re.MULTILINE),
]
ENUM = re.compile(r"^(?:typedef )?enum(?: \w+)? \{(.*?)\}", re.MULTILINE | re.DOTALL)

HEAD = """\
// SPDX-License-Identifier: Apache-2.0
// pixview {version} in one file, made by tools/amalgamate.py of its sources. Do not edit: change those.
//
//     cc -O3 -c pixview.c        and link with -ldl -lm -pthread
"""
# What meson passes for the same: no sum and product is fused (docs/design.md), names of glibc.
OPTIONS = """
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off", "no-math-errno", "no-trapping-math")
#endif
#pragma GCC diagnostic ignored "-Wunused-function" // of headers that the kernels include too
"""
LOOPS = """
#define LOOPS       pixviewi_loops_base
#define VIDEO_LOOPS pixviewi_video_loops_base
#define LOOPS_NAME  "base"
#ifndef __clang__
#pragma GCC optimize("O3") // vectorise, whatever the level; they are the last of the files
#endif
"""


def sources() -> list[pathlib.Path]:
    """The list of src/meson.build, and the loops."""
    text = (ROOT / "src/meson.build").read_text()
    block = text[text.index("core_sources = files(") : text.index("\n)\n")]
    names = [*re.findall(r"'(\S+\.c)'", block), "host/loops_video.c", "host/loops.c"]
    return [ROOT / "src" / name for name in names]


def find(name: str, beside: pathlib.Path) -> pathlib.Path:
    for folder in (beside, ROOT / "src", ROOT / "include"):
        if (folder / name).exists():
            return (folder / name).resolve()
    raise SystemExit(f"{beside}: #include {name!r} is nowhere")


def is_public(file: pathlib.Path) -> bool:
    return file.parent == ROOT / "include/pixview"


class Text:
    """Files in the order of their includes, each once; the system's includes apart."""

    def __init__(self) -> None:
        self.system: set[str] = set()
        self.headers: list[pathlib.Path] = []
        self.done: set[pathlib.Path] = set()

    def visit(self, file: pathlib.Path) -> None:
        for kind, name in INCLUDE.findall(file.read_text()):
            if kind == "<":
                self.system.add(name)
                continue
            header = find(name, file.parent)
            if header not in self.done:
                self.done.add(header)
                self.visit(header)
                self.headers.append(header)


def body(file: pathlib.Path) -> str:
    """Without its includes, but for those under a condition of the processor."""
    text = INCLUDE.sub(lambda m: m[0] if m[2] == "immintrin.h" else "", file.read_text())
    return text.replace("// SPDX-License-Identifier: Apache-2.0\n", "")


def file_scope(text: str) -> set[str]:
    """The names that a file declares outside of functions, macros too. clang-format has them begin in column 0."""
    text = re.sub(r"_Atomic\(([^()]*)\)", r"\1", text)
    names = {name for pattern in DECLARED for name in pattern.findall(text)}
    for values in ENUM.findall(text):
        names |= set(re.findall(r"(\w+)(?:\s*=[^,]*)?(?:,|$)", COMMENT.sub("", values).strip()))
    return {name for name in names if not name.startswith("_")}  # __attribute__, _Static_assert


def renamed(text: str, names: dict[str, str]) -> str:
    """Tokens, and those in macros; not members, which follow a dot or an arrow."""
    before = ""

    def replace(match: re.Match[str]) -> str:
        nonlocal before
        token = match[0]
        if match["skip"]:
            return token
        if match["directive"]:
            return re.sub(r"(?<![\w.\"])[A-Za-z_]\w*", lambda m: names.get(m[0], m[0]), token)
        result = token
        if match["name"] and before not in (".", "->"):
            result = names.get(token, token)
        before = token
        return result

    return TOKEN.sub(replace, text)


def kernels(fatbin: pathlib.Path | None) -> str:
    if fatbin is None:
        return body(ROOT / "src/kernels/none.c")
    data = fatbin.read_bytes()
    code = fatbin.with_name(fatbin.name + ".code").read_text().strip()
    rows = [", ".join(map(str, data[i : i + 24])) for i in range(0, len(data), 24)]
    return (
        "// The CUDA kernels.\n"
        "__attribute__((aligned(16))) const unsigned char pixviewi_kernels_fatbin[] = {\n"
        + ",\n".join(rows)
        + f"}};\nconst uint64_t pixviewi_kernels_fatbin_size = {len(data)};\n"
        + f'const char pixviewi_kernels_code[] = "{code}";\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--fatbin", type=pathlib.Path)
    args = parser.parse_args()
    if args.folder.exists() and not args.folder.is_dir():
        parser.error(f"{args.folder} is a file; name a folder")
    for needed in (
        [args.fatbin, args.fatbin.with_name(args.fatbin.name + ".code")] if args.fatbin else []
    ):
        if not needed.is_file():
            parser.error(f"there is no {needed}; tools/compile_kernels.py makes both files")

    files = sources()
    text = Text()
    public = Text()
    public.visit(ROOT / "include/pixview/pixview.h")
    for file in files:
        text.visit(file)
    text.visit(ROOT / "src/kernels/none.c")
    version_h = (ROOT / "include/pixview/version.h").read_text()
    version = ".".join(re.findall(r"#define PIXVIEW_VERSION_\w+ (\d+)", version_h))

    bodies = {file: body(file) for file in files}
    private = [header for header in text.headers if not is_public(header)]
    owners: dict[str, int] = {}
    for part in [*bodies.values(), *map(body, private)]:
        for name in file_scope(part):
            owners[name] = owners.get(name, 0) + 1

    head = HEAD.format(version=version)
    c = [head, OPTIONS]
    c += [f"#include <{name}>\n" for name in sorted(text.system - {"immintrin.h"})]
    c += ['\n#include "pixview.h"\n', *(f"\n{body(header)}" for header in private)]
    for file, part in bodies.items():
        if file.name == "loops_video.c":
            c.append(LOOPS)
        mine = file_scope(part)
        # What other files call has the prefix of the project.
        others = {name for name in mine if owners[name] > 1 and not name.startswith("pixview")}
        stem = "_".join(file.relative_to(ROOT / "src").with_suffix("").parts)
        c.append(f"\n// ---- src/{file.relative_to(ROOT / 'src')}\n\n")
        names = {name: f"{name}_{stem}" for name in others}
        c.append(renamed(part, names))
        c += [f"#undef {names.get(name, name)}\n" for name in dict.fromkeys(DEFINE.findall(part))]
    c.append("\n" + kernels(args.fatbin))

    h = [head, "#ifndef PIXVIEW_STATIC\n#define PIXVIEW_STATIC\n#endif\n\n"]
    h += [f"#include <{name}>\n" for name in sorted(public.system)]
    h += [f"\n{body(header)}" for header in [*public.headers, ROOT / "include/pixview/pixview.h"]]

    args.folder.mkdir(parents=True, exist_ok=True)
    (args.folder / "pixview.c").write_text("".join(c))
    (args.folder / "pixview.h").write_text("".join(h))


if __name__ == "__main__":
    main()
