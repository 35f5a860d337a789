# SPDX-License-Identifier: Apache-2.0
"""The command `ffdp`: the program that comes with the package."""
import os
import pathlib
import sys


def main():
    """Becomes the program, so that signals and exit codes are its own."""
    program = pathlib.Path(__file__).parent / "bin" / "ffdp"
    os.execv(program, [str(program), *sys.argv[1:]])
