# SPDX-License-Identifier: Apache-2.0
"""Images: conversion from and to the images of other packages."""
import os

import numpy as np

from . import _ffdp

_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # RAS <-> LPS


class Image:
    """Voxels and their place in the world.

    data: array [z, y, x] (or [y, x]); affine: 4x4, index (x, y, z) to RAS mm, as in nibabel; None: voxels of
    1 mm at the origin.

    >>> import numpy as np
    >>> image = Image(np.zeros((4, 5, 6), np.float32), np.diag([2.0, 2.0, 3.0, 1.0]))
    >>> image.shape, [float(s) for s in image.spacing]
    ((4, 5, 6), [2.0, 2.0, 3.0])
    """

    def __init__(self, data, affine=None, *, grid=None):
        if data.ndim not in (2, 3):
            raise ValueError(f"image: {data.ndim} axes, 2 or 3 are wanted")
        self.data = data
        self.grid = grid if grid is not None else _grid_of(data.shape, affine)
        if self.array.shape != tuple(self.grid.size):
            raise ValueError(f"image: the array has {tuple(data.shape)} voxels, the grid {tuple(self.grid.size)}")

    @property
    def array(self):
        """The voxels as [z, y, x]; a 2-D image has one plane."""
        return self.data if self.data.ndim == 3 else self.data[None]

    @property
    def shape(self):
        """Voxels along each axis of data."""
        return tuple(self.data.shape)

    @property
    def spacing(self):
        """Voxel size along x, y, z [mm]."""
        return np.asarray(self.grid.spacing)

    @property
    def affine(self):
        """4x4, index (x, y, z) to RAS mm."""
        return affine_of(self.grid)

    def save(self, path, compression=1):
        """Writes NIfTI; the voxels keep their type."""
        array = np.ascontiguousarray(_to_host(self.array))
        if array.dtype == bool:
            array = array.astype(np.uint8)
        _ffdp.write_image(os.fspath(path), array, self.grid, compression)

    @classmethod
    def read(cls, path):
        """Reads NIfTI. The voxels get a type that holds every value of the file."""
        array, grid = _ffdp.read_image(os.fspath(path), False)
        return cls(array, grid=grid)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(_to_host(self.data), dtype=dtype)

    def __repr__(self):
        return f"Image({self.shape}, {self.data.dtype}, spacing {tuple(float(s) for s in self.spacing)})"


def affine_of(grid):
    """4x4 index (x, y, z) to RAS mm of a grid."""
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(grid.direction) * np.asarray(grid.spacing)
    affine[:3, 3] = grid.origin
    return _LPS @ affine


def to_ras(matrix):
    """Converts a map of LPS points to a map of RAS points, or back."""
    return _LPS @ np.asarray(matrix, dtype=float) @ _LPS


def _grid_of(shape, affine):
    size = tuple(int(n) for n in shape)
    size = (1,) * (3 - len(size)) + size
    if affine is None:
        affine = np.eye(4)
    affine = np.asarray(affine, dtype=float)
    if affine.shape != (4, 4):
        raise ValueError(f"affine: its shape is {affine.shape}, (4, 4) is wanted")
    lps = _LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    if not np.all(np.isfinite(lps)) or np.any(spacing == 0):
        raise ValueError("affine: a column is zero or not finite")
    direction = lps[:3, :3] / spacing
    if not np.allclose(direction.T @ direction, np.eye(3), atol=1e-4):
        raise ValueError("affine: its columns are not at right angles, and shear has no place in a grid")
    return _ffdp.Grid(size, spacing.tolist(), lps[:3, 3].tolist(), direction.tolist())


def _module(value):
    return type(value).__module__.partition(".")[0]


def _to_host(array):
    if _module(array) == "torch":
        return array.detach().cpu().numpy()
    if _module(array) == "cupy":
        return array.get()
    return np.asarray(array)


class Kind:
    """Converts a result to the type of the caller's image."""

    def __init__(self, wrap, name):
        self.wrap = wrap  # Image -> the caller's kind
        self.name = name  # for messages


