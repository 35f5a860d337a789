#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares two files of benchmarks/results, the last row of each case counts.

Usage: bench_compare.py OLD.csv NEW.csv [--threshold 1.1] | --self-test
Prints new/old of the time of every case in both and fails where a ratio is above the threshold."""
import argparse
import csv
import pathlib
import sys
import tempfile

KEY = ("machine", "backend", "ranks", "case", "size")


def last_rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {tuple(row.get(k, "") for k in KEY): float(row["seconds_median"]) for row in rows}


def compare(old_path, new_path, threshold):
    """Number of cases that became slower than the threshold; -1 without a common case."""
    old, new = last_rows(old_path), last_rows(new_path)
    common = sorted(old.keys() & new.keys())
    slower = 0
    for key in common:
        ratio = new[key] / old[key]
        slower += ratio > threshold
        print(f"{ratio:6.2f}  {old[key]:.6g} s -> {new[key]:.6g} s  {' '.join(key)}{'  SLOWER' * (ratio > threshold)}")
    print(f"{len(common)} cases in both, {slower} slower than {threshold:g} times")
    return slower if common else -1


def self_test():
    head = "date,commit,machine,backend,ranks,case,size,seconds_median\n"
    with tempfile.TemporaryDirectory() as folder:
        old, new = pathlib.Path(folder, "old.csv"), pathlib.Path(folder, "new.csv")
        old.write_text(head + "d,c,m,cpu,1,lncc,64,9.0\nd,c,m,cpu,1,lncc,64,1.0\nd,c,m,cpu,1,mi,64,1.0\n")
        new.write_text(head + "d,c,m,cpu,1,lncc,64,1.05\nd,c,m,cpu,1,mi,64,1.5\n")
        assert compare(old, new, 1.1) == 1
        assert compare(old, new, 2) == 0
        new.write_text(head + "d,c,other,cpu,1,lncc,64,1.05\n")
        assert compare(old, new, 1.1) == -1
    print("self-test: ok")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--threshold", type=float, default=1.1)
    arguments = parser.parse_args()
    return 1 if compare(arguments.old, arguments.new, arguments.threshold) else 0


if __name__ == "__main__":
    sys.exit(main())
