# SPDX-License-Identifier: Apache-2.0
"""What the tests share: a small phantom pair, and the program that comes with the package."""
import pathlib
import subprocess

import pytest

import ffdp


@pytest.fixture(scope="session")
def pair():
    """24 x 28 x 22 voxels [z, y, x] of 6 mm."""
    return ffdp.phantom((24, 28, 22), spacing=6, pair=True)


@pytest.fixture(scope="session")
def found(pair):
    return ffdp.register(pair.fixed, pair.moving, preset="fast", quiet=True)


@pytest.fixture(scope="session")
def program():
    def run(*words):
        file = pathlib.Path(ffdp.__file__).parent / "bin" / "ffdp"
        done = subprocess.run([file, *map(str, words)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout
    return run
