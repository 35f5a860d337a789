#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws what each rank does in an iteration, from `ffdp bench iteration --timeline FILE.json`.

Usage: timeline.py FILE.json PICTURE.png [CASE]   (needs matplotlib; CASE as iteration_lncc_r2, the first one if left out)
A rank has two rows: its work, with white gaps where it waits for messages, and the messages that are under way."""
import json
import sys

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

FRAME = ("iteration", "wait")  # drawn beneath and above the work


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        events = json.load(file)["traceEvents"]
    cases = list(dict.fromkeys(event["pid"] for event in events))
    case = next(c for c in cases if len(sys.argv) < 4 or c.startswith(sys.argv[3] + " "))
    events = [event for event in events if event["pid"] == case]
    # The second iteration: the first follows a barrier, and its messages have not begun before it.
    last = {event["tid"]: event for event in events if event["name"] == "iteration"}
    begin = min(event["ts"] for event in last.values())
    end = max(event["ts"] + event["dur"] for event in last.values())
    names = list(dict.fromkeys(e["name"] for e in events if e["cat"] == "work" and e["name"] not in FRAME))
    colours = dict(zip(names, plt.get_cmap("tab10").colors))
    ranks = sorted(last)
    figure, axes = plt.subplots(figsize=(11, 1 + 0.9 * len(ranks)))
    for event in events:
        if event["ts"] < begin or event["ts"] > end or event["name"] == "iteration":
            continue
        row, x, width = 2 * event["tid"], (event["ts"] - begin) / 1e3, event["dur"] / 1e3
        if event["cat"] == "message":
            axes.barh(row + 0.8, width, 0.35, x, color="#bbbbbb", edgecolor="#666666", linewidth=0.5)
        elif event["name"] == "wait":
            axes.barh(row, width, 0.9, x, color="white", edgecolor="#cc0000", hatch="///", linewidth=0.5, zorder=3)
        else:
            axes.barh(row, width, 0.9, x, color=colours[event["name"]], zorder=2)
    for name in names:
        axes.barh(0, 0, color=colours[name], label=name)
    axes.barh(0, 0, color="white", edgecolor="#cc0000", hatch="///", label="waits")
    axes.barh(0, 0, color="#bbbbbb", edgecolor="#666666", label="messages under way")
    axes.set_yticks([2 * rank for rank in ranks], [f"rank {rank}" for rank in ranks])
    axes.invert_yaxis()
    axes.set_xlim(0, (end - begin) / 1e3)
    axes.set_xlabel("ms")
    axes.set_title(case)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    figure.tight_layout()
    figure.savefig(sys.argv[2], dpi=110)


if __name__ == "__main__":
    main()
