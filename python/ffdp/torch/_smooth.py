# SPDX-License-Identifier: Apache-2.0
"""gaussian_smooth: the smoothing of the registration, as an operator."""
import math
from typing import List

import torch
from torch import Tensor

from .. import _ffdp
from ._native import Where, boxed, require_volume, working

_WIDEST = 8  # reach [voxels] that the library's one pass takes, also in a captured graph


def taps_of(sigma, dtype, device):
    """Gaussian integrated over each voxel, cut at 3 sigma, sum 1; made on the device, so that nothing waits."""
    radius = math.ceil(3 * sigma)
    k = torch.arange(-radius, radius + 1, dtype=torch.float64, device=device) / (sigma * math.sqrt(2))
    half = 0.5 / (sigma * math.sqrt(2))
    taps = torch.erf(k + half) - torch.erf(k - half)
    return (taps / taps.sum()).to(dtype)


def _along(x, axis, sigma, adjoint):
    """Weighted means along one axis (adjoint: their transpose); taps outside the image are dropped."""
    taps = taps_of(sigma, x.dtype, x.device).view(1, 1, -1)
    radius = taps.numel() // 2
    edge = torch.nn.functional.conv1d(x.new_ones(1, 1, x.shape[axis]), taps, padding=radius).view(-1)
    moved = x.movedim(axis, -1)
    moved = moved / edge if adjoint else moved
    out = torch.nn.functional.conv1d(moved.reshape(-1, 1, x.shape[axis]), taps, padding=radius).view(moved.shape)
    return (out if adjoint else out / edge).movedim(-1, axis)


def _run(x, sigma, adjoint):
    x = x.detach().contiguous()
    three = [0.0] * (3 - len(sigma)) + list(sigma)
    if x.dtype == torch.float64 or (x.is_cuda and math.ceil(3 * max(sigma)) > _WIDEST):
        for i, s in enumerate(sigma):
            if s > 0:
                x = _along(x, 2 + i, s, adjoint)
        return x.contiguous().clone()
    out = torch.empty_like(x)
    box = boxed(x.shape[2:])
    with Where(x) as where:
        for one, to in zip(x.flatten(0, 1), out.flatten(0, 1)):
            _ffdp.smooth(where, three, box, adjoint, one.data_ptr(), to.data_ptr())
    return out


@torch.library.custom_op("ffdp::gaussian_smooth", mutates_args=())
def _smooth(x: Tensor, sigma: List[float]) -> Tensor:
    return _run(x, sigma, False)


@torch.library.custom_op("ffdp::gaussian_smooth_backward", mutates_args=())
def _smooth_backward(grad: Tensor, sigma: List[float]) -> Tensor:
    return _run(grad, sigma, True)


for _op in (_smooth, _smooth_backward):
    _op.register_fake(lambda x, sigma: torch.empty_like(x, memory_format=torch.contiguous_format))


def _save(ctx, inputs, output):
    ctx.sigma = inputs[1]


_smooth.register_autograd(lambda ctx, grad: (_smooth_backward(grad, ctx.sigma), None), setup_context=_save)
_smooth_backward.register_autograd(lambda ctx, grad: (_smooth(grad, ctx.sigma), None), setup_context=_save)


def gaussian_smooth(x, sigma):
    """Separable Gaussian of `sigma` [voxels] (a number, or one per axis; 0 does not smooth along an axis). Taps are
    integrated over the voxel, cut at 3 sigma and renormalised at the edge, so that a constant stays constant.
    x: (batch, channel, [z,] y, x).
    """
    require_volume("gaussian_smooth", x, "x")
    axes = x.ndim - 2
    each = [float(sigma)] * axes if isinstance(sigma, (int, float)) else [float(s) for s in sigma]
    if len(each) != axes or min(each) < 0:
        raise ValueError(f"gaussian_smooth: sigma is {sigma}, wanted a number >= 0 or one for each of {axes} axes")
    return _smooth(*working(x), each).to(x.dtype)
