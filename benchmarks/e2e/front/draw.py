#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws Dice against SDlogJ of the rows of run.py, one panel a pair; rows of a preset alone bear its name, and where there
are several, the last is filled.
Usage: draw.py PICTURE.png ROWS.jsonl... [--pairs a1a2,a2a1]  (needs matplotlib)"""
import argparse
import json

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

# SDlogJ and Dice of other programs on a1 <- a2, from ../shared/anchors/README.md, not measured here.
PEERS = {"a1a2": {"ANTs SyNQuick": (0.31, 0.675), "ANTs SyN": (0.42, 0.700), "Greedy": (0.47, 0.705)}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture")
    parser.add_argument("rows", nargs="+")
    parser.add_argument("--pairs")
    options = parser.parse_args()
    rows = [row for name in options.rows for row in map(json.loads, open(name, encoding="utf-8"))]
    rows = [row for row in rows if row.get("dice") and row.get("sdlogj")]
    pairs = options.pairs.split(",") if options.pairs else sorted({row["pair"] for row in rows})
    figure, axes = plt.subplots(1, len(pairs), figsize=(5 * len(pairs), 4), squeeze=False)
    for axis, pair in zip(axes[0], pairs):
        here = [row for row in rows if row["pair"] == pair and row["sdlogj"] < 0.6]
        tried = [row for row in here if len(row["settings"]) > 1]
        for damped, color in ((False, "0.75"), (True, "tab:blue")):
            some = [r for r in tried if bool(r["settings"].get("deformable/0/damping")) == damped]
            axis.plot([r["sdlogj"] for r in some], [r["dice"] for r in some], ".", color=color, markersize=4,
                      label="with damping" if damped else "without damping")
        presets = {}
        for row in here:
            if len(row["settings"]) == 1:
                presets.setdefault(row["settings"]["preset"], []).append((row["sdlogj"], row["dice"]))
        for name, points in presets.items():
            for point in points:
                axis.plot(*point, "o", color="tab:red", fillstyle="full" if point == points[-1] else "none")
            axis.annotate(name, points[-1], textcoords="offset points", xytext=(6, -10), fontsize=8)
        for name, (smooth, dice) in PEERS.get(pair, {}).items():
            axis.plot(smooth, dice, "^", color="black")
            axis.annotate(name, (smooth, dice), textcoords="offset points", xytext=(6, -3), fontsize=8)
        axis.legend(fontsize=8, loc="lower right")
        axis.set(title=pair, xlabel="SDlogJ (smoother to the left)", ylabel="mean Dice")
    figure.tight_layout()
    figure.savefig(options.picture, dpi=110)


if __name__ == "__main__":
    main()
