#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks how long files and functions are and what public functions take (CONTRIBUTING.md, "Writing").

Usage: check_sizes.py [ROOT] | --self-test
"""
import re
import sys

from tree_check import main

FOLDERS = ("ffdp", "cli", "python", "benchmarks", "examples")
MOST_FILE_LINES = 400
MOST_LINES = {".cpp": 60, ".hpp": 60, ".cu": 120, ".cuh": 120}  # of a function; kernels are longer
MOST_ARGUMENTS = 8  # of a function that a header of ffdp declares
# A name, its arguments, what may follow them, and a body: control statements and lambdas are dropped later.
HEAD = re.compile(r"([~\w:<>]+)\s*\(")
DECLARED = re.compile(r"(?:^|[;{}:])\s*(?:template\s*<[^;{}]*?>\s*)?(?P<type>[\w:]+[\w:<>,&*\s]*[\s&*])(?P<name>\w+)\(")
AFTER_ARGUMENTS = re.compile(r"\s*(?:const|noexcept|override|final|= 0|= default|= delete|-> [^;{]+|\s)*(?::[^;]*?[)}]\s*)?[;{]")
CONTROL = {"if", "for", "while", "switch", "catch", "return", "sizeof", "decltype", "requires", "alignas", "noexcept"}


def blanked(text):
    """The text without comments, strings and preprocessor lines; every character keeps its place."""
    blank = lambda match: re.sub(r"[^\n]", " ", match.group(0))
    text = re.sub(r'R"(\w*)\(.*?\)\1"', blank, text, flags=re.DOTALL)
    text = re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\'', blank, text, flags=re.DOTALL)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.MULTILINE)


def closing(text, at):
    """Position of the bracket that closes the one at `at`, or -1."""
    pairs = {"(": ")", "{": "}"}
    opened, closed, depth = text[at], pairs[text[at]], 0
    for i in range(at, len(text)):
        depth += (text[i] == opened) - (text[i] == closed)
        if depth == 0:
            return i
    return -1


def arguments(inside):
    """The arguments between two round brackets."""
    parts, depth, last = [], 0, 0
    for i, c in enumerate(inside):
        depth += (c in "(<{[") - (c in ")>}]")
        if c == "," and depth == 0:
            parts.append(inside[last:i])
            last = i + 1
    return [part.strip() for part in parts + [inside[last:]] if part.strip()]


def bodies(text):
    """(name, line, lines) of every function that has a body in `text`, which is blanked."""
    at = 0
    while match := HEAD.search(text, at):
        at = match.end()
        name = match.group(1)
        end = closing(text, match.end() - 1)
        if name in CONTROL or end < 0:
            continue
        after = re.match(r"\s*(?:const|noexcept|override|final|mutable|requires\s[^{;]*|->\s*[^{;]+|:\s*[^;]*?\)?)*\s*\{",
                         text[end + 1:])
        if not after:
            continue
        brace = end + after.end()
        last = closing(text, brace)
        if last < 0:
            continue
        yield name, text.count("\n", 0, match.start()) + 1, text.count("\n", match.start(), last) + 1
        at = last


def declarations(text):
    """(name, line, arguments) of the functions of a header, which is blanked. Bodies are passed over."""
    at = 0
    while match := DECLARED.search(text, at):
        at, end = match.end(), closing(text, match.end() - 1)
        after = AFTER_ARGUMENTS.match(text, end + 1)
        if match["type"].split()[0] == "return" or match["name"] in CONTROL or end < 0 or not after:
            continue
        yield match["name"], text.count("\n", 0, match.start("name")) + 1, arguments(text[match.end():end])
        at = after.end() - 1
        if text[at] == "{":
            at = max(closing(text, at), at)


def problems(path, text):
    """Messages about one file."""
    found = []
    lines, most = text.count("\n"), MOST_LINES[path.suffix]
    if lines > MOST_FILE_LINES:
        found.append(f"{path}: {lines} lines, at most {MOST_FILE_LINES} are wanted")
    code = blanked(text)
    for name, line, length in bodies(code):
        if length > most:
            found.append(f"{path}:{line}: {name} has {length} lines, at most {most} are wanted")
    if path.suffix == ".hpp" and path.parts[0] == "ffdp":
        for name, line, given in declarations(code):
            if len(given) > MOST_ARGUMENTS:
                found.append(f"{path}:{line}: {name} takes {len(given)} arguments, at most {MOST_ARGUMENTS} are wanted")
            if name != "require" and any(re.match(r"(const\s+)?bool\b(?!\s*[*&])", argument) for argument in given):
                found.append(f"{path}:{line}: {name} takes a bool, an enum says more")
    return found


def check(root):
    """(number of files, messages) of the tree `root`."""
    files = [file for folder in FOLDERS for file in sorted((root / folder).rglob("*")) if file.suffix in MOST_LINES]
    return len(files), [message for file in files
                        for message in problems(file.relative_to(root), file.read_text(encoding="utf-8"))]


BODY = "  f();\n" * 58
ARGUMENTS = "int a, int b, int c, int d, int e, int f, int g, int h"
GOOD = [("ffdp/core/a.cpp", "void f() {\n" + BODY + "}\n"),
        ("ffdp/core/a.hpp", f"void f({ARGUMENTS});\nbool f(int* a);\nvoid require(bool ok);\n"),
        ("ffdp/ops/a/cuda.cu", "__global__ void k(View<int, 3> v) {\n" + BODY + BODY + "}\n"),
        ("ffdp/core/b.cpp", "// {\nconst char* s = \"{\";\nclass A {\n" + BODY + "\n" + BODY + "};\n")]
BAD = [("ffdp/core/a.cpp", "void f(int a,\n       int b) {\n" + BODY + "}\n"),
       ("ffdp/core/a.cpp", "A::A(int a) : b_(a) {\n" + BODY + "  g();\n  g();\n}\n"),
       ("ffdp/core/a.hpp", f"void f(Context&, {ARGUMENTS});\n"),
       ("ffdp/core/a.hpp", f"struct On {{\n  static void f(View<int, 3> i, {ARGUMENTS});\n}};\n"),
       ("ffdp/core/a.hpp", f"inline int f({ARGUMENTS}, int i) {{ return g(a, b); }}\n"),
       ("ffdp/core/a.hpp", "namespace a {\ntemplate <class T>\nvoid f(View<T, 3> a, bool fast);\n}\n"),
       ("ffdp/core/a.hpp", "class A {\n public:\n  explicit A(bool fast) : fast_(fast) {}\n};\n"),
       ("ffdp/ops/a/cuda.cu", "__global__ void k(int a) {\n" + BODY + BODY + BODY + "}\n"),
       ("cli/a.cpp", "int a;\n" * 401)]

if __name__ == "__main__":
    sys.exit(main("sizes", check, GOOD, BAD))
