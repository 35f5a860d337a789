# SPDX-License-Identifier: Apache-2.0
"""Drop-ins for TransMorph's losses.py and TransMorph.py (and for MIR's of the same names). They run on the device of
their inputs and take any number of channels."""
import torch
from torch import nn

from ._lncc import lncc
from ._mi import mi
from ._regularizers import bending, diffusion
from .voxelmorph import SpatialTransformer, cubic_window

__all__ = ["DisplacementRegularizer", "Grad", "Grad3d", "MutualInformation", "NCC", "NCC_vxm", "SpatialTransformer"]


class NCC_vxm(nn.Module):  # noqa: N801
    """Minus the mean squared local correlation; forward(y_true, y_pred)."""

    def __init__(self, win=None):
        super().__init__()
        self.win = cubic_window(win, "NCC_vxm")

    def forward(self, y_true, y_pred):
        return -lncc(y_pred, y_true, self.win)


class NCC(NCC_vxm):
    """The same; forward(y_pred, y_true)."""

    def forward(self, y_pred, y_true):
        return -lncc(y_pred, y_true, self.win)


class MutualInformation(nn.Module):
    """Minus the mutual information by Gaussian soft bins; forward(y_true, y_pred)."""

    def __init__(self, sigma_ratio=1, minval=0.0, maxval=1.0, num_bin=32):
        super().__init__()
        if minval != 0.0:
            raise NotImplementedError("MutualInformation: intensities are clamped to [0, maxval] upstream; minval 0 is "
                                      "there only")
        self.sigma_ratio, self.maxval, self.num_bin = sigma_ratio, maxval, num_bin

    def forward(self, y_true, y_pred):
        ends = (0.0, self.maxval)
        return -mi(y_pred, y_true, self.num_bin, kernel="gaussian", pred_range=ends, target_range=ends,
                   sigma_ratio=self.sigma_ratio, smooth_dr=1e-6)


class Grad3d(nn.Module):
    """Mean of absolute (l1) or squared (l2) forward differences; forward(y_pred, y_true), the second is not used."""

    def __init__(self, penalty="l1", loss_mult=None):
        super().__init__()
        self.penalty, self.loss_mult = penalty, loss_mult

    def forward(self, y_pred, y_true=None):
        value = diffusion(y_pred, self.penalty)
        return value if self.loss_mult is None else value * self.loss_mult


Grad = Grad3d  # of images of one plane: the mean over two axes


class DisplacementRegularizer(nn.Module):
    """bending: mean squared second differences by central differences twice, over the inner voxels; gradient-l2 and
    gradient-l1: central differences, mean over axes. forward(disp, _)."""

    def __init__(self, energy_type):
        super().__init__()
        if energy_type not in ("bending", "gradient-l2", "gradient-l1"):
            raise ValueError(f"DisplacementRegularizer: energy_type is {energy_type!r}, must be bending, gradient-l2 "
                             "or gradient-l1")
        self.energy_type = energy_type

    def forward(self, disp, _=None):
        if self.energy_type == "bending":
            return bending(disp, form="central")
        inner = [slice(1, -1)] * (disp.ndim - 2)
        total = 0
        for axis in range(disp.ndim - 2):
            later, earlier = list(inner), list(inner)
            later[axis], earlier[axis] = slice(2, None), slice(None, -2)
            d = (disp[(..., *later)] - disp[(..., *earlier)]) / 2
            total = total + (d.abs() if self.energy_type == "gradient-l1" else d * d)
        return torch.mean(total) / (disp.ndim - 2)
