# SPDX-License-Identifier: Apache-2.0
"""What the checks of the source tree share: their command line and their self-test."""
import pathlib
import sys
import tempfile


def self_test(check, good, bad):
    """How many cases fail. A case is the (path, text) of a file; `check` must find one fault in each of `bad`, none in `good`."""
    failed = 0
    for cases, wanted in ((good, 0), (bad, 1)):
        for path, text in cases:
            with tempfile.TemporaryDirectory() as folder:
                file = pathlib.Path(folder, path)
                file.parent.mkdir(parents=True)
                file.write_text(text, encoding="utf-8")
                found = check(pathlib.Path(folder))[1]
            if len(found) != wanted:
                failed += 1
                print(f"self-test: {path}: {found}, wanted {wanted} finding of\n{text[:60]}")
    print("self-test:", "failed" if failed else "ok")
    return failed


def main(name, check, good, bad):
    """Runs check(root), which returns (number of files, messages), on the tree that the command line names. The exit code."""
    if sys.argv[1:] == ["--self-test"]:
        return 1 if self_test(check, good, bad) else 0
    count, messages = check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(messages) if messages else f"{name}: ok, {count} files")
    return 1 if messages or count == 0 else 0
