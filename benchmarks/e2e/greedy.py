#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Greedy (PyPI picsl_greedy) on a pair, as in shared/anchors: moments, affine NMI, NCC 2x2x2.

Usage: greedy.py FIXED MOVING FIXED_MASK PREFIX [THREADS]
Writes PREFIXaffine.mat (RAS text), PREFIXwarp.nii.gz and PREFIXinverse.nii.gz.
"""
import sys

from picsl_greedy import Greedy3D

fixed, moving, mask, prefix = sys.argv[1:5]
threads = sys.argv[5] if len(sys.argv) > 5 else "2"
greedy = Greedy3D()
common = f"-threads {threads} -i {fixed} {moving}"
greedy.execute(f"-moments 1 {common} -o {prefix}moments.mat")
greedy.execute(f"-a -m NMI {common} -ia {prefix}moments.mat -n 100x50x10 -o {prefix}affine.mat")
greedy.execute(
    f"-m NCC 2x2x2 {common} -it {prefix}affine.mat -n 100x50x10 -gm {mask} "
    f"-o {prefix}warp.nii.gz -oinv {prefix}inverse.nii.gz"
)
