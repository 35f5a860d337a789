# SPDX-License-Identifier: Apache-2.0
"""examples/train_registration.py at a tiny size, on one rank and on two: the same losses, the same Dice."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

pytest.importorskip("torch")
pytest.importorskip("monai")
EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "train_registration.py"


def run(*launcher):
    words = ["--size", "16", "24", "16", "--pairs", "1", "--steps", "3"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *launcher, EXAMPLE, *words], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    losses = [float(x) for x in re.findall(r"loss (-?[0-9.]+)", done.stdout)]
    return losses, re.findall(r"Dice.*", done.stdout)


def test_two_ranks_train_as_one():
    losses, dice = run()
    assert len(losses) == 3 and len(dice) == 2
    assert losses[2] < losses[0]
    cut_losses, cut_dice = run("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    assert cut_losses == pytest.approx(losses, abs=2e-4)
    assert cut_dice == dice
