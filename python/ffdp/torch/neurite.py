# SPDX-License-Identifier: Apache-2.0
"""Drop-ins for neurite 0.3: NCC, MSE, SpatialGradient. NCC checks no range, so that nothing waits for the device."""
from torch import nn

from ._lncc import lncc
from ._regularizers import diffusion, mse


def _reduced(x, reduction, dim, keepdims):
    if reduction is None:
        return x
    if dim is None:
        return getattr(x, reduction)()
    if reduction == "median":
        raise NotImplementedError("NCC: reduction median over several dimensions is not there")
    return getattr(x, reduction)(dim=dim, keepdim=keepdims)


class NCC(nn.Module):
    """Plus the mean squared local correlation of each sample and channel, then `reduction` over reduction_dim."""

    def __init__(self, window_size=9, eps=1e-5, reduction="mean", reduction_dim=(0, 1), keepdims=True):
        super().__init__()
        self.window_size, self.eps = window_size, eps
        self.reduction, self.reduction_dim, self.keepdims = reduction, reduction_dim, keepdims

    def forward(self, tensor1, tensor2):
        each = lncc(tensor1, tensor2, self.window_size, eps=self.eps, reduction="batch")
        return _reduced(each, self.reduction, self.reduction_dim, self.keepdims)


class MSE(nn.Module):
    """Mean squared difference."""

    def forward(self, tensor1, tensor2):
        return mse(tensor1, tensor2)


class SpatialGradient(nn.Module):
    """Mean of squared (l2) or absolute (l1) forward differences: a mean an axis, then the mean over axes."""

    def __init__(self, penalty="l2", reduction="mean", reduction_dim=None, keepdims=False):
        super().__init__()
        if reduction != "mean" or reduction_dim is not None:
            raise NotImplementedError("SpatialGradient: the mean over everything is there only")
        self.penalty = penalty

    def forward(self, input_tensor):
        return diffusion(input_tensor, self.penalty)
