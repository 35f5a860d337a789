#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Capture range of the affine registration of the main pair (a1 <- a2).

The moving image is put at 50 random poses (up to 30 degrees, 40 mm, 20 % scale, through its header),
registered with --preset affine, and the map to the unmoved image is compared with that of the
others at the corners of the fixed image. Usage: capture_range.py FFDP OUTPUT_FOLDER [STARTS]
"""
import itertools
import pathlib
import subprocess
import sys

import nibabel
import numpy as np
from scipy.io import loadmat
from scipy.spatial.transform import Rotation

ffdp, out = sys.argv[1], pathlib.Path(sys.argv[2])
starts = int(sys.argv[3]) if len(sys.argv) > 3 else 50
data = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
fixed = data / "a1_t1_fs46_pair" / "fixed_vxm_t1.nii.gz"
moving = nibabel.load(data / "a2_t1_fs_native" / "t1_norm.nii.gz")
out.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(20)
lps = np.diag([-1.0, -1.0, 1.0, 1.0])
image = nibabel.load(fixed)
corners = np.array(list(itertools.product(*[(-0.5, n - 0.5) for n in image.shape])))
corners = np.c_[corners, np.ones(8)] @ (lps @ image.affine).T
centre = moving.affine @ np.append((np.array(moving.shape) - 1) / 2, 1)

maps = []
for k in range(starts):
    axis = rng.normal(size=3)
    angle = np.deg2rad(rng.uniform(-30, 30))
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix()
    pose[:3, :3] *= rng.uniform(0.8, 1.2)
    shift = rng.normal(size=3)
    shift *= rng.uniform(0, 40) / np.linalg.norm(shift)
    pose[:3, 3] = centre[:3] - pose[:3, :3] @ centre[:3] + shift
    moved = nibabel.Nifti1Image(np.asarray(moving.dataobj), pose @ moving.affine)
    nibabel.save(moved, out / "moved.nii")
    subprocess.run([ffdp, "register", "-q", "--preset", "affine", fixed, out / "moved.nii", "-o", out / "r_"],
                   check=True)
    mat = loadmat(out / "r_0GenericAffine.mat")
    p, c = mat["AffineTransform_double_3_3"].ravel(), mat["fixed"].ravel()
    affine = np.eye(4)
    affine[:3, :3] = p[:9].reshape(3, 3)
    affine[:3, 3] = p[9:] + c - affine[:3, :3] @ c
    unmoved = lps @ np.linalg.inv(pose) @ lps @ affine  # fixed LPS mm -> unmoved moving LPS mm
    maps.append(corners @ unmoved.T)
maps = np.array(maps)[..., :3]
median = np.median(maps, axis=0)
distance = np.linalg.norm(maps - median, axis=-1).max(axis=1)
print("largest corner distance to the median map [mm]:", np.round(np.sort(distance), 2))
print(f"{(distance <= 2).sum()} of {starts} within 2 mm")
