#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the C interface in include/pixview with the one of the last release, tools/abi.txt.

usage: check_abi.py [--record] [INCLUDE_FOLDER]     --record: a release writes tools/abi.txt anew

Sizes and offsets of structs, values of enumerators and macros, types of functions: what is compiled into
the programs that use the library. What is new passes, and everything does if the soname is another one.
Needs pycparser and a C compiler.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

try:
    from pycparser import c_ast, c_generator, c_parser
except ModuleNotFoundError:
    sys.exit("no pycparser: pip install -r tools/requirements-test.txt")

ROOT = pathlib.Path(__file__).parent.parent
RECORD = ROOT / "tools" / "abi.txt"
COMPILER = os.environ.get("CC", "cc").split()
# What the system's headers say beyond C99.
PLAIN = ["__attribute__(x)=", "__extension__=", "__inline=inline", "__restrict=", "__asm__(x)="]
NOT_RECORDED = ("PIXVIEW_VERSION_", "PIXVIEW_API", "PIXVIEW_NODISCARD")
ADVICE = """
Programs that were compiled with {version} break by this. Keep what was there and add beside it: a function or
an enumerator of another name, a member in place of `reserved`. If it has to change, give the library a new
soname by the version in include/pixview/version.h: docs/stability.md."""


def compiled(include, text, *options):
    done = subprocess.run(
        [*COMPILER, "-std=c99", *options, f"-I{include}", "-x", "c", "-"],
        input=f"#include <pixview/pixview.h>\n{text}",
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{include} does not compile:\n{done.stderr}")
    return done.stdout


def type_text(node):
    """The type of a declaration without the name that it declares."""
    inner = node
    while not isinstance(inner, c_ast.TypeDecl):
        inner = inner.type
    name, inner.declname = inner.declname, None
    try:
        return c_generator.CGenerator().visit(c_ast.Typename(None, [], None, node))
    finally:
        inner.declname = name


def function_text(function):
    arguments = [type_text(argument.type) for argument in function.args.params]
    return f"{type_text(function.type)} ({', '.join(arguments)})"


def declarations(include):
    """The key of each line of the record: what stands there beside numbers, and the C that prints those."""
    text = compiled(include, "", "-E", "-P", *(f"-D{define}" for define in PLAIN))
    structs, enumerators = {}, []

    class Visitor(c_ast.NodeVisitor):
        def visit_Struct(self, node):
            if node.decls and (node.name or "").startswith("pixview_"):
                structs[node.name] = node.decls

        def visit_Enumerator(self, node):
            enumerators.append(node.name)

    found = {}
    tree = c_parser.CParser().parse(text)
    Visitor().visit(tree)
    for node in tree.ext:
        name = getattr(node, "name", None) or ""
        if not name.startswith("pixview_"):
            continue
        if isinstance(node, c_ast.Typedef) and name not in structs:
            kind = node.type.type
            complete = not isinstance(kind, c_ast.Struct)
            text = "enum" if isinstance(kind, c_ast.Enum) else type_text(node.type)
            found[f"type {name}"] = (
                (f"{text}, %lld bytes", [f"sizeof({name})"]) if complete else (text, [])
            )
        elif isinstance(getattr(node, "type", None), c_ast.FuncDecl):
            found[f"function {name}"] = (function_text(node.type), [])
    for name, members in structs.items():
        found[f"struct {name}"] = ("%lld bytes", [f"sizeof({name})"])
        for member in members:
            if member.name != "reserved":  # there to be replaced
                place = f"{name}, {member.name}"
                found[f"member {name}.{member.name}"] = (
                    f"{type_text(member.type)}, %lld bytes at %lld",
                    [f"sizeof((({name} *)0)->{member.name})", f"offsetof({place})"],
                )
    for name in enumerators:
        if name.startswith("PIXVIEW_"):
            found[f"enumerator {name}"] = ("%lld", [name])
    for line in compiled(include, "", "-E", "-dM").splitlines():
        name, value = (line.split(maxsplit=2) + [""])[1:3]
        if name.startswith("PIXVIEW_") and value and not name.startswith(NOT_RECORDED):
            found[f"macro {name}"] = ("%lld", [name])
    return found


def interface(include):
    found = declarations(include)
    prints = [
        f'    printf("{key}: {text}\\n"{"".join(f", (long long)({number})" for number in numbers)});'
        for key, (text, numbers) in sorted(found.items())
    ]
    program = "\n".join(
        ["#include <stdio.h>", "int main(void)", "{", *prints, "    return 0;", "}"]
    )
    with tempfile.TemporaryDirectory() as folder:
        compiled(include, program, "-o", f"{folder}/print")
        return subprocess.check_output([f"{folder}/print"], text=True).splitlines()


def version_of(include):
    parts = [f"PIXVIEW_VERSION_{part}" for part in ("MAJOR", "MINOR", "PATCH")]
    line = compiled(include, " ".join(parts), "-E", "-P").splitlines()[-1]
    return ".".join(line.split())


def soname_of(version):
    """Below 1.0 a minor version may break programs."""
    major, minor, _ = version.split(".")
    return f"0.{minor}" if major == "0" else major


def differences(before, now):
    values = dict(line.split(": ", 1) for line in now)
    for line in before:
        key, was = line.split(": ", 1)
        if key not in values:
            yield f"{key} is gone (was {was})"
        elif values[key] != was:
            yield f"{key} is {values[key]}, was {was}"


def main(arguments):
    include = next((a for a in arguments if a != "--record"), ROOT / "include")
    now, version = interface(include), version_of(include)
    if "--record" in arguments:
        title = f"# The C interface of pixview {version}, written by tools/check_abi.py --record"
        RECORD.write_text("\n".join([title, *now]) + "\n")
        return 0
    title, *before = RECORD.read_text().splitlines()
    released = title.split(",")[0].split()[-1]
    broken = list(differences(before, now))
    if not broken or soname_of(version) != soname_of(released):
        return 0
    print(
        f"The C interface is not that of {released} any more:", *broken, sep="\n  ", file=sys.stderr
    )
    print(ADVICE.format(version=released), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
