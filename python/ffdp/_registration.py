# SPDX-License-Identifier: Apache-2.0
"""ffdp.register, and what it returns."""
import json
import os

import numpy as np

from . import _ffdp
from ._images import Image, as_float, as_image, as_mask, like, to_ras
from ._transforms import Transform, apply, as_transform


class Registration:
    """The result of a registration: phi(p) = affine(p + d(p)) maps fixed to moving points."""

    def __init__(self, found, fixed, moving, kind):
        self._found, self._fixed, self._moving, self._kind = found, fixed, moving, kind
        self._record = json.loads(found.record())

    @property
    def affine(self):
        """4x4, fixed to moving points, RAS mm."""
        return to_ras(self._found.affine)

    @property
    def displacement(self):
        """u [3, z, y, x] in voxels of the fixed image, components z, y, x, as ffdp.torch.grid_sample takes it.
        None after a linear registration. On a GPU it stays there, as an object that torch.from_dlpack and
        cupy.from_dlpack take."""
        return self._found.displacement(False)

    @property
    def warp(self):
        """The displacement d alone, as a Transform; the identity after a linear registration."""
        return self._warp(False)

    def _warp(self, inverse):
        field = self._found.warp(inverse)
        return Transform() if field is None else Transform(_ffdp.displacement_transform(field, self._found.grid))

    @property
    def transform(self):
        """phi, fixed to moving points."""
        return Transform.from_affine(self.affine) @ self.warp

    @property
    def inverse(self):
        """phi^-1, moving to fixed points."""
        return self._warp(True) @ Transform.from_affine(np.linalg.inv(self.affine))

    @property
    def warped(self):
        """The moving image on the fixed grid, 0 outside; of the type of the fixed image."""
        data = self._found.warped(as_float(self._moving), self._moving.grid)
        return self._kind.wrap(like(_array(data), self._fixed))

    @property
    def costs(self):
        """The cost at every iteration, one list per level."""
        return [level["cost"] for level in self._record["levels"]]

    @property
    def plan(self):
        """The planned memory of every stage [MiB]."""
        return self._record["plan"]

    @property
    def record(self):
        """Configuration, times, costs, folds and residual of the inverse, as in the program's .json."""
        return self._record

    def apply(self, value, interpolation="linear", fill=0.0):
        """Resamples an image (interpolation="label": labels) of the moving space to the fixed grid, or maps points
        (n, 3) [mm, RAS] of the fixed image to the moving one."""
        if isinstance(value, np.ndarray) and value.ndim == 2 and value.shape[1] == 3:
            return self.transform.map(value)
        image, kind = as_image(value)
        if isinstance(value, np.ndarray) and image.shape == self._moving.shape:
            image = Image(image.data, grid=self._moving.grid)
        return kind.wrap(apply(image, self.transform, self._fixed, interpolation, fill))

    def save(self, prefix, compression=1):
        """Writes the files of `ffdp register -o PREFIX`; returns their names."""
        prefix = os.fspath(prefix)
        written = self._found.save(prefix, as_float(self._fixed), as_float(self._moving), self._moving.grid,
                                   compression)
        with open(prefix + ".json", "w", encoding="utf-8") as file:
            json.dump(self._record, file, indent=1)
        return [prefix + name for name in [*written, ".json"]]

    def plot(self):
        """A matplotlib figure: fixed, moving before registration, and warped image in three planes, and the costs."""
        from ._plot import plot
        return plot(self)

    def __repr__(self):
        parts = [f"{stage['name']} {stage['seconds']:.1f} s" for stage in self._record["stages"]]
        return f"Registration({', '.join(parts)})"


def _array(data):
    """A NumPy array or, on a GPU, a torch or CuPy tensor."""
    if isinstance(data, np.ndarray):
        return data
    try:
        import torch
        return torch.from_dlpack(data)
    except ImportError:
        import cupy
        return cupy.from_dlpack(data)


def _words(options):
    """Keyword arguments as options of the program: iterations=(50, 20) is --iterations 50x20."""
    words = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            words.append(flag)
        elif name in ("metric", "set") and not isinstance(value, str):
            for one in value:
                words += [flag, str(one)]
        elif isinstance(value, (list, tuple)):
            words += [flag, ("x" if name in ("iterations", "shrink") else ",").join(str(v) for v in value)]
        else:
            words += [flag, str(value)]
    return words


def _progress(callback, quiet):
    """The callback of the caller; without one, a bar if tqdm is installed."""
    if callback is not None or quiet:
        return callback, lambda: None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None, lambda: None
    bars = {}

    def show(stage, level, levels, iteration, iterations, cost):
        key = (stage, level)
        if key not in bars:
            for bar in bars.values():
                bar.close()
            bars[key] = tqdm(total=iterations, desc=f"{stage} {level + 1}/{levels}", leave=False)
        bars[key].n = iteration
        bars[key].set_postfix_str(f"cost {cost:.5f}", refresh=False)
        bars[key].update(0)

    return show, lambda: [bar.close() for bar in bars.values()]


def _images(value, name):
    """One image or a list of channels: [(Image, Kind)]."""
    return [as_image(one, name) for one in (value if isinstance(value, list) else [value])]


def register(fixed, moving, *, preset="default", metric=None, fixed_mask=None, moving_mask=None, start=None,
             callback=None, quiet=False, **options):
    """Registers `moving` to `fixed`: initialisation, linear stages, diffeomorphic warp.

    fixed, moving: images, or lists of as many channels each. preset: fast, default, accurate, affine or rigid.
    metric: "lncc", "mi", "mse", "gc", with options as in "lncc,radius=3", or a list of them. start: a Transform or
    file with the affine to start from. callback(stage, level, levels, iteration, iterations, cost) is called after each
    iteration; an exception in it, or Ctrl-C, ends the run. Without a callback, tqdm shows a bar if it is installed,
    unless quiet. Every other option of `ffdp register` can be given by its name: iterations=(100, 50, 20),
    linear="affine", device="cuda:0", symmetric=True, set=["deformable/0/step=0.4"] and so on.

    >>> import ffdp
    >>> pair = ffdp.phantom((20, 24, 20), spacing=8, pair=True)
    >>> found = ffdp.register(pair.fixed, pair.moving, preset="affine", quiet=True)
    >>> found.affine.shape
    (4, 4)
    """
    fixed_images, moving_images = _images(fixed, "fixed"), _images(moving, "moving")
    words = _words({"preset": preset, "metric": metric, **options})
    if start is not None:
        start = as_transform(start)
        if start.affine is None:
            raise ValueError("start: an affine is wanted to start from")
        start = to_ras(start.affine).tolist()
    first_fixed, kind = fixed_images[0]
    first_moving = moving_images[0][0]
    masks = [None if mask is None else as_mask(mask, image, name) for mask, image, name in
             ((fixed_mask, first_fixed, "fixed mask"), (moving_mask, first_moving, "moving mask"))]
    show, close = _progress(callback, quiet)
    try:
        found = _ffdp.register_images(words, *([(as_float(i), i.grid, k.name) for i, k in images]
                                               for images in (fixed_images, moving_images)), *masks, start, show)
    finally:
        close()
    return Registration(found, first_fixed, first_moving, kind)
