#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws Dice against SDlogJ of the rows of run.py, one panel a pair; rows of a preset alone bear its name.
Usage: draw.py ROWS.jsonl PICTURE.png [PAIR...]  (needs matplotlib)"""
import json
import sys

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

# SDlogJ and Dice of other programs on a1 <- a2, from ../shared/anchors/README.md, not measured here.
PEERS = {"a1a2": {"ANTs SyNQuick": (0.31, 0.675), "ANTs SyN": (0.42, 0.700), "Greedy": (0.47, 0.705)}}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row.get("dice") and row.get("sdlogj")]
    pairs = sys.argv[3:] or sorted({row["pair"] for row in rows})
    figure, axes = plt.subplots(1, len(pairs), figsize=(5 * len(pairs), 4), squeeze=False)
    for axis, pair in zip(axes[0], pairs):
        here = [row for row in rows if row["pair"] == pair and row["sdlogj"] < 0.6]
        tried = [row for row in here if len(row["settings"]) > 1]
        axis.plot([r["sdlogj"] for r in tried], [r["dice"] for r in tried], ".", color="0.75", label="settings tried")
        for row in here:
            if len(row["settings"]) > 1:
                continue
            axis.plot(row["sdlogj"], row["dice"], "o", color="tab:red")
            axis.annotate(row["settings"]["preset"], (row["sdlogj"], row["dice"]), textcoords="offset points",
                          xytext=(6, -10), fontsize=8)
        for name, (smooth, dice) in PEERS.get(pair, {}).items():
            axis.plot(smooth, dice, "^", color="black")
            axis.annotate(name, (smooth, dice), textcoords="offset points", xytext=(6, -3), fontsize=8)
        axis.set(title=pair, xlabel="SDlogJ (smoother to the left)", ylabel="mean Dice")
    figure.tight_layout()
    figure.savefig(sys.argv[2], dpi=110)


if __name__ == "__main__":
    main()
