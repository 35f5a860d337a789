# SPDX-License-Identifier: Apache-2.0
"""Drop-ins for MIR's losses that TransMorph does not have, or has under the same name with other formulas."""
import torch
from torch import nn

from ._lncc import lncc
from .transmorph import DisplacementRegularizer, Grad3d, MutualInformation, SpatialTransformer
from .voxelmorph import cubic_window

__all__ = ["DisplacementRegularizer", "Grad3d", "MutualInformation", "NCC", "NCC_vfa", "NCC_vxm", "SpatialTransformer"]


class NCC_vxm(nn.Module):  # noqa: N801
    """Minus the mean squared local correlation; forward(y_true, y_pred)."""

    def __init__(self, win=None, ndims=3):
        super().__init__()
        self.win = cubic_window(win, "NCC_vxm")

    def _load_from_state_dict(self, state_dict, prefix, *args):
        for key in [k for k in state_dict if k.startswith(prefix)]:  # its filter of ones
            state_dict.pop(key)

    def forward(self, y_true, y_pred):
        return -lncc(y_pred, y_true, self.win)


class NCC(NCC_vxm):
    """The same with means over the window instead of sums, so that eps has more weight."""

    def __init__(self, win=None):
        super().__init__(win)

    def forward(self, y_true, y_pred):
        return -lncc(y_pred, y_true, self.win, moments="means")


class NCC_vfa(nn.Module):  # noqa: N801
    """Minus the mean squared local correlation, averaged over `scale` scales: windows of window_size - 2 i voxels,
    average pooling by 2 in between; the denominator is at least the smallest step of its type. Symmetric."""

    def __init__(self, window_size=9, scale=1, kernel=3, half_resolution=0):
        super().__init__()
        if half_resolution:
            raise NotImplementedError("NCC_vfa: half_resolution is not there")
        self.window_size, self.scale, self.kernel = window_size, scale, kernel

    def forward(self, y_true, y_pred):
        pool = nn.functional.avg_pool3d if y_true.ndim == 5 else nn.functional.avg_pool2d
        total = 0
        for i in range(self.scale):
            if i:
                y_true, y_pred = (pool(x, self.kernel, 2, self.kernel // 2, count_include_pad=False)
                                  for x in (y_true, y_pred))
            total = total - lncc(y_pred, y_true, self.window_size - 2 * i, eps=torch.finfo(y_pred.dtype).eps,
                                 eps_mode="clamped_product", moments="means")
        return total / self.scale
