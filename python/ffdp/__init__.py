# SPDX-License-Identifier: Apache-2.0
"""FFDP: registers images, from brains to gigavoxel volumes, and applies and evaluates the result.

Arrays are [z, y, x]. Affines of images are nibabel's: index (x, y, z) to world, RAS, mm. Points and
displacements of this package are in the same frame. An image can be a path, an array, an `Image`, a
nibabel, SimpleITK or ANTsPy image, or a torch or CuPy tensor. A result has the same type as the input.

>>> import ffdp
>>> pair = ffdp.phantom((24, 28, 24), spacing=6, pair=True)
>>> found = ffdp.register(pair.fixed, pair.moving, preset="fast", quiet=True)
>>> found.warped.shape
(24, 28, 24)
"""
from ._ffdp import cuda_devices, has_cuda
from ._ffdp import version as __version__
from ._images import Image
from ._transforms import Transform, apply, apply_to_points, compose, invert, jacobian, read_transform
from ._registration import Registration, register
from ._evaluation import evaluate
from ._phantom import PhantomPair, phantom

__all__ = ["Image", "PhantomPair", "Registration", "Transform", "__version__", "apply", "apply_to_points",
           "compose", "cuda_devices", "evaluate", "has_cuda", "invert", "jacobian", "phantom",
           "read_transform", "register"]
