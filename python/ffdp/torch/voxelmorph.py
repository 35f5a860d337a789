# SPDX-License-Identifier: Apache-2.0
"""Drop-ins for voxelmorph: the losses of its PyTorch versions up to 0.2 (later versions raise an error), and the layers of
all versions. Images may have any number of channels."""
import torch
from torch import nn

from ._lncc import lncc
from ._regularizers import diffusion, mse
from ._sampling import grid_sample, integrate_svf, resize_displacement

_MODES = {"bilinear": "linear", "trilinear": "linear", "linear": "linear", "nearest": "nearest"}


def cubic_window(win, name):
    """One odd size of a list of equal ones; None: 9."""
    sizes = {9} if win is None else {win} if isinstance(win, int) else set(win)
    if len(sizes) != 1:
        raise ValueError(f"{name}: win is {win}; windows of different sizes change the size of the result upstream, "
                         "and are not taken")
    return sizes.pop()


class NCC:
    """Minus the mean squared local correlation; .loss(y_true, y_pred)."""

    def __init__(self, win=None):
        self.win = cubic_window(win, "NCC")

    def loss(self, y_true, y_pred):
        return -lncc(y_pred, y_true, self.win)


class MSE:
    """.loss(y_true, y_pred)."""

    def loss(self, y_true, y_pred):
        return mse(y_pred, y_true)


class Dice:
    """Minus the mean Dice of one-hot volumes; .loss(y_true, y_pred)."""

    def loss(self, y_true, y_pred):
        axes = tuple(range(2, y_pred.ndim))
        top = 2 * (y_true * y_pred).sum(axes)
        bottom = (y_true + y_pred).sum(axes).clamp(min=1e-5)
        return -(top / bottom).mean()


class Grad:
    """Mean of absolute (l1) or squared (l2) forward differences; .loss(_, y_pred)."""

    def __init__(self, penalty="l1", loss_mult=None):
        self.penalty, self.loss_mult = penalty, loss_mult

    def loss(self, _, y_pred):
        value = diffusion(y_pred, self.penalty)
        return value if self.loss_mult is None else value * self.loss_mult


class SpatialTransformer(nn.Module):
    """forward(src, flow), flow in voxels; zeros outside. `size` of older versions is accepted and ignored. State
    dicts load with and without its buffer `grid`."""

    def __init__(self, size=None, mode="bilinear", interpolation_mode=None, align_corners=True, device=None):
        super().__init__()
        if isinstance(size, str):  # the newer versions begin with the mode
            size, interpolation_mode = None, size
        if not align_corners:
            raise NotImplementedError("SpatialTransformer: align_corners=False is not there")
        self.mode = _MODES[interpolation_mode or mode]

    def _load_from_state_dict(self, state_dict, prefix, *args):
        state_dict.pop(prefix + "grid", None)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, src, flow):
        return grid_sample(src, flow, padding="zeros", mode=self.mode)


class VecInt(nn.Module):
    """Integration of a stationary velocity by scaling and squaring."""

    def __init__(self, inshape=None, nsteps=7):
        super().__init__()
        if nsteps < 0:
            raise ValueError(f"VecInt: nsteps is {nsteps}, must not be negative")
        self.nsteps = nsteps
        self.transformer = SpatialTransformer(inshape)  # takes `transformer.grid` of older state dicts

    def forward(self, vec):
        return integrate_svf(vec, self.nsteps, padding="zeros")


class ResizeTransform(nn.Module):
    """Resizes a displacement to a grid 1 / vel_resize times as fine, in voxels of that grid."""

    def __init__(self, vel_resize, ndims):
        super().__init__()
        self.factor = 1.0 / vel_resize

    def forward(self, x):
        return resize_displacement(x, self.factor)


class IntegrateVelocityField(nn.Module):
    """voxelmorph 0.3's name of VecInt."""

    def __init__(self, shape=None, steps=1, interpolation_mode="linear", align_corners=True, device=None):
        super().__init__()
        if _MODES[interpolation_mode] != "linear" or not align_corners:
            raise NotImplementedError("IntegrateVelocityField: linear interpolation with align_corners is there only")
        self.steps = steps
        self.transformer = SpatialTransformer()

    def forward(self, velocity_field):
        return integrate_svf(velocity_field, self.steps, padding="zeros")


class ResizeDisplacementField(nn.Module):
    """voxelmorph 0.3's: scales the vectors, then interpolates."""

    def __init__(self, scale_factor=1.0, interpolation_mode="linear", align_corners=True):
        super().__init__()
        self.scale_factor, self.mode, self.align_corners = scale_factor, interpolation_mode, align_corners

    def forward(self, disp):
        if _MODES.get(self.mode) == "linear":
            return resize_displacement(disp, self.scale_factor, self.align_corners)
        return torch.nn.functional.interpolate(disp * self.scale_factor, scale_factor=self.scale_factor, mode=self.mode)
