# SPDX-License-Identifier: Apache-2.0
"""Transforms. They map points of the fixed image to points of the moving one, as resampling needs."""
import os

import numpy as np

from . import _ffdp
from ._images import Image, as_host, as_image, like, to_ras

_FLIP = np.array([-1.0, -1.0, 1.0])  # RAS <-> LPS


class Transform:
    """A chain of affines and displacements. Points are RAS mm.

    >>> shift = Transform.from_affine([[1, 0, 0, 5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    >>> [float(v) for v in (shift.inverse() @ shift).map([[1, 2, 3]])[0]]
    [1.0, 2.0, 3.0]
    """

    def __init__(self, chain=None):
        self._chain = chain if chain is not None else _ffdp.Chain()

    @classmethod
    def from_affine(cls, matrix):
        """A transform from a 4x4 map of RAS points [mm]."""
        chain = _ffdp.Chain()
        chain.append_affine(to_ras(matrix).tolist())
        return cls(chain)

    @classmethod
    def from_displacement(cls, displacement, reference):
        """A transform p -> p + d(p) from d: [3, z, y, x], components x, y, z, RAS mm, on the grid of `reference`."""
        array = np.asarray(displacement, dtype=np.float32) * _FLIP[:, None, None, None].astype(np.float32)
        return cls(_ffdp.displacement_transform(np.ascontiguousarray(array), as_image(reference)[0].grid))

    def map(self, points):
        """Maps points (n, 3) [mm, RAS] through the chain."""
        points = np.asarray(points, dtype=float)
        if points.ndim != 2 or points.shape[1] != 3:
            raise ValueError(f"points: their shape is {points.shape}, (n, 3) is wanted")
        mapped = self._chain.map((points * _FLIP).tolist())
        return np.asarray(mapped, dtype=float).reshape(-1, 3) * _FLIP

    def inverse(self):
        """The inverse chain; displacements are inverted to 0.01 voxel on their own grids."""
        return Transform(self._chain.inverse())

    def __matmul__(self, first):
        """The chain that maps points by `first`, then by this one."""
        chain = _ffdp.Chain()
        chain.append(first._chain)
        chain.append(self._chain)
        return Transform(chain)

    @property
    def affine(self):
        """4x4 map of RAS points [mm] if the chain is one affine; else None."""
        steps = self._chain.steps()
        if not steps:
            return np.eye(4)
        return to_ras(steps[0]) if len(steps) == 1 and not isinstance(steps[0], tuple) else None

    @property
    def displacement(self):
        """(array [3, z, y, x] of components x, y, z, RAS mm; affine 4x4 of its grid) where the chain is one
        displacement; else None."""
        steps = self._chain.steps()
        if len(steps) != 1 or not isinstance(steps[0], tuple):
            return None
        array, grid = steps[0]
        return array * _FLIP[:, None, None, None].astype(np.float32), Image(array[0], grid=grid).affine

    def save(self, path, reference=None, compression=1):
        """Writes .mat, .txt, .tfm (one affine), .h5 (any chain) or .nii[.gz] (a warp, as ANTs') by the ending."""
        grid = _grid_of(self._chain, reference)
        self._chain.save(os.fspath(path), grid, compression)

    def __repr__(self):
        kinds = ["displacement" if isinstance(step, tuple) else "affine" for step in self._chain.steps()]
        return f"Transform({', then '.join(kinds) or 'identity'})"


def _grid_of(chain, reference):
    if reference is not None:
        return as_image(reference)[0].grid
    return next((step[1] for step in chain.steps() if isinstance(step, tuple)), None)


def _argument(value):
    """The -t argument of the program."""
    if isinstance(value, tuple) and len(value) == 2:
        return f"[{os.fspath(value[0])},{int(bool(value[1]))}]"
    return os.fspath(value)


def as_transform(value):
    """Makes a Transform of a Transform, a file, (file, inverted), or a list of them in ANTs' order."""
    if isinstance(value, Transform):
        return value
    if isinstance(value, list):
        chain = _ffdp.Chain()
        for one in value:
            chain.append(as_transform(one)._chain)
        return Transform(chain)
    if hasattr(value, "transform"):
        return value.transform
    return Transform(_ffdp.read_transforms([_argument(value)]))


def read_transform(path, inverse=False):
    """Reads ITK .mat, .txt, .tfm, .h5, a warp NIfTI, Greedy's 4x4 text or a FreeSurfer .lta."""
    return as_transform((path, inverse))


def apply(image, transform, reference=None, interpolation="linear", fill=0.0, threads=0):
    """Resamples an image to the grid of `reference` through `transform`, as `ffdp apply`.

    transform: a Transform, a Registration, a file, (file, True) for its inverse, or a list of them in ANTs'
    order: the warp, then the affine. interpolation: linear, nearest, label (keeps labels exact), bspline or sinc.
    reference: image whose grid the result gets; None: that of `image`. The result has the type of `image`.
    """
    moving, kind = as_image(image)
    fixed = as_image(reference, "reference")[0] if reference is not None else moving
    chain = as_transform(transform)._chain
    data = chain.apply(as_host(moving), moving.grid, fixed.grid, interpolation, float(fill), threads)
    return kind.wrap(like(data, fixed))


def apply_to_points(points, transform):
    """Maps points (n, 3) [mm, RAS] of the fixed image to the moving one, by the transform that resamples the moving
    image."""
    return as_transform(transform).map(points)


def compose(transforms, reference=None):
    """Makes one transform of a chain: an affine, or a warp on the grid of `reference`. The first one is applied to a
    point first."""
    chain = as_transform(list(transforms))
    if chain.affine is not None:
        return chain
    grid = _grid_of(chain._chain, reference)
    return Transform(chain._chain.composed(grid))


def invert(transform):
    """The inverse of anything that `apply` takes as a transform."""
    return as_transform(transform).inverse()


def displacement_of(transform, name):
    """(array, grid) of the displacement of a transform, LPS mm; NaN where the file marks places without one."""
    chain = _ffdp.read_warp(os.fspath(transform)) if isinstance(transform, (str, os.PathLike)) else \
        as_transform(transform)._chain
    found = [step for step in chain.steps() if isinstance(step, tuple)]
    if len(found) != 1:
        raise ValueError(f"{name}: the chain has {len(found)} displacements, one is wanted")
    return found[0]


def jacobian(transform, log=False):
    """Image of the determinant of the Jacobian of a displacement: 1 keeps volumes, 0 or less folds."""
    array, grid = displacement_of(transform, "jacobian")
    determinant = _ffdp.jacobian_determinant(grid, array)
    if log:
        with np.errstate(divide="ignore", invalid="ignore"):
            determinant = np.where(determinant > 0, np.log(determinant), np.float32(np.nan))
    return Image(determinant, grid=grid)
