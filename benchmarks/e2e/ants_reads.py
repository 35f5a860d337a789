#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ANTs (antspyx) applies our transforms; its images are compared with ours.

Usage: ants_reads.py FIXED MOVING PREFIX
"""
import sys

import ants
import numpy as np

fixed, moving = ants.image_read(sys.argv[1]), ants.image_read(sys.argv[2])
prefix = sys.argv[3]


def compare(name, theirs, ours):
    difference = np.abs(theirs.numpy() - ours.numpy()).max() / np.ptp(ours.numpy())
    print(f"{name}: largest difference {difference:.2e} of the range")


affine, warp, inverse = (prefix + n for n in ("0GenericAffine.mat", "1Warp.nii.gz", "1InverseWarp.nii.gz"))
compare("Warped", ants.apply_transforms(fixed, moving, [warp, affine]), ants.image_read(prefix + "Warped.nii.gz"))
compare(
    "InverseWarped",
    ants.apply_transforms(moving, fixed, [affine, inverse], whichtoinvert=[True, False]),
    ants.image_read(prefix + "InverseWarped.nii.gz"),
)
