#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks who includes whom (CONTRIBUTING.md, "Layers"). Usage: check_layers.py [ROOT] | --self-test"""
import pathlib
import re
import sys

from tree_check import main

ALLOWED = {  # layer -> layers it may include
    "core": {"core"},
    "ops": {"core", "ops"},
    "dist": {"core", "dist"},
    "io": {"core", "io"},
    "transforms": {"core", "ops", "dist", "transforms"},
    "evaluation": {"core", "ops", "dist", "evaluation"},
    "phantom": {"core", "phantom"},
    "registration": {"core", "ops", "dist", "transforms", "registration"},
}
# Rooms of registration/ -> rooms they may include.
ROOMS = {"images": {"images"}, "metrics": {"images", "metrics"}, "linear": {"images", "metrics", "linear"},
         "deformable": {"images", "metrics", "deformable"}}
OPEN_HALL = {"config.hpp", "progress.hpp"}  # files of registration/ that its rooms may include
FUSED = {"descent": {"smooth", "compose"}}  # an op that fuses others may know them
HOMES = {"mpi.h": ["ffdp/dist/"], "nccl.h": ["ffdp/dist/"], "cuda_runtime.h": ["ffdp/core/", ".cu"],
         "CLI/CLI.hpp": ["cli/", "python/"], "zlib.h": ["ffdp/io/"], "libdeflate.h": ["ffdp/io/"],
         "isa-l/igzip_lib.h": ["ffdp/io/"],
         "hdf5.h": ["ffdp/io/"], "gtest/gtest.h": ["tests/"]}
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.MULTILINE)


def problem(path, included):
    """Why `path` (relative to the root) may not include `included`, or None."""
    parts, target = pathlib.PurePath(path).parts, pathlib.PurePath(included).parts
    if included.endswith((".cpp", ".cu")):
        return "a source file is included"
    if included in HOMES and not any(home in path for home in HOMES[included]):
        return f"belongs to {HOMES[included][0]} only"
    if target[-1] == "reference.hpp" and parts[0] != "tests" and parts[-1] != "reference.hpp":
        return "only tests and other oracles may include an oracle"
    if parts[0] != "ffdp" or len(parts) < 3 or parts[1] not in ALLOWED:
        return None
    if target[0] in ("cli", "python", "tests", "benchmarks"):
        return f"{parts[1]} is below {target[0]}"
    if target[0] != "ffdp":
        return None
    if target[1] not in ALLOWED[parts[1]]:
        return f"{parts[1]} may not know {target[1]}"
    if parts[1] == target[1] == "registration" and parts[2] in ROOMS:
        known = target[2] in OPEN_HALL if len(target) == 3 else target[2] in ROOMS[parts[2]]
        if not known:
            return f"registration/{parts[2]} may not know {'/'.join(target[2:])}"
    if parts[1] == target[1] == "ops" and target[2] not in {"common", parts[2]} | FUSED.get(parts[2], set()):
        return f"op {parts[2]} may not know op {target[2]}"
    return None


def check(root):
    """(number of files, messages) of the tree `root`."""
    messages, count = [], 0
    for folder in ("ffdp", "cli", "python", "tests", "benchmarks"):
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in (".hpp", ".cpp", ".cu", ".cuh"):
                continue
            count += 1
            path = file.relative_to(root).as_posix()
            for included in INCLUDE.findall(file.read_text(encoding="utf-8")):
                reason = problem(path, included)
                if reason:
                    messages.append(f"{path} includes {included}: {reason}")
    return count, messages


def including(cases):
    """Files from (path, what it includes)."""
    return [(path, f"// comment\n#  include <{included}>\n") for path, included in cases]


GOOD = [("ffdp/ops/lncc/cpu.cpp", "ffdp/ops/common/simd.hpp"), ("cli/main.cpp", "ffdp/io/nifti.hpp"),
        ("ffdp/dist/mpi.cpp", "mpi.h"), ("ffdp/registration/linear/a.cpp", "ffdp/registration/images/pair.hpp"),
        ("ffdp/ops/a/reference.hpp", "ffdp/ops/common/reference.hpp"), ("tests/ops/a_test.cpp", "ffdp/ops/lncc/reference.hpp")]
BAD = [("ffdp/ops/lncc/lncc.cpp", "ffdp/registration/register.hpp"), ("ffdp/core/view.hpp", "mpi.h"),
       ("ffdp/ops/lncc/cpu.cpp", "ffdp/ops/smooth/smooth.hpp"), ("ffdp/io/nifti.cpp", "ffdp/ops/lncc/lncc.hpp"),
       ("ffdp/registration/register.cpp", "ffdp/io/nifti.hpp"), ("ffdp/core/grid.cpp", "ffdp/core/affine.cpp"),
       ("ffdp/registration/linear/a.cpp", "ffdp/registration/register.hpp"),
       ("ffdp/registration/images/a.cpp", "ffdp/registration/metrics/metric.hpp"),
       ("ffdp/transforms/apply.cpp", "ffdp/registration/config.hpp"),
       ("ffdp/ops/lncc/cpu.cpp", "ffdp/ops/lncc/reference.hpp"), ("ffdp/core/log.cpp", "cli/commands.hpp")]

if __name__ == "__main__":
    sys.exit(main("layers", check, including(GOOD), including(BAD)))
