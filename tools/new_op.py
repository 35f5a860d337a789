#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the folder of a new op and its test. Usage: new_op.py NAME | --self-test"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "tools" / "op_template"


def make(root, name):
    """Writes the files of op `name` below `root`; returns their paths."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        sys.exit(f"new_op: name {name}, must be lower_snake_case")
    written = []
    for template in sorted(TEMPLATES.glob("*.in")):
        file_name = template.name[:-3].replace("OP", name)
        folder = root / ("tests/ops" if file_name.endswith("_test.cpp") else f"ffdp/ops/{name}")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / file_name
        if path.exists():
            sys.exit(f"new_op: {path} exists, nothing is overwritten")
        suite = "".join(word.capitalize() for word in name.split("_"))
        text = re.sub(r"TEST\(OP", f"TEST({suite}", template.read_text(encoding="utf-8"))
        path.write_text(re.sub(r"\bOP\b", name, text), encoding="utf-8")
        written.append(path)
    return written


def self_test():
    """The files of a made-up op compile."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path in make(root, "made_up"):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"\bOP", text), path
            if path.suffix == ".cpp" and shutil.which("c++"):
                subprocess.run(["c++", "-std=c++20", "-fopenmp-simd", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
                                f"-I{root}", f"-I{ROOT}", str(path)], check=True)
    print("self-test: ok")


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
    elif len(sys.argv) == 2:
        for path in make(ROOT, sys.argv[1]):
            print("wrote", path.relative_to(ROOT))
        print(f"now add {sys.argv[1]} to the list of ops in ffdp/CMakeLists.txt, and fill in the README")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
