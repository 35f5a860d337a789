# SPDX-License-Identifier: Apache-2.0
"""Operators for the training of registration networks, with exact gradients, on CPU and CUDA.

Images are (batch, channel, [z,] y, x); displacements (batch, axes, [z,] y, x) in voxels, components in the order of
the axes. All are custom operators: they work with torch.compile and CUDA graphs, and never wait for the device.

>>> import torch, ffdp.torch as ft
>>> image = torch.rand(1, 1, 8, 9, 10)
>>> shift = torch.zeros(1, 3, 8, 9, 10, requires_grad=True)
>>> loss = -ft.lncc(ft.grid_sample(image, shift), image, window=5) + ft.diffusion(shift)
>>> loss.backward()
>>> shift.grad.shape
torch.Size([1, 3, 8, 9, 10])
"""
from ._lncc import lncc
from ._mi import mi
from ._regularizers import bending, diffusion, jacobian_determinant, mse
from ._sampling import compose, grid_sample, integrate_svf, resize_displacement
from ._smooth import gaussian_smooth

__all__ = ["bending", "compose", "diffusion", "gaussian_smooth", "grid_sample", "integrate_svf",
           "jacobian_determinant", "lncc", "mi", "mse", "resize_displacement"]
