#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts the eight faults of the list below into a copy of the sources, one at a time, and shows that a test
goes red. Usage: eight_faults.py [BUILD], from the root of a checkout whose files it may change and restore; BUILD is a
configured build folder with tests (build/dev). Exit code 1 where a fault is not found."""
import pathlib
import subprocess
import sys

LEVEL, DEFORMABLE = "ffdp/registration/deformable/level.cpp", "ffdp/registration/deformable/deformable.cpp"
PYRAMID, DISTRIBUTION = "ffdp/registration/images/pyramid.cpp", "ffdp/registration/images/distribution.cpp"
RANKS = ("ranks_test", "*GiveTheBitsOfOne/lncc:*GiveTheBitsOfOne/mi:*GiveTheBitsOfOne/gradient")
# name, test, filter, [(file, text, fault)]
FAULTS = [
    ("the step's norm of each shard", *RANKS, [
        (LEVEL, "  all_sizes_.max(ctx_, comm_, &size_.data()->longest);\n", "")]),
    ("composition without the neighbours' warp", *RANKS, [
        (LEVEL, "  if (iteration_ > 0) fetch_rims();\n",
         "  for (LevelPair& pair : pairs_) pair.reach(ctx_, comm_, around(halo_.warped), u_);\n")]),
    ("a pyramid of each shard", *RANKS, [
        (PYRAMID, "needed = resize::shrink_reach({}, {from, to}, made);", "needed = from;"),
        (PYRAMID, "resize::shrink(ctx, {}, {from, to}, share.made, source.view(), made);",
         "resize::shrink(ctx, {}, {dist::Cut::always(from, comm.size()).own(comm), share.made}, share.made, "
         "source.view(), made);")]),
    ("a warp made finer shard by shard", *RANKS, [
        (DEFORMABLE, "resize::interpolate_reach({from.domain(), to.domain()}, own));", "from.domain());"),
        (DEFORMABLE, "resize::displacement(ctx, {}, {from.domain(), to.domain()}, own,",
         "resize::displacement(ctx, {}, {from.own(comm), own}, own,")]),
    ("LNCC without a halo", *RANKS, [
        (LEVEL, "lncc::forward_backward(ctx_, m.metric.lncc(), domain_, planes,",
         "lncc::forward_backward(ctx_, m.metric.lncc(), own_.contains(planes) ? own_ : planes, planes,")]),
    ("the mean of the shards' means", *RANKS, [
        (LEVEL, "  dist::sum_exact(comm_, cut_, totals);\n",
         "  for (std::size_t k = 0; k < count; ++k) {\n"
         "    totals[2 * k] /= std::max(totals[2 * k + 1], 1.0);\n    totals[2 * k + 1] = 1;\n  }\n"
         "  dist::sum_exact(comm_, cut_, totals);\n")]),
    ("MI's range of each shard", *RANKS, [(DISTRIBUTION, "    dist::sum_counts(comm, cut, counts_);\n", "")]),
    ("coarse levels cut to slivers", "comm_test", "*", [
        ("ffdp/dist/cut.cpp", "(domain.size(0) < std::int64_t{least_planes} * ranks && domain.volume() <= small)", "false")]),
]


def red(build, test, tests):
    """Whether the test fails, by itself or by hanging. Throws where the program does not build."""
    subprocess.run(["cmake", "--build", build, "--target", test], check=True, stdout=subprocess.DEVNULL)
    try:
        return subprocess.run([f"{build}/bin/{test}", f"--gtest_filter={tests}"], timeout=120,
                              capture_output=True).returncode != 0
    except subprocess.TimeoutExpired:
        return True


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build/dev"
    missed = 0
    for name, test, tests, changes in FAULTS:
        before = {path: pathlib.Path(path).read_text(encoding="utf-8") for path, _, _ in changes}
        try:
            for path, text, fault in changes:
                source = pathlib.Path(path).read_text(encoding="utf-8")
                assert source.count(text) == 1, f"{path}: not there once: {text}"
                pathlib.Path(path).write_text(source.replace(text, fault), encoding="utf-8")
            found = red(build, test, tests)
        finally:
            for path, source in before.items():
                pathlib.Path(path).write_text(source, encoding="utf-8")
        print(f"{'found' if found else 'MISSED'}: {name} ({test})", flush=True)
        missed += not found
    for test, tests in (RANKS, ("comm_test", "*")):
        assert not red(build, test, tests), f"{test} is red without a fault"
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()
