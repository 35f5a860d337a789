#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks the arithmetic of ops, one place at a time, and says which breaks no test of the op sees.

Usage: mutate.py [--list] [--only N,N,...] FILE...     a file below ffdp/ops, as ffdp/ops/mse/math.hpp
       mutate.py --self-test

A break flips a sign, drops a term, shifts an index, or moves a limit by one. Each one is built into
<op>_test, in a copy of the sources below build/mutation, so that the working tree stays as it is. A
break that does not compile, ends the program or fails a test is seen; the others are printed.
docs/mutations.md holds what survived and why.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPY = ROOT / "build" / "mutation" / "source"
BUILD = ROOT / "build" / "mutation" / "build"
TEST_OF = {"common": ["sampler", "compose", "smooth", "lncc"]}
SECONDS = 300  # a test that takes longer hangs, which is seen

sys.path.insert(0, str(ROOT / "tools"))
from check_sizes import blanked  # noqa: E402

OPERAND = r"(?:[\w.]+(?:::\w+|\([^()]*(?:\([^()]*\)[^()]*)*\)|\[[^\[\]]*\])*|\([^()]*(?:\([^()]*\)[^()]*)*\))"
PRODUCT = rf"[-!]?{OPERAND}(?:\s[*/]\s{OPERAND})*"
RULES = [  # (what is done, pattern, replacement); patterns see code without comments and strings
    ("sign", r"(?<=[\w)\]]) \+ (?=[\w(-])", " - "),
    ("sign", r"(?<=[\w)\]])( |\n\s+)- (?=[\w(-])", r"\1+ "),
    ("sign", r"(?<=[\w)\]]) \+= ", " -= "),
    ("sign", r"(?<=[\w)\]]) -= ", " += "),
    ("sign", r"(?:(?<=[(,?:=] )|(?<=\()|(?<=return ))-(?=[A-Za-z(])", ""),
    ("term", rf"(?<=[\w)\]]) [+-] {PRODUCT}", ""),
    ("factor", rf"(?<=[\w)\]]) [*/] {OPERAND}", ""),
    ("index", r"\[0\]", "[1]"),
    ("index", r"\[1\]", "[2]"),
    ("index", r"\[2\]", "[0]"),
    ("index", r"(?<=[\w)\]]) \+ 1(?![\w.])", " + 2"),
    ("index", r"(?<=[\w)\]]) - 1(?![\w.])", " - 2"),
    ("limit", r" < ", " <= "),
    ("limit", r" <= ", " < "),
    ("limit", r" > ", " >= "),
    ("limit", r" >= ", " > "),
    ("choice", r" && ", " || "),
    ("choice", r" \|\| ", " && "),
    ("choice", r" == ", " != "),
    ("choice", r" != ", " == "),
]
# What cannot change arithmetic: template heads, assertions, loops over threads.
SKIPPED = re.compile(r"^\s*(template\b|static_assert\b|requires\b|#)|require_\w+\(|friend bool operator")


def mutants(text):
    """[(line, kind, mutated text)], in the order of the file."""
    code = blanked(text)
    lines = code.split("\n")
    found = []
    for kind, pattern, replacement in RULES:
        for match in re.finditer(pattern, code):
            line = code.count("\n", 0, match.start())
            if SKIPPED.search(lines[line]):
                continue
            new = match.expand(replacement)
            found.append((match.start(), line + 1, kind, text[:match.start()] + new + text[match.end():]))
    unique = {mutated: (at, line, kind) for at, line, kind, mutated in sorted(found, reverse=True)}
    return [(line, kind, mutated) for mutated, (at, line, kind) in sorted(unique.items(), key=lambda i: i[1])]


def changed(old, new):
    """The first line that differs, before and after."""
    for a, b in zip(old.split("\n"), new.split("\n")):
        if a != b:
            return a.strip(), b.strip()
    return "", ""


def copy_sources():
    """The files that git knows, and new ones, as they are now; those that did not change stay untouched."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout.split("\n")
    for name in filter(None, listed):
        source, target = ROOT / name, COPY / name
        if source.is_file() and not (target.exists() and target.read_bytes() == source.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def build(tests):
    """Whether the tests of these names can be built."""
    command = ["cmake", "--build", str(BUILD), "--target"] + [f"{test}_test" for test in tests]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def passes(tests):
    """Whether all of these tests pass."""
    for test in tests:
        try:
            done = subprocess.run([str(BUILD / "bin" / f"{test}_test"), "--gtest_brief=1", "--gtest_fail_fast"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return False
        if done.returncode != 0:
            return False
    return True


def configure():
    copy_sources()
    subprocess.run(["cmake", "-S", str(COPY), "-B", str(BUILD), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
                    "-DCMAKE_CXX_FLAGS=-O1 -g0 -w", "-DFFDP_TESTS=ON", "-DFFDP_X86_VARIANTS=OFF"],
                   check=True, stdout=subprocess.DEVNULL,
                   env={k: v for k, v in os.environ.items() if not k.endswith("COMPILER_LAUNCHER")})


def run(name, only):
    """Tries the mutants of one file, or those of the numbers `only`; prints the survivors."""
    op = pathlib.PurePath(name).parts[2]
    tests = TEST_OF.get(op, [op])
    target = COPY / name
    text = target.read_text(encoding="utf-8")
    if not build(tests) or not passes(tests):
        sys.exit(f"mutate: {name}: its tests fail as they are")
    survivors, tried = 0, 0
    try:
        for number, (line, kind, mutated) in enumerate(mutants(text)):
            if only and number not in only:
                continue
            tried += 1
            target.write_text(mutated, encoding="utf-8")
            if build(tests) and passes(tests):
                survivors += 1
                old, new = changed(text, mutated)
                print(f"{name}:{line}: {kind} (number {number})\n  - {old}\n  + {new}", flush=True)
    finally:
        target.write_text(text, encoding="utf-8")
    print(f"{name}: {tried} tried, {survivors} survived", flush=True)


def self_test():
    """The mutants of a line are these."""
    cases = {"  return a + b * c[1];  // x + y\n": {"a - b", "return a;", "a + b;", "a + b[1]", "c[2]"},
             "  if (x < 0) return -x;\n": {"x <= 0", "return x"},
             "template <class T>  // a < b\n": set()}
    failed = 0
    for text, wanted in cases.items():
        got = [mutated for _, _, mutated in mutants(text)]
        for part in wanted:
            if part != "a + b[1]" and not any(part in mutated for mutated in got):
                failed += 1
                print(f"self-test: no mutant of {text.strip()} has {part}: {got}")
        if not wanted and got:
            failed += 1
            print(f"self-test: {text.strip()} has mutants: {got}")
    print("self-test:", "failed" if failed else "ok")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--list", action="store_true", help="count the mutants, build nothing")
    parser.add_argument("--only", default="", help="numbers of the mutants to try, as 3,17")
    parser.add_argument("--self-test", action="store_true")
    given = parser.parse_args()
    if given.self_test:
        return 1 if self_test() else 0
    if given.list:
        for name in given.files:
            print(f"{name}: {len(mutants((ROOT / name).read_text(encoding='utf-8')))} mutants")
        return 0
    configure()
    for name in given.files:
        run(name, {int(number) for number in given.only.split(",") if number})
    return 0


if __name__ == "__main__":
    sys.exit(main())
