# SPDX-License-Identifier: Apache-2.0
"""The command `ffdp`: the program that comes with the package."""
import os
import pathlib
import sys


def main():
    """Replaces this process by the program, so that signals and exit codes are those of the program."""
    program = pathlib.Path(__file__).parent / "bin" / "ffdp"
    os.execv(program, [str(program), *sys.argv[1:]])