def as_image(value, name="image"):
    """(Image, Kind) of anything that is an image."""
    if isinstance(value, Image):
        return value, Kind(lambda image: image, name)
    if isinstance(value, (str, os.PathLike)):
        return Image.read(value), Kind(lambda image: image, os.fspath(value))
    if isinstance(value, tuple) and len(value) == 2:
        return Image(np.asarray(value[0]), value[1]), Kind(lambda i: (_squeezed(i), i.affine), name)
    module = _module(value)
    if hasattr(value, "dataobj") and hasattr(value, "affine"):
        return _from_nibabel(value), Kind(_to_nibabel, name)
    if hasattr(value, "GetDirection") and hasattr(value, "GetSpacing"):
        return _from_sitk(value), Kind(_to_sitk, name)
    if hasattr(value, "direction") and hasattr(value, "spacing") and hasattr(value, "numpy"):
        return _from_ants(value), Kind(_to_ants, name)
    if module in ("torch", "cupy"):
        return Image(value.detach() if module == "torch" else value), Kind(_like(value), name)
    if isinstance(value, np.ndarray):
        return Image(value), Kind(_squeezed, name)
    raise TypeError(f"{name}: a {type(value).__name__} is no image; wanted a path, an array, ffdp.Image, (array, "
                    "affine), nibabel, SimpleITK or ANTsPy image, torch or CuPy tensor")


def _squeezed(image):
    return np.asarray(_to_host(image.data))


def _like(tensor):
    def wrap(image):
        data = image.data
        if _module(tensor) == "torch":
            import torch
            return torch.as_tensor(data).to(tensor.device)
        import cupy
        return cupy.asarray(data)
    return wrap


def _from_nibabel(value):
    data = np.asanyarray(value.dataobj)
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    return Image(np.ascontiguousarray(data.T), value.affine)


def _to_nibabel(image):
    import nibabel
    return nibabel.Nifti1Image(np.ascontiguousarray(_to_host(image.data).T), image.affine)


def _lps_grid(size, spacing, origin, direction):
    """Of 2-D or 3-D spacing, origin (LPS) and direction."""
    n = len(spacing)
    matrix = np.eye(3)
    matrix[:n, :n] = np.asarray(direction, dtype=float).reshape(n, n)
    pad = [1.0] * (3 - n), [0.0] * (3 - n)
    return _ffdp.Grid((1,) * (3 - n) + tuple(size), list(spacing) + pad[0], list(origin) + pad[1], matrix.tolist())


def _from_sitk(value):
    import SimpleITK as sitk
    data = sitk.GetArrayFromImage(value)
    grid = _lps_grid(data.shape, value.GetSpacing(), value.GetOrigin(), value.GetDirection())
    return Image(data, grid=grid)


def _to_sitk(image):
    import SimpleITK as sitk
    n = image.data.ndim
    result = sitk.GetImageFromArray(_to_host(image.data))
    result.SetSpacing(list(image.grid.spacing)[:n])
    result.SetOrigin(list(image.grid.origin)[:n])
    result.SetDirection(np.asarray(image.grid.direction)[:n, :n].ravel().tolist())
    return result


def _from_ants(value):
    data = np.ascontiguousarray(value.numpy().T)
    return Image(data, grid=_lps_grid(data.shape, value.spacing, value.origin, value.direction))


def _to_ants(image):
    import ants
    n = image.data.ndim
    return ants.from_numpy(np.ascontiguousarray(_to_host(image.data).T), origin=list(image.grid.origin)[:n],
                           spacing=list(image.grid.spacing)[:n],
                           direction=np.asarray(image.grid.direction)[:n, :n])


def like(data, image):
    """An image with the geometry of `image`; 2-D if that is 2-D."""
    return Image(data[0] if image.data.ndim == 2 else data, grid=image.grid)


def as_float(image):
    """The voxels as float32 [z, y, x], contiguous, on the device where they are."""
    array = image.array
    if _module(array) == "torch" and array.device.type == "cuda":
        import torch
        made = array.to(torch.float32).contiguous()
        torch.cuda.current_stream(made.device).synchronize()  # the registration has a stream of its own
        return made
    if _module(array) == "cupy":
        import cupy
        made = cupy.ascontiguousarray(array, dtype=cupy.float32)
        cupy.cuda.get_current_stream().synchronize()
        return made
    return np.ascontiguousarray(_to_host(array), dtype=np.float32)


def as_host(image):
    """The voxels in host memory, in a type that the library supports."""
    array = np.ascontiguousarray(_to_host(image.array))
    if array.dtype == bool:
        return array.astype(np.uint8)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def as_mask(value, image, name):
    """(uint8 array, grid) of a mask; one without geometry gets that of its image."""
    mask = as_image(value, name)[0]
    plain = isinstance(value, np.ndarray) or _module(value) in ("torch", "cupy")
    values = _to_host(mask.array)
    array = np.ascontiguousarray((values != 0) & (values == values)).view(np.uint8)  # NaN is outside
    return array, image.grid if plain and mask.shape == image.shape else mask.grid
