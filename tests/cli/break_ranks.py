#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills or stops a random rank of `mpirun ffdp register` at a random moment, again and again: every run must end within
30 s with an error that names a rank, leave no file, and go on from its checkpoint to the bytes of an undisturbed run, on
1, 2 or 4 ranks. A run that is broken before its first checkpoint is followed by another one.
Usage: break_ranks.py FFDP [--kills 20] [--stops 5] [--seed 1]. Exit code 1 where one does not."""
import argparse
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

FILES = ["0GenericAffine.mat", "1Warp.nii.gz", "1InverseWarp.nii.gz", "Warped.nii.gz", "InverseWarped.nii.gz"]
MPIRUN = ["mpirun", "--oversubscribe", "-n"]


def ranks_of(marker):
    """Process numbers of the ranks whose command line holds `marker`."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if words and words[0].endswith(b"ffdp") and any(marker.encode() in word for word in words):
            found.append(int(entry.name))
    return sorted(found)


def contents(folder, prefix):
    return [(folder / (prefix + name)).read_bytes() for name in FILES]


def broken(ffdp, folder, images, number, moment):
    """Sends `number` to a rank of three after `moment` seconds. Returns (seconds until the end, code, text)."""
    shutil.rmtree(folder / "kept", ignore_errors=True)
    command = [*MPIRUN, "3", ffdp, "register", *images, "--preset", "fast", "-q", "--threads", "1", "-o",
               str(folder / "b_"), "--checkpoint", str(folder / "kept"), "--every", "0.3s"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(moment)
    ranks = ranks_of(str(folder / "b_"))
    if run.poll() is not None or not ranks:
        run.communicate()
        return None
    victim = random.choice(ranks)
    os.kill(victim, number)
    begin = time.monotonic()
    try:
        text, _ = run.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        run.kill()
        text, _ = run.communicate()
    if number == signal.SIGSTOP and victim in ranks_of(str(folder / "b_")):
        os.kill(victim, signal.SIGKILL)
    return time.monotonic() - begin, run.returncode, text


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ffdp")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--stops", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    random.seed(asked.seed)
    os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="break_ranks_"))
    subprocess.run([asked.ffdp, "phantom", "-q", "--pair", "--size", "72x80x76", "--spacing", "2", "-o",
                    str(folder / "p")], check=True)
    images = [str(folder / "p_fixed.nii.gz"), str(folder / "p_moving.nii.gz")]
    begin = time.monotonic()
    subprocess.run([*MPIRUN, "3", asked.ffdp, "register", *images, "--preset", "fast", "-q", "--threads", "1", "-o",
                    str(folder / "whole_")], check=True)
    whole = time.monotonic() - begin
    wanted = contents(folder, "whole_")
    wrong = resumed = early = late = 0
    longest = {signal.SIGKILL: 0.0, signal.SIGSTOP: 0.0}
    left_to_do = [signal.SIGSTOP] * asked.stops + [signal.SIGKILL] * asked.kills
    while left_to_do:
        number = left_to_do[-1]
        outcome = broken(asked.ffdp, folder, images, number, random.uniform(0.3, whole))
        if outcome is None:
            continue
        seconds, code, text = outcome
        longest[number] = max(longest[number], seconds)
        left = [f.name for f in folder.iterdir() if f.name.startswith("b_")]
        # Broken as it ended, with all files written.
        if len(left) == len(FILES) + 1 and contents(folder, "b_") == wanted:
            late += 1
            for name in left:
                (folder / name).unlink()
            continue
        if seconds > 30 or code == 0 or "rank" not in text or left:
            wrong += 1
            print(f"{number.name}: {seconds:.1f} s, exit code {code}, left {left}: {text}")
        if not (folder / "kept" / "checkpoint.json").exists():
            early += 1
            continue
        ranks = random.choice([1, 2, 4])
        subprocess.run([asked.ffdp, "register", "--resume", str(folder / "kept"), "--ranks", str(ranks)], check=True)
        resumed += 1
        left_to_do.pop()
        if contents(folder, "b_") != wanted:
            wrong += 1
            print(f"{number.name}: resumed on {ranks} ranks to other bytes")
        for f in FILES + [".json"]:
            (folder / ("b_" + f)).unlink()
    shutil.rmtree(folder)
    print(f"{asked.kills} kills, the longest end {longest[signal.SIGKILL]:.1f} s; {asked.stops} stops, "
          f"{longest[signal.SIGSTOP]:.1f} s; {resumed} resumed, {early} more broken before the first "
          f"checkpoint, {late} when all was written; {wrong} wrong")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
