#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `ffdp plan` says an iteration takes on H200, beside the last measured rows.

Usage: predicted.py FFDP [--check PAGE.md]
Prints the table. With --check it fails where a prediction for 512^3 voxels or more is over 10 % off, or where a line of
the table is not in PAGE.md."""
import csv
import math
import pathlib
import re
import subprocess
import sys

RESULTS = pathlib.Path(__file__).resolve().parent.parent / "results"
LARGE = 512**3  # [voxels]
MOST_OFF = 1.1
# Rows with wide Gaussians of these commits were made before the Gaussian took half of its time.
SUPERSEDED = {"aca4d95", "df7edfb"}
CASE = re.compile(r"iteration_(lncc_r(?P<radius>\d+)|mi_32|mse)(?P<compact>_compact)?(_sigma_(?P<update>[\d.]+)_(?P<warp>[\d.]+))?$")


def measured():
    """Seconds of the last row of each case, size and number of GPUs; rows of the same kind lie together."""
    rows = {}
    for name in ("h200", "h200x2", "h200x4"):
        with open(RESULTS / f"{name}.csv", newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if CASE.match(row["case"]) and not ("sigma" in row["case"] and row["commit"] in SUPERSEDED):
                    rows[row["case"], row["size"], int(row["ranks"])] = float(row["seconds_median"])
    return sorted(rows.items(), key=lambda row: (row[0][2], voxels(row[0][1]), row[0][0]))


def voxels(size):
    return math.prod(int(n) for n in size.split("x"))


def predicted(ffdp, case, size, gpus):
    """Seconds of an iteration, from the line of the deformable stage."""
    parts = CASE.match(case)
    metric = f"lncc,radius={parts['radius']}" if parts["radius"] else "mi" if "mi_32" in case else "mse"
    # The rows were made with these Gaussians, unless they say others, and without damping.
    update, warp = parts["update"] or "0.8", parts["warp"] or "0.7071"
    command = [ffdp, "plan", "--size", size, "--shrink", "1", "--iterations", "1", "--metric", metric,
               "--memory", "compact" if parts["compact"] else "standard",
               "--set", f"deformable/0/sigma_update={update}", "--set", f"deformable/0/sigma_warp={warp}",
               "--set", "deformable/0/damping=0"]
    command += ["--gpus", str(gpus)] if gpus > 1 else ["--device", "cuda", "--available", "141"]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(next(line.split()[4] for line in out.splitlines() if line.startswith("deformable  ")))


def main():
    ffdp, page = sys.argv[1], pathlib.Path(sys.argv[3]).read_text(encoding="utf-8") if "--check" in sys.argv else None
    lines = ["| GPUs | voxels | iteration | predicted, ms | measured, ms | ratio |", "|---|---|---|---|---|---|"]
    wrong, small = [], []
    for (case, size, gpus), seconds in measured():
        said = predicted(ffdp, case, size, gpus)
        if voxels(size) < LARGE:
            small.append(seconds / said)
            continue
        line = f"| {gpus} | {size} | `{case.removeprefix('iteration_')}` | {1e3 * said:.3g} | {1e3 * seconds:.3g} | {said / seconds:.2f} |"
        lines.append(line)
        if not 1 / MOST_OFF < said / seconds < MOST_OFF:
            wrong.append(f"off: {line}")
    lines.append(f"Smaller images take {min(small):.1f} to {max(small):.1f} times as long as predicted: starting the kernels takes as long as running them.")
    if page is None:
        print("\n".join(lines))
        return 0
    wrong += [f"not in the page: {line}" for line in lines if line not in page]
    print("\n".join(wrong) or f"{len(lines) - 3} rows predicted")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
