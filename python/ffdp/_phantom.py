# SPDX-License-Identifier: Apache-2.0
"""ffdp.phantom: a procedural brain, or a pair of them with a known warp."""
from typing import NamedTuple

import numpy as np

from . import _ffdp
from ._images import Image
from ._transforms import Transform


class PhantomPair(NamedTuple):
    """The images, labels and true warp of `ffdp phantom --pair`."""
    fixed: Image
    moving: Image
    fixed_labels: Image
    moving_labels: Image
    true_warp: Transform  # fixed to moving points


def _pose(rotate, translate, zoom):
    """Rotation about x, then y, then z [degrees], zoom and shift [mm]; LPS."""
    linear = np.eye(3)
    for axis, degrees in enumerate(rotate):
        a, b, angle = (axis + 1) % 3, (axis + 2) % 3, np.deg2rad(degrees)
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        linear = turn @ linear
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = zoom * linear, translate
    return pose.tolist()


def phantom(shape=(160, 192, 160), spacing=1.0, *, contrast="t1", moving_contrast=None, seed=1, noise=0.02, bias=0.2,
            pair=False, warp_mm=6.0, rotate=(0, 0, 0), translate=(0, 0, 0), zoom=1.0, threads=0):
    """Makes the images of `ffdp phantom`: (image, labels) or, with `pair`, a PhantomPair.

    shape: voxels [z, y, x]; spacing: one number or (x, y, z) [mm], the brain always fills the image; contrast:
    t1, t2 or flash; seed: of subject, scan and warp; warp_mm: strength of the warp between the pair; rotate,
    translate, zoom: the pose of the (moving) head, LPS.

    >>> import ffdp
    >>> image, labels = ffdp.phantom((16, 20, 16), spacing=10)
    >>> image.shape, str(labels.data.dtype)
    ((16, 20, 16), 'uint8')
    """
    spacing = [float(s) for s in np.broadcast_to(spacing, 3)]
    origin = [-0.5 * (n - 1) * s for n, s in zip(shape[::-1], spacing)]
    grid = _ffdp.Grid(tuple(shape), spacing, origin, np.eye(3).tolist())

    def brain(scan, kind):
        p = _ffdp.Phantom()
        p.set_contrast(kind)
        p.subject = p.warp = seed
        p.scan, p.noise, p.bias = scan, noise, bias
        return p.fitted_to(grid)

    fixed, moving = brain(2 * seed, contrast), brain(2 * seed + 1, moving_contrast or contrast)
    moving.set_pose(_pose(rotate, translate, zoom))
    if not pair:
        fixed.set_pose(_pose(rotate, translate, zoom))
        return tuple(Image(data, grid=grid) for data in _ffdp.make_phantom(fixed, grid, threads))
    fixed.warp_mm = warp_mm
    image, labels = _ffdp.make_phantom(fixed, grid, threads)
    other, other_labels = _ffdp.make_phantom(moving, grid, threads)
    truth = _ffdp.make_true_warp(fixed, moving, grid, threads)
    return PhantomPair(*(Image(data, grid=grid) for data in (image, other, labels, other_labels)),
                       Transform(_ffdp.displacement_transform(truth, grid)))
