# SPDX-License-Identifier: Apache-2.0
"""Drop-ins for MONAI 1.6: LocalNormalizedCrossCorrelationLoss, GlobalMutualInformationLoss, BendingEnergyLoss,
DiffusionLoss, Warp, DVF2DDF."""
import math

import torch
from torch import nn

from ._lncc import lncc
from ._mi import mi
from ._regularizers import bending
from ._sampling import grid_sample, integrate_svf


def _word(value):
    return getattr(value, "value", value)


def _weights(kind, size):
    """Along one axis."""
    half = size // 2
    if kind == "rectangular":
        return [1.0] * size
    if kind == "gaussian":
        return [math.exp(-0.5 * (3 * k / size) ** 2) for k in range(-half, half + 1)]
    if kind == "triangular":
        side = (size + 1) // 2
        side -= 1 - side % 2
        return [max(0, side - abs(k)) / side**2 for k in range(-half, half + 1)]
    raise ValueError(f"kernel_type is {kind!r}, must be rectangular, triangular or gaussian")


class LocalNormalizedCrossCorrelationLoss(nn.Module):
    """Minus the squared local correlation, each variance at least smooth_dr; forward(pred, target)."""

    def __init__(self, spatial_dims=3, kernel_size=3, kernel_type="rectangular", reduction="mean", smooth_nr=0.0,
                 smooth_dr=1e-5):
        super().__init__()
        if spatial_dims not in (2, 3):
            raise ValueError(f"spatial_dims is {spatial_dims}, must be 2 or 3")
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {kernel_size}")
        self.ndim, self.reduction = spatial_dims, _word(reduction)
        self.weights = _weights(_word(kernel_type), kernel_size)
        self.smooth_nr, self.smooth_dr = float(smooth_nr), float(smooth_dr)

    def forward(self, pred, target):
        if pred.ndim - 2 != self.ndim:
            raise ValueError(f"expecting pred with {self.ndim} spatial dimensions, got pred of shape {pred.shape}")
        return -lncc(pred, target, kernel=self.weights, eps=self.smooth_dr, eps_mode="clamped_each",
                     smooth_nr=self.smooth_nr, reduction=self.reduction)


class GlobalMutualInformationLoss(nn.Module):
    """Minus the mutual information by Gaussian soft bins over [0, 1], or by cubic (pred) and box (target) splines over
    the range of the data; forward(pred, target)."""

    def __init__(self, kernel_type="gaussian", num_bins=23, sigma_ratio=0.5, reduction="mean", smooth_nr=1e-7,
                 smooth_dr=1e-7):
        super().__init__()
        if num_bins <= 0:
            raise ValueError(f"num_bins must > 0, got {num_bins}")
        if kernel_type not in ("gaussian", "b-spline"):
            raise ValueError(f"kernel_type is {kernel_type!r}, must be gaussian or b-spline")
        self.kernel_type, self.num_bins, self.sigma_ratio = kernel_type, num_bins, sigma_ratio
        self.reduction, self.smooth_nr, self.smooth_dr = _word(reduction), smooth_nr, smooth_dr

    def _positions(self, x):
        """Among the bins, two of which are left free at each end."""
        low = x.min()
        width = (x.max() - low) / (self.num_bins - 4)
        return x / width - (low / width - 2)

    def forward(self, pred, target):
        rule = dict(smooth_nr=self.smooth_nr, smooth_dr=self.smooth_dr, reduction=self.reduction)
        if self.kernel_type == "gaussian":
            return -mi(pred, target, self.num_bins, kernel="gaussian", sigma_ratio=self.sigma_ratio, **rule)
        return -mi(self._positions(pred), self._positions(target), self.num_bins, kernel="monai_spline", **rule)


class BendingEnergyLoss(nn.Module):
    """Mean squared second differences, mixed ones twice; forward(pred)."""

    def __init__(self, normalize=False, reduction="mean"):
        super().__init__()
        if _word(reduction) != "mean":
            raise NotImplementedError("BendingEnergyLoss: reduction mean is there only")
        self.normalize = normalize

    def forward(self, pred):
        if not self.normalize:
            return bending(pred)
        sizes = pred.shape[2:]
        if len(set(sizes)) == 1:  # every factor is the size
            return bending(pred * sizes[0])
        raise NotImplementedError("BendingEnergyLoss: normalize is there for cubes only")


class DiffusionLoss(nn.Module):
    """Mean over the inner voxels of the sum of squared central differences; forward(pred)."""

    def __init__(self, normalize=False, reduction="mean"):
        super().__init__()
        if _word(reduction) not in ("mean", "sum", "none"):
            raise ValueError(f"reduction is {reduction!r}, must be mean, sum or none")
        self.normalize, self.reduction = normalize, _word(reduction)

    def forward(self, pred):
        axes, sizes = pred.ndim - 2, pred.shape[2:]
        total = 0
        for axis in range(axes):
            later, earlier = [slice(1, -1)] * axes, [slice(1, -1)] * axes
            later[axis], earlier[axis] = slice(2, None), slice(None, -2)
            d = (pred[(..., *later)] - pred[(..., *earlier)]) / 2
            if self.normalize:  # each component by its own size
                d = torch.stack([d[:, c] * (sizes[axis] / sizes[c]) for c in range(axes)], 1)
            total = total + d**2
        return total if self.reduction == "none" else getattr(total, self.reduction)()


class Warp(nn.Module):
    """forward(image, ddf), ddf in voxels; the edge value outside by default."""

    def __init__(self, mode="bilinear", padding_mode="border", jitter=False):
        super().__init__()
        if _word(mode) not in ("bilinear", "nearest") or _word(padding_mode) not in ("border", "zeros") or jitter:
            raise NotImplementedError(f"Warp: mode {mode}, padding_mode {padding_mode}, jitter {jitter}; bilinear or "
                                      "nearest, border or zeros, without jitter are there")
        self.mode = "linear" if _word(mode) == "bilinear" else "nearest"
        self.padding = _word(padding_mode)

    def forward(self, image, ddf):
        return grid_sample(image, ddf, padding=self.padding, mode=self.mode)


class DVF2DDF(nn.Module):
    """Displacement of a stationary velocity by scaling and squaring; forward(dvf)."""

    def __init__(self, num_steps=7, mode="bilinear", padding_mode="zeros"):
        super().__init__()
        if num_steps <= 0:
            raise ValueError(f"expecting positive num_steps, got {num_steps}")
        if _word(mode) != "bilinear":
            raise NotImplementedError(f"DVF2DDF: mode {mode}; bilinear is there")
        self.num_steps, self.padding = num_steps, _word(padding_mode)

    def forward(self, dvf):
        return integrate_svf(dvf, self.num_steps, padding=self.padding)
