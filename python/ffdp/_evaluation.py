# SPDX-License-Identifier: Apache-2.0
"""ffdp.evaluate."""
import os

import numpy as np

from . import _ffdp
from ._images import as_float, as_host, as_image, as_mask
from ._transforms import Transform, as_transform, displacement_of


def _points(value):
    """(points, labels), LPS mm, from an array (n, 3) in RAS or a file of points (LPS)."""
    if isinstance(value, (str, os.PathLike)):
        return _ffdp.read_points(os.fspath(value))
    return (np.asarray(value, dtype=float) * [-1, -1, 1]).tolist(), []


def _matched(fixed, moving):
    """Matches points by their labels if each point of both sets has its own; else by their order."""
    names = [labels if all(labels) and len(set(labels)) == len(labels) else [] for _, labels in (fixed, moving)]
    if not all(names):
        return fixed[0], moving[0]
    rows = [dict(zip(labels, points)) for labels, (points, _) in zip(names, (fixed, moving))]
    common = sorted(set(rows[0]) & set(rows[1]))
    if not common:
        raise ValueError("evaluate: the points have no label in common")
    return [rows[0][name] for name in common], [rows[1][name] for name in common]


def _pair(name, a, b):
    if (a is None) != (b is None):
        raise ValueError(f"evaluate: of {name} one is given without the other")
    return a is not None


def _same(a, b, name):
    if not a.grid.same_space(b.grid):
        raise ValueError(f"evaluate: {name} lie on different grids, resample one first")


def evaluate(*, fixed=None, warped=None, fixed_labels=None, warped_labels=None, warp=None, true_warp=None,
             transform=None, fixed_points=None, moving_points=None, mask=None):
    """Computes scores of a registration, as `ffdp evaluate` does; docs/evaluation.md defines them.

    fixed, warped: similarity. fixed_labels, warped_labels: Dice and distances. warp: folds, SDlogJ. true_warp with
    transform: errors against a known warp. fixed_points, moving_points with transform: TRE. mask: where images
    and warps count; without it, where fixed_labels is not 0; without both, everywhere. Returns a dict like the JSON of
    the program.

    >>> import ffdp
    >>> brain, labels = ffdp.phantom((20, 24, 20), spacing=8)
    >>> ffdp.evaluate(fixed_labels=labels, warped_labels=labels)["labels"]["mean_dice"]
    1.0
    """
    report = {}
    labels = as_image(fixed_labels, "fixed labels")[0] if fixed_labels is not None else None
    region = None
    if mask is not None or labels is not None:
        owner = labels if labels is not None else as_image(fixed if fixed is not None else mask)[0]
        region = as_mask(mask if mask is not None else labels, owner, "mask")[0]
    if _pair("fixed_labels and warped_labels", fixed_labels, warped_labels):
        other = as_image(warped_labels, "warped labels")[0]
        _same(labels, other, "fixed_labels and warped_labels")
        report["labels"] = _ffdp.compare_labels(labels.grid, *(as_host(i).astype(np.int32) for i in (labels, other)))
    if warp is not None:
        array, grid = displacement_of(warp, "evaluate: warp")
        report["warp"] = _ffdp.jacobian_statistics(grid, array, None, "everywhere")
        if region is not None:
            report["warp"].update(_ffdp.jacobian_statistics(grid, array, region, "inside"))
    if _pair("fixed and warped", fixed, warped):
        a, b = as_image(fixed, "fixed")[0], as_image(warped, "warped")[0]
        _same(a, b, "fixed and warped")
        report["images"] = _ffdp.compare_images(a.grid, *(np.asarray(as_float(i)) for i in (a, b)), region)
    chain = as_transform(transform) if transform is not None else Transform()
    if true_warp is not None:
        truth, grid = displacement_of(true_warp, "evaluate: true_warp")
        found = chain._chain.composed(grid).steps()[0][0]
        report["true_warp"] = _ffdp.compare_warps(grid, found, truth, region)
    if _pair("fixed_points and moving_points", fixed_points, moving_points):
        start, wanted = _matched(_points(fixed_points), _points(moving_points))
        report["points"] = {"before": _ffdp.compare_points(start, wanted),
                            "after": _ffdp.compare_points(chain._chain.map(start), wanted)}
    if not report:
        raise ValueError("evaluate: nothing to evaluate is given, wanted images, labels, a warp or points")
    return report
